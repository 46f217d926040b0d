package acmpca_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acmpca"
	"github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	"github.com/aws/smithy-go"
)

const other = "444455556666"

// share lets the other account issue by one template, as a share of Resource
// Access Manager does.
const share = `{"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":["acm-pca:DescribeCertificateAuthority","acm-pca:GetCertificate"],"Resource":"CA"},
 {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"acm-pca:IssueCertificate","Resource":"CA",
  "Condition":{"StringEquals":{"acm-pca:TemplateArn":"arn:aws:acm-pca:::template/EndEntityCertificate/V1"}}}]}`

// of is a client of a user of the other account with this policy, or with none.
func (s *stage) of(name, statement string) *acmpca.Client {
	s.t.Helper()
	if statement != "" {
		statement = `{"Version":"2012-10-17","Statement":[` + statement + `]}`
	}
	return acmpca.NewFromConfig(s.User(s.t, other, name, statement))
}

// TestAcrossAccounts: another account's user needs the CA's resource policy and
// a policy of its own, for each action and template.
func TestAcrossAccounts(t *testing.T) {
	s := newStage(t)
	ca := s.root(acmpca.CreateCertificateAuthorityInput{})
	may, none := s.of("ann", `{"Effect":"Allow","Action":"acm-pca:*","Resource":"`+ca+`"}`), s.of("bob", "")
	issue := func(as *acmpca.Client, template string) (string, error) {
		home := s.pca
		s.pca = as
		defer func() { s.pca = home }()
		return s.issue(acmpca.IssueCertificateInput{CertificateAuthorityArn: &ca, TemplateArn: templateARN(template)})
	}
	refused := func(what string, err error, slug, text string) {
		t.Helper()
		var e smithy.APIError
		if !errors.As(err, &e) || e.ErrorCode() != "AccessDeniedException" || !strings.Contains(e.ErrorMessage(), text) {
			t.Errorf("%s: %v; want %q", what, err, text)
		}
		if d := s.Last(t, "IssueCertificate"); d.Reason != slug || d.Mend == "" {
			t.Errorf("%s: recorded %s: %s", what, d.Reason, d.Detail)
		}
	}
	put := func(text string) {
		t.Helper()
		_, err := s.pca.PutPolicy(t.Context(), &acmpca.PutPolicyInput{ResourceArn: &ca, Policy: aws.String(strings.ReplaceAll(text, "CA", ca))})
		s.must(err)
	}
	const noResource = "because no resource-based policy allows the acm-pca:IssueCertificate action"
	_, err := issue(may, "EndEntityCertificate/V1")
	refused("without a resource policy", err, "policy-cross-account", noResource)
	put(share)
	arn, err := issue(may, "EndEntityCertificate/V1")
	s.must(err)
	s.World.Advance(time.Second)
	if _, err := may.GetCertificate(t.Context(), &acmpca.GetCertificateInput{CertificateAuthorityArn: &ca, CertificateArn: &arn}); err != nil {
		t.Errorf("its certificate: %v", err)
	}
	_, err = issue(may, "SubordinateCACertificate_PathLen0/V1")
	refused("another template", err, "policy-condition", noResource)
	_, err = issue(none, "EndEntityCertificate/V1")
	refused("without a policy of its own", err, "policy-no-allow", "because no identity-based policy allows the acm-pca:IssueCertificate action")
	_, err = may.RevokeCertificate(t.Context(), &acmpca.RevokeCertificateInput{CertificateAuthorityArn: &ca, CertificateSerial: aws.String("00"), RevocationReason: types.RevocationReasonUnspecified})
	if e := (smithy.APIError)(nil); !errors.As(err, &e) || e.ErrorCode() != "AccessDeniedException" {
		t.Errorf("what is not shared: %v", err)
	}
	_, err = s.pca.DeletePolicy(t.Context(), &acmpca.DeletePolicyInput{ResourceArn: &ca})
	s.must(err)
	_, err = issue(may, "EndEntityCertificate/V1")
	refused("after the policy's end", err, "policy-cross-account", noResource)
}
