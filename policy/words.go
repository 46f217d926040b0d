package policy

import "strings"

// Words are AWS's texts for one kind of policy: IAM has an older parser for
// identity policies and a newer one for the others. Texts of the newer one are
// taken from trust policies; that S3 and KMS use the same is unchecked, and so
// are the texts on Sid characters, unknown fields and sizes.
type words struct {
	json, syntax, version, empty               string
	unknown, effect, noEffect                  string
	duplicateSid, sid                          string
	noAction, noResource                       string
	oneColon, vendor, noVendor                 string
	noPrincipal, emptyPrincipal, principalText string
}

const (
	errLegacy       = "The policy failed legacy parsing"
	errNotPrincipal = "AssumeRole policy must not contain NotPrincipal field."
	errAllowNot     = "Allow with NotPrincipal is not allowed."
	errSTSOnly      = "AssumeRole policy may only specify STS AssumeRole actions."
	errResource     = "Has prohibited field Resource"
	errNotResource  = "AssumeRole policy must not contain resources."
	errPrincipal    = "Policy document should not specify a principal."
	errVendorRegex  = "Resource vendor must be fully qualified and cannot contain regexes."
	errIAMPath      = `IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/.`
)

// errNobody is said to a trust policy with {"AWS": []}: issue 25 of
// skyscrapers/terraform-concourse. That other policies are refused in the same
// words, and that an empty list beside another with entries passes, is unchecked.
const errNobody = "Invalid principal in policy: com.amazon.balsa.error.InvalidPolicyException: The passed in policy has a statement with no principals!"

func wordsOf(kind Kind) words {
	w := words{
		oneColon: "Actions/Condition can contain only one colon.",
		vendor:   "Vendor %s is not valid",
		noVendor: "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
		sid:      "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
	}
	if !kind.namesCallers() {
		const syntax = "Syntax errors in policy."
		w.json, w.syntax, w.version, w.empty = syntax, syntax, syntax, syntax
		w.unknown, w.effect, w.noEffect = syntax, syntax, syntax
		w.duplicateSid = "Statement IDs (SID) in a single policy must be unique."
		w.noAction = "Policy statement must contain actions."
		w.noResource = "Policy statement must contain resources."
		return w
	}
	w.json = "This policy contains invalid Json"
	w.syntax = "Syntax error in policy."
	w.version = "The policy must contain a valid version string"
	w.empty = "Could not parse the policy: Statement is empty!"
	w.unknown = "Unknown field %s"
	w.effect = "Invalid effect: %s"
	w.noEffect = "Missing required field Effect"
	w.duplicateSid = "The Statement Ids in the policy are not unique"
	w.noAction = "Missing required field Action"
	w.noResource = "Missing required field Resource"
	w.noPrincipal = "Missing required field Principal"
	w.emptyPrincipal = "Missing required field Principal cannot be empty!"
	w.principalText = "Principal must be a JSON object."
	return w
}

// with puts value into a text that has a place for it.
func with(text, value string) string { return strings.Replace(text, "%s", value, 1) }
