package doctor

import (
	"regexp"
	"strings"
	"testing"

	"daypass.dev/reason"
)

// commands are those of the AWS CLI that mends name, by the reason, with what
// each needs here; TestMendsByTheAWSCLI fills in what is in capitals.
func commands() map[string]string {
	return map[string]string{
		"anchor-disabled":     "rolesanywhere enable-trust-anchor --trust-anchor-id " + anchorID,
		"profile-disabled":    "rolesanywhere enable-profile --profile-id " + profileID,
		"crl-stale":           "rolesanywhere update-crl --crl-id " + crlID + " --crl-data fileb://LIST",
		noisy:                 "rolesanywhere put-notification-settings --trust-anchor-id " + anchorID + " --notification-settings event=END_ENTITY_CERTIFICATE_EXPIRY,enabled=false",
		"setup-provider":      "iam add-client-id-to-open-id-connect-provider --client-id sts.amazonaws.com --open-id-connect-provider-arn arn:aws:iam::" + account + ":oidc-provider/issuer.example",
		"s3-bucket-not-empty": "s3 rm --recursive s3://reports",
		"secret-deleted":      "secretsmanager restore-secret --secret-id db",
		"kms-key-disabled":    "kms enable-key --key-id KEY",
		"pca-in-progress":     "acm-pca wait certificate-issued --certificate-authority-arn AUTHORITY --certificate-arn ISSUED",
		"eks-association-missing": "eks create-pod-identity-association --cluster-name prod --namespace store --service-account web --role-arn " + roleARN +
			" --query association.associationId --output text",
		// Version 1 of the AWS CLI signs links by Signature Version 2, until it is told.
		"algorithm-unsupported": "configure set default.s3.signature_version s3v4",
	}
}

// A command that a mend names is among those that are tried, and none is tried
// that the mend does not name.
func TestCommandsOfMends(t *testing.T) {
	all := commands()
	full := regexp.MustCompile(`\baws ([a-z0-9-]+ [a-z-]+)`)
	for _, r := range reason.All() {
		for _, m := range full.FindAllStringSubmatch(r.Mend, -1) {
			if !strings.HasPrefix(all[r.Slug], m[1]+" ") {
				t.Errorf("%s: nothing tries %q", r.Slug, m[0])
			}
		}
		if line, there := all[r.Slug]; there {
			if verb := strings.Fields(line)[1]; !strings.Contains(r.Mend, verb) {
				t.Errorf("%s: the mend names no %s: %s", r.Slug, verb, r.Mend)
			}
		}
		delete(all, r.Slug)
	}
	for slug := range all {
		t.Errorf("%s is no reason", slug)
	}
}
