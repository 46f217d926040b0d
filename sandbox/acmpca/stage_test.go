package acmpca_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acmpca"
	"github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"daypass.dev/sandbox/sandboxtest"
)

// A stage is a sandbox with the SDK's client of Private CA, as its
// administrator.
type stage struct {
	*sandboxtest.Sandbox
	t   testing.TB
	pca *acmpca.Client
}

func newStage(t testing.TB) *stage {
	t.Helper()
	s := sandboxtest.Start(t, "")
	return &stage{s, t, acmpca.NewFromConfig(s.Config())}
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func caConfiguration(key types.KeyAlgorithm, sign types.SigningAlgorithm, name string) *types.CertificateAuthorityConfiguration {
	return &types.CertificateAuthorityConfiguration{
		KeyAlgorithm: key, SigningAlgorithm: sign,
		Subject: &types.ASN1Subject{Country: aws.String("US"), Organization: aws.String("Example"), CommonName: aws.String(name)},
	}
}

// pending makes a CA that waits for its certificate.
func (s *stage) pending(in acmpca.CreateCertificateAuthorityInput) string {
	s.t.Helper()
	if in.CertificateAuthorityConfiguration == nil {
		in.CertificateAuthorityConfiguration = caConfiguration(types.KeyAlgorithmEcPrime256v1, types.SigningAlgorithmSha256withecdsa, "Test CA")
	}
	if in.CertificateAuthorityType == "" {
		in.CertificateAuthorityType = types.CertificateAuthorityTypeRoot
	}
	out, err := s.pca.CreateCertificateAuthority(s.t.Context(), &in)
	s.must(err)
	return *out.CertificateAuthorityArn
}

// root makes an active root CA of ten years, by the calls that an operator
// makes.
func (s *stage) root(in acmpca.CreateCertificateAuthorityInput) string {
	s.t.Helper()
	arn := s.pending(in)
	s.activate(arn, arn, "RootCACertificate/V1")
	return arn
}

// activate has a CA's certificate issued by a CA and imports it.
func (s *stage) activate(arn, by, template string) {
	s.t.Helper()
	csr := s.csr(arn)
	out, err := s.issue(acmpca.IssueCertificateInput{
		CertificateAuthorityArn: aws.String(by), Csr: csr, TemplateArn: templateARN(template), SigningAlgorithm: s.signing(by),
		Validity: &types.Validity{Type: types.ValidityPeriodTypeYears, Value: aws.Int64(map[bool]int64{true: 10, false: 5}[arn == by])},
	})
	s.must(err)
	cert, chain := s.get(by, out)
	in := &acmpca.ImportCertificateAuthorityCertificateInput{CertificateAuthorityArn: aws.String(arn), Certificate: []byte(cert)}
	if chain != "" {
		in.CertificateChain = []byte(chain)
	}
	_, err = s.pca.ImportCertificateAuthorityCertificate(s.t.Context(), in)
	s.must(err)
}

func (s *stage) describe(arn string) *types.CertificateAuthority {
	s.t.Helper()
	out, err := s.pca.DescribeCertificateAuthority(s.t.Context(), &acmpca.DescribeCertificateAuthorityInput{CertificateAuthorityArn: aws.String(arn)})
	s.must(err)
	return out.CertificateAuthority
}

func (s *stage) signing(arn string) types.SigningAlgorithm {
	return s.describe(arn).CertificateAuthorityConfiguration.SigningAlgorithm
}

func (s *stage) csr(arn string) []byte {
	s.t.Helper()
	in := &acmpca.GetCertificateAuthorityCsrInput{CertificateAuthorityArn: aws.String(arn)}
	s.World.Advance(time.Second) // so that nobody waits
	w := acmpca.NewCertificateAuthorityCSRCreatedWaiter(s.pca)
	s.must(w.Wait(s.t.Context(), in, time.Minute))
	out, err := s.pca.GetCertificateAuthorityCsr(s.t.Context(), in)
	s.must(err)
	return []byte(*out.Csr)
}

// issue fills in what a test leaves out and returns the certificate's ARN.
func (s *stage) issue(in acmpca.IssueCertificateInput) (string, error) {
	s.t.Helper()
	if in.Csr == nil {
		in.Csr = request(s.t, newKey(s.t), &x509.CertificateRequest{Subject: pkix.Name{CommonName: "alice"}})
	}
	if in.SigningAlgorithm == "" {
		in.SigningAlgorithm = types.SigningAlgorithmSha256withecdsa
	}
	if in.Validity == nil {
		in.Validity = days(1)
	}
	out, err := s.pca.IssueCertificate(s.t.Context(), &in)
	if err != nil {
		return "", err
	}
	return *out.CertificateArn, nil
}

func days(n int64) *types.Validity {
	return &types.Validity{Type: types.ValidityPeriodTypeDays, Value: aws.Int64(n)}
}

func templateARN(name string) *string { return aws.String("arn:aws:acm-pca:::template/" + name) }

// get waits for a certificate with the SDK's own waiter.
func (s *stage) get(ca, arn string) (certificate, chain string) {
	s.t.Helper()
	in := &acmpca.GetCertificateInput{CertificateAuthorityArn: aws.String(ca), CertificateArn: aws.String(arn)}
	s.World.Advance(time.Second) // so that nobody waits
	w := acmpca.NewCertificateIssuedWaiter(s.pca)
	s.must(w.Wait(s.t.Context(), in, time.Minute))
	out, err := s.pca.GetCertificate(s.t.Context(), in)
	s.must(err)
	return *out.Certificate, aws.ToString(out.CertificateChain)
}

// leaf issues a certificate and parses it.
func (s *stage) leaf(in acmpca.IssueCertificateInput) *x509.Certificate {
	s.t.Helper()
	arn, err := s.issue(in)
	s.must(err)
	text, _ := s.get(*in.CertificateAuthorityArn, arn)
	return parse(s.t, text)
}

func parse(t testing.TB, text string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("no PEM in %q", text)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func request(t testing.TB, key crypto.Signer, r *x509.CertificateRequest) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, r, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

// refused requires an API error of a code, and a decision of a slug.
func (s *stage) refused(operation, slug string, err error) {
	s.t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) {
		s.t.Fatalf("%s: the error is %v, not %s", operation, err, slug)
	}
	if d := s.Last(s.t, operation); d.Reason != slug || d.Code != e.ErrorCode() || d.Detail == "" || d.Mend == "" {
		s.t.Errorf("%s: refused with %s for %s (%s), not for %s", operation, e.ErrorCode(), d.Reason, d.Detail, slug)
	}
}

const bucketPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"acm-pca.amazonaws.com"},
 "Action":["s3:PutObject","s3:GetBucketAcl"],"Resource":["arn:aws:s3:::BUCKET","arn:aws:s3:::BUCKET/*"],
 "Condition":{"StringEquals":{"aws:SourceAccount":"111122223333"}}}]}`

// bucket makes a bucket that Private CA may write into.
func (s *stage) bucket(name string) *s3.Client {
	s.t.Helper()
	c := s3.NewFromConfig(s.Config(), func(o *s3.Options) { o.UsePathStyle = true })
	_, err := c.CreateBucket(s.t.Context(), &s3.CreateBucketInput{Bucket: aws.String(name)})
	s.must(err)
	_, err = c.PutBucketPolicy(s.t.Context(), &s3.PutBucketPolicyInput{
		Bucket: aws.String(name), Policy: aws.String(string(bytes.ReplaceAll([]byte(bucketPolicy), []byte("BUCKET"), []byte(name)))),
	})
	s.must(err)
	return c
}

func (s *stage) object(c *s3.Client, bucket, key string) []byte {
	s.t.Helper()
	out, err := c.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	s.must(err)
	defer out.Body.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(out.Body)
	s.must(err)
	return b.Bytes()
}

func uri(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
