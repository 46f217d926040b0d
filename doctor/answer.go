package doctor

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"sync"

	"daypass.dev/pki"
	"daypass.dev/reason"
)

// An Answer is what came of asking for credentials, or what a log says did.
type Answer struct {
	OK bool
	// Text is AWS's code and words, or those of whoever reports.
	Text string
	// Decision is the slug that the sandbox's own record names, with its
	// evidence; empty where the real AWS answered, which tells nobody.
	Decision, Detail, Mend string
}

func (d *diagnosis) answer() {
	a := d.Answer
	if a == nil {
		return
	}
	switch {
	case a.OK:
		d.pass(pki.Printable(a.Text))
	case a.Decision != "":
		d.fail(a.Decision, "the sandbox's record says: "+pki.Printable(a.Detail))
		if c := &d.Checks[len(d.Checks)-1]; a.Mend != "" {
			c.Mend = a.Mend
		}
	default:
		d.add(Check{Verdict: Fail, Detail: pki.Printable(a.Text)})
	}
}

// A heard is a text that users see, of AWS or of programs around it, and what it
// stands for: the likeliest reason first.
type heard struct {
	text  string // with * for anything
	slugs []string
}

// assumptions are the reasons for which Roles Anywhere says no more than that it
// cannot assume the role.
var assumptions = [...]string{
	"policy-condition", "policy-condition-key-missing", "trust-source-identity", "trust-tag-session", "policy-principal", "policy-action",
	"policy-explicit-deny", "policy-condition-multivalued", "trust-no-statement", "role-not-found", "role-elsewhere", "source-identity",
	"session-policy-not-found", "packed-policy-too-large", "iam-propagation",
}

// trusts are the reasons for which a role lets in neither a caller nor EKS; a
// role that is not there is worded as one that does not.
var trusts = [...]string{"policy-principal", "policy-action", "policy-condition", "policy-condition-key-missing", "trust-no-statement", "trust-tag-session", "role-not-found"}

// nowhere are the reasons for which an SDK finds no credentials at all.
var nowhere = [...]string{"injection-missed", "settings-missing", "environment-imds"}

// hearsay are the texts that the catalogue does not hold.
func hearsay() []heard {
	return []heard{
		{"Untrusted certificate. Insufficient certificate", []string{"leaf-key-usage", "leaf-version", "leaf-ca", "leaf-signature-algorithm"}},
		{"Unable to assume role for *", assumptions[:]},
		{"AccessDenied: Access Denied", []string{"policy-no-allow", "policy-cross-account", "policy-resource", "policy-action", "policy-condition", "policy-explicit-deny", "iam-propagation", "s3-other-owner"}},
		{"Alias arn:aws:kms:* is not found", []string{"kms-key-not-found"}},
		{"Key 'arn:aws:kms:*' does not exist", []string{"kms-key-not-found"}},
		{"DurationSeconds exceeds the MaxSessionDuration", []string{"duration-over-role"}},
		{"no identity-based policy allows", []string{"policy-no-allow", "policy-action", "policy-resource", "iam-propagation"}},
		// AWS's short words for any denial; the catalogue has rows of the same.
		{"User: * is not authorized to perform: sts:AssumeRole on resource: *", append(trusts[:len(trusts):len(trusts)], "policy-no-allow")},
		{"User: * is not authorized to perform: secretsmanager:* on resource: *", []string{"policy-no-allow", "policy-action", "policy-resource"}},
		{"User: * is not authorized to perform: kms:* on resource: *", []string{"policy-no-allow", "policy-action", "policy-resource"}},
		{"unable to parse private key", []string{"proof-form", "proof-unreadable", "leaf-key-type"}},
		{"invalid certificate chain", []string{"proof-form"}},
		{"unable to use cert store signer on linux", []string{"settings-missing", "proof-missing"}},
		{"could not parse PEM data", []string{"proof-form"}},
		{"requested block type could not be found", []string{"proof-form"}},
		// botocore's words, Go's, JavaScript's and Java's for the same.
		{"Unable to locate credentials", nowhere[:]},
		{"no EC2 IMDS role found", nowhere[:]},
		{"Could not load credentials from any providers", nowhere[:]},
		{"Unable to load credentials from any of the providers in the chain", nowhere[:]},
		// S3's words, and others', where they are not those of most services.
		{"The request signature we calculated does not match the signature you provided. Check your key and signing method", []string{"signature-mismatch", "signed-header-absent", "chunk-signature", "trailer-signature"}},
		{"The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256", []string{"algorithm-unsupported"}},
		{"There were headers present in the request which were not signed", []string{"headers-not-signed", "host-not-signed"}},
		{"Query-string authentication version 4 requires the * parameters", []string{"presign-incomplete"}},
		{"x-amz-sdk-checksum-algorithm specified, but no corresponding", []string{"s3-checksums"}},
		{"ParameterVersionLabelLimitExceeded", []string{"parameter-limit"}},
		{"The alias * is reserved for AWS", []string{"kms-alias-name"}},
		{"no basic auth credentials", []string{"image-pull-credentials"}},
		{"is not authorized to perform: acm-pca:IssueCertificate*because no resource-based policy allows the acm-pca:IssueCertificate action", []string{"pca-share-template", "policy-cross-account"}},
		{"ValidationException*idempotencyToken", []string{"pca-token"}},
		{"ValidationException*alidity", []string{"pca-end", "pca-beyond-ca", "pca-short-lived"}},
		{"iam.serviceAccounts.getAccessToken*denied", []string{"google-not-bound"}},
		{"iam.serviceAccounts.getOpenIdToken*denied", []string{"google-not-token-creator"}},
		{"Google identity token: *Not Found", []string{"google-account-missing"}},
		{"Google identity token: *status 404", []string{"google-account-missing"}},
		{"generateIdToken: NOT_FOUND", []string{"google-account-missing"}},
		{"EKS does not have permissions to assume the associated role", trusts[:]},
		{"No service account role association found", []string{"eks-association-missing"}},
		{"date value out of range", []string{"empty-credentials"}},
		{"partial credentials found", []string{"environment-profile"}},
		{"failed to get shared config profile", []string{"environment-profile"}},
		{"The config profile*could not be found", []string{"environment-profile"}},
	}
}

