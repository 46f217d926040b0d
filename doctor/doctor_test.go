package doctor

import (
	"slices"
	"strings"
	"testing"
	"time"

	"daypass.dev/reason"
)

// Every reason of the catalogue is named by a sandbox's record, whatever else
// is known; one that AWS has words for is recognised by them.
func TestEveryReasonIsKnown(t *testing.T) {
	rows := reason.All()
	if len(rows) < 200 {
		t.Fatalf("the catalogue has %d rows", len(rows))
	}
	for _, row := range rows {
		r := Diagnose(Evidence{Answer: &Answer{Text: "Op: " + row.Code + ": " + row.Message, Decision: row.Slug, Detail: "it was so"}})
		if r.Healthy || r.Cause.Reason != row.Slug || r.Cause.Mend == "" {
			t.Errorf("%s: %+v", row.Slug, r.Cause)
		}
		for _, told := range []string{"a detail (" + row.Slug + "): a mend", `level=WARN msg="not mounted" reason=` + row.Slug + ` error="x"`, `{"reason":"` + row.Slug + `"}`} {
			if got := Recognise(told); strings.Contains(row.Slug, "-") && !slices.Equal(got, []string{row.Slug}) {
				t.Errorf("%q stands for %q", told, got)
			}
		}
		if row.Message == "" {
			continue
		}
		said := "An error occurred (" + row.Code + ") when calling an operation: " + strings.ReplaceAll(row.Message, "%s", "something")
		if got := Recognise(said); !slices.Contains(got, row.Slug) && !slices.Contains(hearsayOf(said), row.Slug) {
			t.Errorf("%s is not among %q for %q", row.Slug, got, said)
		}
	}
}

// hearsayOf are the reasons of users' reports that outweigh the catalogue's own
// words, being longer.
func hearsayOf(text string) []string {
	for _, h := range hearsay() {
		if sentenceOf(h.text).in(strings.ToLower(text)) {
			return append(h.slugs, "policy-explicit-deny")
		}
	}
	return nil
}

// What users see, as they report it, and what it turned out to be.
func TestWhatUsersSee(t *testing.T) {
	for said, want := range map[string]string{
		"AccessDeniedException: Untrusted certificate. Insufficient certificate":                                                                      "leaf-key-usage",
		"AccessDeniedException: Untrusted signing certificate":                                                                                        "chain-issuer-missing",
		"AccessDeniedException: Untrusted Signing Certificate":                                                                                        "chain-issuer-missing",
		"ValidationException: Incorrect basic constraints for CA certificate":                                                                         "ca-basic-constraints",
		"Unable to assume role for arn:aws:iam::111122223333:role/r":                                                                                  "trust-source-identity",
		"Unable to assume role for arn:aws:iam::111122223333:role/r. The requested DurationSeconds exceeds the MaxSessionDuration set for this role.": "duration-over-role",
		"Trust anchor is disabled":                 "anchor-disabled",
		"Profile is disabled":                      "profile-disabled",
		"403 Forbidden Invalid signature":          "x509-clock",
		"unable to parse private key":              "proof-form",
		"invalid certificate chain":                "proof-form",
		"unable to use cert store signer on linux": "settings-missing",
		"could not parse PEM data":                 "proof-form",
		"requested block type could not be found":  "proof-form",
		"User: arn:aws:sts::111122223333:assumed-role/r/s is not authorized to perform: s3:GetObject because no identity-based policy allows the s3:GetObject action":                                                                               "iam-propagation",
		"Unable to locate credentials. You can configure credentials by running \"aws configure\".":                                                                                                                                                 "injection-missed",
		"operation error S3: ListBuckets, get identity: get credentials: failed to refresh cached credentials, no EC2 IMDS role found, operation error ec2imds: GetMetadata, request canceled":                                                      "injection-missed",
		"CredentialsProviderError: Could not load credentials from any providers":                                                                                                                                                                   "injection-missed",
		"failed to pull image: no basic auth credentials":                                                                                                                                                                                           "image-pull-credentials",
		"AccessDeniedException: User: x is not authorized to perform: acm-pca:IssueCertificate because no resource-based policy allows the acm-pca:IssueCertificate action":                                                                         "pca-share-template",
		"ValidationException: Value at 'idempotencyToken' failed to satisfy constraint: Member must have length less than or equal to 36":                                                                                                           "pca-token",
		"ValidationException: Validity value must be positive":                                                                                                                                                                                      "pca-end",
		"An error occurred (InvalidIdentityToken) when calling the AssumeRoleWithWebIdentity operation: No OpenIDConnect provider found in your account for https://oidc.example.com":                                                               "provider-missing",
		"An error occurred (InvalidIdentityToken) when calling the AssumeRoleWithWebIdentity operation: Incorrect token audience":                                                                                                                   "token-audience",
		"An error occurred (InvalidIdentityToken) when calling the AssumeRoleWithWebIdentity operation: Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements": "issuer-unreachable",
		"AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/r/s is not authorized to perform: secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:us-east-1:111122223333:secret:db-AbCdEf":                           "policy-no-allow",
		"AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/r/s is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:us-east-1:111122223333:key/1":                                                                   "policy-no-allow",
		"AccessDenied: User: arn:aws:iam::111122223333:user/ci is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/reader":                                                                                     "policy-principal",
		"AccessDeniedException: Unauthorized Exception! EKS does not have permissions to assume the associated role.":                                                                                                                               "policy-principal",
		"OverflowError: date value out of range":                                "empty-credentials",
		"ResourceNotFoundException: No service account role association found.": "eks-association-missing",
	} {
		if got := Recognise(said); !slices.Contains(got, want) {
			t.Errorf("%q stands for %q, want %s among them", said, got, want)
		}
	}
	if got := Recognise("all is well"); got != nil {
		t.Errorf("nothing stands for %q", got)
	}
}

