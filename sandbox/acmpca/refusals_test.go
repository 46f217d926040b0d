package acmpca_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"maps"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	pca "github.com/aws/aws-sdk-go-v2/service/acmpca"
	"github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"daypass.dev/sandbox/acmpca"
)

func serialOne() *big.Int { return big.NewInt(1) }

func asURIs(t testing.TB, text string) []*url.URL { return []*url.URL{uri(t, text)} }

// A misuse is one call that ends in a refusal.
type misuse struct {
	operation string
	call      func(*stage, string) error // on an active CA of general purpose
}

func issuing(change func(*stage, *pca.IssueCertificateInput)) misuse {
	return misuse{"IssueCertificate", func(s *stage, ca string) error {
		in := pca.IssueCertificateInput{CertificateAuthorityArn: aws.String(ca)}
		change(s, &in)
		_, err := s.issue(in)
		return err
	}}
}

func misuses() map[string][]misuse {
	const gone = "arn:aws:acm-pca:us-east-1:111122223333:certificate-authority/11111111-1111-4111-8111-111111111111"
	report := func(s *stage, ca, bucket string) error {
		_, err := s.pca.CreateCertificateAuthorityAuditReport(s.t.Context(), &pca.CreateCertificateAuthorityAuditReportInput{
			CertificateAuthorityArn: &ca, S3BucketName: &bucket, AuditReportResponseFormat: types.AuditReportResponseFormatCsv,
		})
		return err
	}
	imports := func(s *stage, ca string, cert []byte) error {
		_, err := s.pca.ImportCertificateAuthorityCertificate(s.t.Context(), &pca.ImportCertificateAuthorityCertificateInput{CertificateAuthorityArn: &ca, Certificate: cert})
		return err
	}
	revokes := func(s *stage, ca, serial string) error {
		_, err := s.pca.RevokeCertificate(s.t.Context(), &pca.RevokeCertificateInput{CertificateAuthorityArn: &ca, CertificateSerial: &serial, RevocationReason: types.RevocationReasonUnspecified})
		return err
	}
	creates := func(s *stage, c *types.CertificateAuthorityConfiguration) error {
		_, err := s.pca.CreateCertificateAuthority(s.t.Context(), &pca.CreateCertificateAuthorityInput{CertificateAuthorityConfiguration: c, CertificateAuthorityType: types.CertificateAuthorityTypeRoot})
		return err
	}
	certificate := func(s *stage, ca string) string {
		out, err := s.pca.GetCertificateAuthorityCertificate(s.t.Context(), &pca.GetCertificateAuthorityCertificateInput{CertificateAuthorityArn: &ca})
		s.must(err)
		return *out.Certificate
	}
	return map[string][]misuse{
		"pca-token": {issuing(func(_ *stage, in *pca.IssueCertificateInput) {
			in.IdempotencyToken = aws.String(strings.Repeat("x", 37))
		})},
		"pca-parameter": {
			{"RevokeCertificate", func(s *stage, ca string) error { return revokes(s, ca, "not hexadecimal") }},
		},
		"pca-arn": {issuing(func(_ *stage, in *pca.IssueCertificateInput) {
			in.CertificateAuthorityArn = aws.String("arn:aws:iam::111122223333:role/x")
		})},
		"pca-missing": {
			issuing(func(_ *stage, in *pca.IssueCertificateInput) { in.CertificateAuthorityArn = aws.String(gone) }),
			issuing(func(_ *stage, in *pca.IssueCertificateInput) {
				in.CertificateAuthorityArn = aws.String(strings.Replace(gone, "us-east-1", "eu-west-1", 1))
			}),
		},
		"pca-state": {
			issuing(func(s *stage, in *pca.IssueCertificateInput) {
				_, err := s.pca.UpdateCertificateAuthority(s.t.Context(), &pca.UpdateCertificateAuthorityInput{
					CertificateAuthorityArn: in.CertificateAuthorityArn, Status: types.CertificateAuthorityStatusDisabled})
				s.must(err)
			}),
			issuing(func(s *stage, in *pca.IssueCertificateInput) {
				in.CertificateAuthorityArn = aws.String(s.pending(pca.CreateCertificateAuthorityInput{}))
			}),
			issuing(func(s *stage, _ *pca.IssueCertificateInput) { s.World.Advance(11 * 365 * 24 * time.Hour) }),
			{"DeleteCertificateAuthority", func(s *stage, ca string) error {
				_, err := s.pca.DeleteCertificateAuthority(s.t.Context(), &pca.DeleteCertificateAuthorityInput{CertificateAuthorityArn: &ca})
				return err
			}},
		},
		"pca-in-progress": {{"GetCertificate", func(s *stage, ca string) error {
			arn, err := s.issue(pca.IssueCertificateInput{CertificateAuthorityArn: &ca})
			s.must(err)
			s.World.Advance(-time.Hour) // it is not ready for an hour
			_, err = s.pca.GetCertificate(s.t.Context(), &pca.GetCertificateInput{CertificateAuthorityArn: &ca, CertificateArn: &arn})
			return err
		}}},
		"pca-subject": {{"CreateCertificateAuthority", func(s *stage, _ string) error {
			return creates(s, caConfiguration(types.KeyAlgorithmEcPrime256v1, types.SigningAlgorithmSha256withecdsa, strings.Repeat("x", 65)))
		}}},
		"pca-key-algorithm": {{"CreateCertificateAuthority", func(s *stage, _ string) error {
			return creates(s, caConfiguration(types.KeyAlgorithmSm2, types.SigningAlgorithmSm3withsm2, "x"))
		}}},
		"pca-signing-algorithm": {
			issuing(func(_ *stage, in *pca.IssueCertificateInput) {
				in.SigningAlgorithm = types.SigningAlgorithmSha256withrsa
			}),
			{"CreateCertificateAuthority", func(s *stage, _ string) error {
				return creates(s, caConfiguration(types.KeyAlgorithmEcPrime256v1, types.SigningAlgorithmSha256withrsa, "x"))
			}},
		},
		"pca-template": {
			issuing(func(_ *stage, in *pca.IssueCertificateInput) { in.TemplateArn = templateARN("Nonsense/V1") }),
			issuing(func(_ *stage, in *pca.IssueCertificateInput) { in.TemplateArn = templateARN("RootCACertificate/V1") }),
		},
		"pca-template-passthrough": {issuing(func(_ *stage, in *pca.IssueCertificateInput) {
			in.ApiPassthrough = &types.ApiPassthrough{Subject: &types.ASN1Subject{CommonName: aws.String("x")}}
		})},
		"pca-csr": {
			issuing(func(_ *stage, in *pca.IssueCertificateInput) { in.Csr = []byte("hello") }),
			issuing(func(s *stage, in *pca.IssueCertificateInput) {
				in.Csr = tampered(s.t, request(s.t, newKey(s.t), &x509.CertificateRequest{Subject: pkix.Name{CommonName: "alice"}}))
			}),
		},
		"pca-csr-key": {
			issuing(func(s *stage, in *pca.IssueCertificateInput) {
				_, key, err := ed25519.GenerateKey(rand.Reader)
				s.must(err)
				in.Csr = request(s.t, key, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "alice"}})
			}),
			issuing(func(s *stage, in *pca.IssueCertificateInput) {
				key, err := rsa.GenerateKey(rand.Reader, 1024)
				s.must(err)
				in.Csr = request(s.t, key, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "alice"}})
			}),
		},
		"pca-csr-name": {issuing(func(s *stage, in *pca.IssueCertificateInput) {
			in.Csr = request(s.t, newKey(s.t), &x509.CertificateRequest{})
		})},
		"pca-end": {
			issuing(func(_ *stage, in *pca.IssueCertificateInput) {
				in.Validity = &types.Validity{Type: types.ValidityPeriodTypeAbsolute, Value: aws.Int64(1000)}
			}),
			issuing(func(_ *stage, in *pca.IssueCertificateInput) {
				in.Validity = &types.Validity{Type: types.ValidityPeriodTypeEndDate, Value: aws.Int64(20261399000000)}
			}),
			issuing(func(_ *stage, in *pca.IssueCertificateInput) { in.Validity = days(0) }),
		},
		"pca-short-lived": {issuing(func(s *stage, in *pca.IssueCertificateInput) {
			in.CertificateAuthorityArn = aws.String(s.root(pca.CreateCertificateAuthorityInput{UsageMode: types.CertificateAuthorityUsageModeShortLivedCertificate}))
			in.Validity = days(8)
		})},
		"pca-beyond-ca": {issuing(func(_ *stage, in *pca.IssueCertificateInput) { in.Validity = days(11 * 365) })},
		"pca-path-length": {issuing(func(s *stage, in *pca.IssueCertificateInput) {
			below := s.pending(pca.CreateCertificateAuthorityInput{CertificateAuthorityType: types.CertificateAuthorityTypeSubordinate})
			s.activate(below, *in.CertificateAuthorityArn, "SubordinateCACertificate_PathLen0/V1")
			in.CertificateAuthorityArn, in.TemplateArn = &below, templateARN("SubordinateCACertificate_PathLen0/V1")
		})},
		"pca-import": {
			{"ImportCertificateAuthorityCertificate", func(s *stage, ca string) error { return imports(s, ca, []byte("hello")) }},
			{"ImportCertificateAuthorityCertificate", func(s *stage, ca string) error {
				below := s.pending(pca.CreateCertificateAuthorityInput{CertificateAuthorityType: types.CertificateAuthorityTypeSubordinate})
				arn, err := s.issue(pca.IssueCertificateInput{CertificateAuthorityArn: &ca, Csr: s.csr(below), TemplateArn: templateARN("SubordinateCACertificate_PathLen0/V1")})
				s.must(err)
				cert, _ := s.get(ca, arn)
				return imports(s, below, []byte(cert)) // without its chain
			}},
		},
		"pca-import-mismatch": {{"ImportCertificateAuthorityCertificate", func(s *stage, ca string) error {
			other := s.pending(pca.CreateCertificateAuthorityInput{})
			s.csr(other) // until it is there
			return imports(s, other, []byte(certificate(s, ca)))
		}}},
		"pca-certificate-missing": {
			{"RevokeCertificate", func(s *stage, ca string) error { return revokes(s, ca, "00:11") }},
			{"GetCertificate", func(s *stage, ca string) error {
				_, err := s.pca.GetCertificate(s.t.Context(), &pca.GetCertificateInput{CertificateAuthorityArn: &ca, CertificateArn: aws.String(ca + "/certificate/00")})
				return err
			}},
		},
		"pca-revoked-already": {{"RevokeCertificate", func(s *stage, ca string) error {
			leaf := s.leaf(pca.IssueCertificateInput{CertificateAuthorityArn: &ca})
			s.must(revokes(s, ca, leaf.SerialNumber.Text(16)))
			return revokes(s, ca, leaf.SerialNumber.Text(16))
		}}},
		"pca-revoke-self": {{"RevokeCertificate", func(s *stage, ca string) error {
			return revokes(s, ca, parse(s.t, certificate(s, ca)).SerialNumber.Text(16))
		}}},
		"pca-bucket": {
			{"CreateCertificateAuthorityAuditReport", func(s *stage, ca string) error { return report(s, ca, "nowhere") }},
			{"CreateCertificateAuthority", func(s *stage, _ string) error {
				_, err := s.pca.CreateCertificateAuthority(s.t.Context(), &pca.CreateCertificateAuthorityInput{
					CertificateAuthorityConfiguration: caConfiguration(types.KeyAlgorithmEcPrime256v1, types.SigningAlgorithmSha256withecdsa, "x"),
					CertificateAuthorityType:          types.CertificateAuthorityTypeRoot,
					RevocationConfiguration: &types.RevocationConfiguration{CrlConfiguration: &types.CrlConfiguration{
						Enabled: aws.Bool(true), ExpirationInDays: aws.Int32(7), S3BucketName: aws.String("nowhere")}},
				})
				return err
			}},
		},
		"pca-report-recent": {{"CreateCertificateAuthorityAuditReport", func(s *stage, ca string) error {
			s.bucket("reports")
			s.must(report(s, ca, "reports"))
			return report(s, ca, "reports")
		}}},
		"pca-policy": {{"PutPolicy", func(s *stage, ca string) error {
			_, err := s.pca.PutPolicy(s.t.Context(), &pca.PutPolicyInput{ResourceArn: &ca, Policy: aws.String("{}")})
			return err
		}}},
		"pca-policy-missing": {{"GetPolicy", func(s *stage, ca string) error {
			_, err := s.pca.GetPolicy(s.t.Context(), &pca.GetPolicyInput{ResourceArn: &ca})
			return err
		}}},
		"operation-not-built": {
			{"CreatePermission", func(s *stage, ca string) error {
				_, err := s.pca.CreatePermission(s.t.Context(), &pca.CreatePermissionInput{
					CertificateAuthorityArn: &ca, Principal: aws.String("acm.amazonaws.com"), Actions: []types.ActionType{types.ActionTypeIssueCertificate}})
				return err
			}},
		},
	}
}

