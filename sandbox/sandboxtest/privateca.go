package sandboxtest

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acmpca"
	"github.com/aws/aws-sdk-go-v2/service/acmpca/types"
)

// PrivateCA makes an active root CA of ten years in AWS Private CA, by the calls
// that its administrator makes, and returns its ARN. An empty mode is
// GENERAL_PURPOSE. The world's clock goes on by two seconds, so that nobody
// waits for what AWS takes its time for.
func (s *Sandbox) PrivateCA(t testing.TB, mode types.CertificateAuthorityUsageMode) string {
	t.Helper()
	c, ctx := acmpca.NewFromConfig(s.Config()), t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	made, err := c.CreateCertificateAuthority(ctx, &acmpca.CreateCertificateAuthorityInput{
		CertificateAuthorityType: types.CertificateAuthorityTypeRoot, UsageMode: mode,
		CertificateAuthorityConfiguration: &types.CertificateAuthorityConfiguration{
			KeyAlgorithm: types.KeyAlgorithmEcPrime256v1, SigningAlgorithm: types.SigningAlgorithmSha256withecdsa,
			Subject: &types.ASN1Subject{Organization: aws.String("Example"), CommonName: aws.String("Private CA")},
		},
	})
	must(err)
	ca := made.CertificateAuthorityArn
	s.World.Advance(time.Second)
	request, err := c.GetCertificateAuthorityCsr(ctx, &acmpca.GetCertificateAuthorityCsrInput{CertificateAuthorityArn: ca})
	must(err)
	issued, err := c.IssueCertificate(ctx, &acmpca.IssueCertificateInput{
		CertificateAuthorityArn: ca, Csr: []byte(*request.Csr), SigningAlgorithm: types.SigningAlgorithmSha256withecdsa,
		TemplateArn: aws.String("arn:aws:acm-pca:::template/RootCACertificate/V1"),
		Validity:    &types.Validity{Type: types.ValidityPeriodTypeYears, Value: aws.Int64(10)},
	})
	must(err)
	s.World.Advance(time.Second)
	got, err := c.GetCertificate(ctx, &acmpca.GetCertificateInput{CertificateAuthorityArn: ca, CertificateArn: issued.CertificateArn})
	must(err)
	_, err = c.ImportCertificateAuthorityCertificate(ctx, &acmpca.ImportCertificateAuthorityCertificateInput{
		CertificateAuthorityArn: ca, Certificate: []byte(*got.Certificate),
	})
	must(err)
	return *ca
}