func TestEveryReasonOfAChecksIsInTheCatalogue(t *testing.T) {
	for _, slug := range append(Reasons(), hearsaySlugs()...) {
		if row, ok := reason.Lookup(slug); !ok || row.Mend == "" {
			t.Errorf("%s has no row", slug)
		}
	}
}

func hearsaySlugs() (all []string) {
	for _, h := range hearsay() {
		all = append(all, h.slugs...)
	}
	return all
}

func TestNothingKnownIsNoPass(t *testing.T) {
	r := Diagnose(Evidence{Now: time.Now(), Anchor: &Anchor{Look: Look{Unseen: "not allowed"}}, Profile: &Profile{Look: Look{Unseen: "not allowed"}}})
	for _, c := range r.Checks {
		if c.Verdict == Pass {
			t.Errorf("passed without evidence: %+v", c)
		}
	}
}

// Two things are broken: that one is the cause which AWS's words allow.
func TestAWSsWordsChoose(t *testing.T) {
	e := Evidence{
		Now: time.Now(), Settings: &Settings{RoleARN: "arn:aws:iam::111122223333:role/r"},
		Anchor:  &Anchor{ARN: "arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/1"},
		Profile: &Profile{Name: "p", Enabled: false, Roles: []string{"arn:aws:iam::111122223333:role/r"}},
	}
	if r := Diagnose(e); r.Cause.Reason != "anchor-disabled" {
		t.Errorf("%+v", r.Cause)
	}
	e.Answer = &Answer{Text: "CreateSession: AccessDeniedException: Profile is disabled"}
	if r := Diagnose(e); r.Cause.Reason != "profile-disabled" {
		t.Errorf("%+v", r.Cause)
	}
}

func FuzzRecognise(f *testing.F) {
	f.Add("daypass: error: no [pca-state]\ndaypass: hint: use it")
	f.Add("<Error><Code>AccessDenied</Code><Message>it&#39;s &#x0; &lt;</Message>")
	f.Fuzz(func(t *testing.T, text string) {
		for _, slug := range Recognise(text) {
			if _, ok := reason.Lookup(slug); !ok {
				t.Errorf("%q is no reason", slug)
			}
		}
	})
}

func FuzzParseToken(f *testing.F) {
	f.Add("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhIn0.c2ln")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, text string) {
		token := ParseToken(text)
		r := Diagnose(Evidence{Now: time.Unix(1800000000, 0), Token: token, Issuer: &Issuer{Keys: []byte(text)}, Settings: &Settings{RoleARN: "arn:aws:iam::111122223333:role/r"}})
		if len(text) > 200 && strings.Contains(pretty(r), text[len(text)-100:]) {
			t.Error("the token is told")
		}
	})
}

func pretty(r Report) string {
	var b strings.Builder
	for _, c := range r.Checks {
		b.WriteString(c.Detail)
	}
	return b.String()
}