func tampered(t testing.TB, csr []byte) []byte {
	t.Helper()
	key := newKey(t)
	other := request(t, key, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "mallo"}})
	// The last line of the base64 holds the end of the signature.
	a, b := strings.Split(string(csr), "\n"), strings.Split(string(other), "\n")
	a[len(a)-4] = b[len(b)-4]
	return []byte(strings.Join(a, "\n"))
}

func TestEveryRuleRefuses(t *testing.T) {
	all := misuses()
	for _, slug := range acmpca.Rules() {
		if len(all[slug]) == 0 {
			t.Errorf("no row for %s", slug)
		}
	}
	for _, slug := range slices.Sorted(maps.Keys(all)) {
		t.Run(slug, func(t *testing.T) {
			t.Parallel()
			if !slices.Contains(acmpca.Rules(), slug) {
				t.Fatal("it is no rule")
			}
			for _, m := range all[slug] {
				s := newStage(t)
				ca := s.root(pca.CreateCertificateAuthorityInput{})
				s.refused(m.operation, slug, m.call(s, ca))
			}
		})
	}
}

// The template of story 01's issuer role: what it may issue with, and nothing
// else; the refusal names the condition key.
func TestTemplateCondition(t *testing.T) {
	s := newStage(t)
	ca := s.root(pca.CreateCertificateAuthorityInput{})
	users := iam.NewFromConfig(s.Config())
	_, err := users.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("issuer")})
	s.must(err)
	_, err = users.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: aws.String("issuer"), PolicyName: aws.String("issue"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"acm-pca:IssueCertificate","Resource":"` + ca + `",
		 "Condition":{"StringEquals":{"acm-pca:TemplateArn":"arn:aws:acm-pca:::template/EndEntityCertificate/V1"}}}]}`)})
	s.must(err)
	key, err := users.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: aws.String("issuer")})
	s.must(err)
	as := &stage{s.Sandbox, t, pca.NewFromConfig(s.ConfigFor(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey, ""))}
	_, err = as.issue(pca.IssueCertificateInput{CertificateAuthorityArn: &ca})
	s.must(err)
	_, err = as.issue(pca.IssueCertificateInput{CertificateAuthorityArn: &ca, TemplateArn: templateARN("EndEntityClientAuthCertificate/V1")})
	as.refused("IssueCertificate", "policy-condition", err)
	if d := s.Last(t, "IssueCertificate"); !strings.Contains(d.Detail+d.Mend, "acm-pca:TemplateArn") {
		t.Errorf("the decision says %q, %q", d.Detail, d.Mend)
	}
}