// named is how daypass's own programs name a reason in what they say and log.
var named = regexp.MustCompile(`[\[(]([a-z0-9]+(?:-[a-z0-9]+)+)[\])]|\breason"?[=:] ?"?([a-z0-9]+(?:-[a-z0-9]+)+)\b`)

// telling is the length from which a sentence of the catalogue is nobody else's.
const telling = 30

// Recognise lists the reasons that a text of AWS, an SDK, a kubelet or daypass
// itself may stand for, by the slugs in it, else by the catalogue's messages and
// what users report, else by AWS's code where that says enough. Of texts only the
// longest that fits counts; of one text, all reasons.
func Recognise(text string) []string {
	text = html.UnescapeString(text) // of services that answer XML
	best, length := []string(nil), 0
	for _, m := range named.FindAllStringSubmatch(text, -1) {
		slug := m[1] + m[2]
		if _, ok := reason.Lookup(slug); ok && !slices.Contains(best, slug) {
			best = append(best, slug)
		}
	}
	if best != nil {
		return best
	}
	lower := strings.ToLower(text)
	for _, s := range sentences() {
		if s.length < length || !s.in(lower) {
			continue
		}
		if s.length > length {
			best, length = nil, s.length
		}
		for _, slug := range s.slugs {
			if !slices.Contains(best, slug) {
				best = append(best, slug)
			}
		}
	}
	if best != nil {
		return best
	}
	return byCode(text)
}

var code = regexp.MustCompile(`\b[A-Z][A-Za-z]+[a-z][A-Z][A-Za-z]+\b`)

// byCode lists the reasons of a code of AWS's that few have.
func byCode(text string) (slugs []string) {
	const few = 4
	said := code.FindAllString(text, -1)
	if said == nil {
		return nil
	}
	for _, r := range reason.All() {
		if r.Code != "" && slices.Contains(said, r.Code) {
			slugs = append(slugs, r.Slug)
		}
	}
	if len(slugs) > few {
		return nil
	}
	return slugs
}

// A sentence is what a text may hold, in any case of letters.
type sentence struct {
	parts  []string // in lower case, with anything between them
	length int      // of all parts
	slugs  []string
}

func sentenceOf(pattern string, slugs ...string) sentence {
	pattern = strings.TrimSuffix(pattern, ".")
	return sentence{strings.Split(strings.ToLower(pattern), "*"), len(strings.NewReplacer("%s", "", "*", "").Replace(pattern)), slugs}
}

// in tells whether the sentence stands in a text in lower case.
func (s sentence) in(text string) bool {
	for _, part := range s.parts {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return true
}

// sentences are what users report and what the catalogue says: a log has
// hundreds of lines that are held against them.
var sentences = sync.OnceValue(func() []sentence {
	var all []sentence
	for _, h := range hearsay() {
		all = append(all, sentenceOf(h.text, h.slugs...))
	}
	for _, r := range reason.All() {
		if r.Message != "" {
			all = append(all, sentenceOf(strings.ReplaceAll(r.Message, "%s", "*"), r.Slug))
		} else if r.Code != "" && len(r.Cause) > telling {
			all = append(all, sentenceOf(r.Cause, r.Slug)) // as the sandbox says it, where AWS's words are not known
		}
		all = append(all, sentenceOf("hint: "+r.Mend, r.Slug)) // as our own programs end
	}
	return all
})
