package acmpca_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acmpca"
	"github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// An operator's way from nothing to a leaf, for each kind of key, in both
// modes, from a root and from a CA below it.
func TestARootACAAndALeaf(t *testing.T) {
	s := newStage(t)
	for _, k := range []struct {
		key  types.KeyAlgorithm
		sign types.SigningAlgorithm
		mode types.CertificateAuthorityUsageMode
	}{
		{types.KeyAlgorithmRsa2048, types.SigningAlgorithmSha256withrsa, types.CertificateAuthorityUsageModeShortLivedCertificate},
		{types.KeyAlgorithmEcPrime256v1, types.SigningAlgorithmSha256withecdsa, ""},
		{types.KeyAlgorithmEcSecp384r1, types.SigningAlgorithmSha384withecdsa, types.CertificateAuthorityUsageModeGeneralPurpose},
	} {
		t.Run(string(k.key), func(t *testing.T) {
			s := &stage{s.Sandbox, t, s.pca}
			root := s.root(acmpca.CreateCertificateAuthorityInput{CertificateAuthorityConfiguration: caConfiguration(k.key, k.sign, "Root"), UsageMode: k.mode})
			if ca := s.describe(root); ca.Status != types.CertificateAuthorityStatusActive || time.Until(*ca.NotAfter) < 9*365*24*time.Hour {
				t.Fatalf("the root is %s until %v", ca.Status, ca.NotAfter)
			}
			leaf := s.leaf(acmpca.IssueCertificateInput{CertificateAuthorityArn: &root, SigningAlgorithm: k.sign, Validity: days(7)})
			below := root
			if k.mode != types.CertificateAuthorityUsageModeShortLivedCertificate {
				below = s.pending(acmpca.CreateCertificateAuthorityInput{CertificateAuthorityType: types.CertificateAuthorityTypeSubordinate,
					CertificateAuthorityConfiguration: caConfiguration(types.KeyAlgorithmEcPrime256v1, types.SigningAlgorithmSha256withecdsa, "Below")})
				s.activate(below, root, "SubordinateCACertificate_PathLen0/V1")
				leaf = s.leaf(acmpca.IssueCertificateInput{CertificateAuthorityArn: &below})
			}
			s.verifies(leaf, root, below)
		})
	}
}

// verifies builds the chain with crypto/x509 from what the API gives.
func (s *stage) verifies(leaf *x509.Certificate, root, below string) {
	s.t.Helper()
	opts := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, c := range []struct {
		arn  string
		pool *x509.CertPool
	}{{root, opts.Roots}, {below, opts.Intermediates}} {
		out, err := s.pca.GetCertificateAuthorityCertificate(s.t.Context(), &acmpca.GetCertificateAuthorityCertificateInput{CertificateAuthorityArn: aws.String(c.arn)})
		s.must(err)
		c.pool.AppendCertsFromPEM([]byte(*out.Certificate))
	}
	if _, err := leaf.Verify(opts); err != nil {
		s.t.Error(err)
	}
	if leaf.IsCA || leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 || leaf.Subject.CommonName != "alice" {
		s.t.Errorf("the leaf is %v, CA %v, usages %b", leaf.Subject, leaf.IsCA, leaf.KeyUsage)
	}
	if back := time.Since(leaf.NotBefore); back < time.Hour-time.Minute || back > time.Hour+time.Minute {
		s.t.Errorf("the leaf is valid since %s", back)
	}
}

// Every template that AWS lists, and what it makes of a CSR that asks for more.
func TestTemplates(t *testing.T) {
	s := newStage(t)
	ca := s.root(acmpca.CreateCertificateAuthorityInput{})
	const signs, both = x509.KeyUsageDigitalSignature, x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	client, server := x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth
	type want struct {
		usage    x509.KeyUsage
		extended []x509.ExtKeyUsage
		isCA     bool
		pathLen  int
	}
	wants := map[string]want{
		"EndEntityCertificate":           {both, []x509.ExtKeyUsage{server, client}, false, 0},
		"EndEntityClientAuthCertificate": {both, []x509.ExtKeyUsage{client}, false, 0},
		"EndEntityServerAuthCertificate": {both, []x509.ExtKeyUsage{server}, false, 0},
		"CodeSigningCertificate":         {signs, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, false, 0},
		"OCSPSigningCertificate":         {signs, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}, false, 0},
		// Blank ones hold what the CSR asks for, if it may.
		"BlankEndEntityCertificate":                          {signs, []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}, false, 0},
		"BlankEndEntityCertificate_CriticalBasicConstraints": {signs, []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}, false, 0},
	}
	certifies := x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	for n := range 4 {
		wants[fmt.Sprintf("SubordinateCACertificate_PathLen%d", n)] = want{certifies, nil, true, n}
		wants[fmt.Sprintf("BlankSubordinateCACertificate_PathLen%d", n)] = want{signs, []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}, true, n}
	}
	tried := 0
	for name, w := range wants {
		for _, suffix := range []string{"", "_CSRPassthrough", "_APIPassthrough", "_APICSRPassthrough"} {
			blank := strings.HasPrefix(name, "Blank")
			if suffix == "" && blank {
				continue
			}
			tried++
			fromCSR := strings.HasSuffix(suffix, "CSRPassthrough")
			c := s.leaf(acmpca.IssueCertificateInput{CertificateAuthorityArn: &ca, TemplateArn: templateARN(name + suffix + "/V1"), Csr: greedy(t)})
			expect := w
			if blank && !fromCSR {
				expect.usage, expect.extended = 0, nil
			}
			if name == "SubordinateCACertificate_PathLen"+name[len(name)-1:] && fromCSR {
				expect.extended = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
			}
			if c.KeyUsage != expect.usage || !slices.Equal(c.ExtKeyUsage, expect.extended) || c.IsCA != expect.isCA || expect.isCA && c.MaxPathLen != expect.pathLen {
				t.Errorf("%s%s: usage %b %v, CA %v %d; want %+v", name, suffix, c.KeyUsage, c.ExtKeyUsage, c.IsCA, c.MaxPathLen, expect)
			}
			if len(c.URIs) != 1 || c.Subject.CommonName != "greedy" || !c.BasicConstraintsValid {
				t.Errorf("%s%s: URIs %v, subject %v", name, suffix, c.URIs, c.Subject)
			}
		}
	}
	if tried < 40 {
		t.Errorf("%d templates were tried", tried)
	}
}

// greedy is a CSR that asks for usages, a SAN, and to be a CA.
func greedy(t testing.TB) []byte {
	t.Helper()
	extension := func(c *x509.Certificate) []pkix.Extension {
		ca, key := newKey(t), newKey(t)
		c.SerialNumber = serialOne()
		der, err := x509.CreateCertificate(nil, c, c, key.Public(), ca)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return parsed.Extensions
	}
	return request(t, newKey(t), &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "greedy"},
		ExtraExtensions: extension(&x509.Certificate{
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
			URIs: asURIs(t, "spiffe://example.org/ns/a/sa/b"),
		}),
	})
}

func TestAPIPassthrough(t *testing.T) {
	s := newStage(t)
	ca := s.root(acmpca.CreateCertificateAuthorityInput{})
	c := s.leaf(acmpca.IssueCertificateInput{
		CertificateAuthorityArn: &ca, TemplateArn: templateARN("BlankEndEntityCertificate_APIPassthrough/V1"),
		ApiPassthrough: &types.ApiPassthrough{
			Subject: &types.ASN1Subject{CommonName: aws.String("given"), CustomAttributes: nil, SerialNumber: aws.String("7")},
			Extensions: &types.Extensions{
				KeyUsage:         &types.KeyUsage{DigitalSignature: true, DecipherOnly: true, KeyAgreement: true},
				ExtendedKeyUsage: []types.ExtendedKeyUsage{{ExtendedKeyUsageType: types.ExtendedKeyUsageTypeClientAuth}, {ExtendedKeyUsageObjectIdentifier: aws.String("1.2.3.4")}},
				SubjectAlternativeNames: []types.GeneralName{{UniformResourceIdentifier: aws.String("spiffe://a/b")}, {DnsName: aws.String("a.example")},
					{IpAddress: aws.String("10.0.0.1")}, {Rfc822Name: aws.String("a@b.example")}, {DirectoryName: &types.ASN1Subject{CommonName: aws.String("d")}}},
				CustomExtensions: []types.CustomExtension{{ObjectIdentifier: aws.String("1.2.3.5"), Value: aws.String("BQA="), Critical: aws.Bool(true)}},
			},
		},
	})
	want := x509.KeyUsageDigitalSignature | x509.KeyUsageDecipherOnly | x509.KeyUsageKeyAgreement
	if c.Subject.CommonName != "given" || c.Subject.SerialNumber != "7" || c.KeyUsage != want || len(c.ExtKeyUsage) != 1 || len(c.UnknownExtKeyUsage) != 1 {
		t.Errorf("subject %v, usages %b %v %v", c.Subject, c.KeyUsage, c.ExtKeyUsage, c.UnknownExtKeyUsage)
	}
	if len(c.URIs) != 1 || len(c.DNSNames) != 1 || len(c.IPAddresses) != 1 || len(c.EmailAddresses) != 1 || len(c.UnhandledCriticalExtensions) != 1 {
		t.Errorf("URIs %v, names %v, addresses %v %v, critical %v", c.URIs, c.DNSNames, c.IPAddresses, c.EmailAddresses, c.UnhandledCriticalExtensions)
	}
}

// One certificate for one token, for five minutes.
func TestIdempotency(t *testing.T) {
	s := newStage(t)
	ca := s.root(acmpca.CreateCertificateAuthorityInput{})
	csr := request(t, newKey(t), &x509.CertificateRequest{Subject: pkix.Name{CommonName: "alice"}})
	once := func(token string) string {
		arn, err := s.issue(acmpca.IssueCertificateInput{CertificateAuthorityArn: &ca, Csr: csr, IdempotencyToken: aws.String(token)})
		s.must(err)
		return arn
	}
	first := once("a")
	if again := once("a"); again != first {
		t.Errorf("the same token has made %s after %s", again, first)
	}
	if other := once("b"); other == first {
		t.Error("another token has found the first certificate")
	}
	s.World.Advance(5*time.Minute + time.Second)
	if later := once("a"); later == first {
		t.Error("the token lives on after five minutes")
	}
	in := acmpca.CreateCertificateAuthorityInput{IdempotencyToken: aws.String("ca")}
	if a, b := s.pending(in), s.pending(in); a != b {
		t.Errorf("the same token has made CAs %s and %s", a, b)
	}
}

func TestRevocationAndReport(t *testing.T) {
	s := newStage(t)
	store := s.bucket("pca-crl")
	ca := s.root(acmpca.CreateCertificateAuthorityInput{RevocationConfiguration: &types.RevocationConfiguration{
		CrlConfiguration: &types.CrlConfiguration{Enabled: aws.Bool(true), ExpirationInDays: aws.Int32(7), S3BucketName: aws.String("pca-crl")},
	}})
	bad := s.leaf(acmpca.IssueCertificateInput{CertificateAuthorityArn: &ca})
	good := s.leaf(acmpca.IssueCertificateInput{CertificateAuthorityArn: &ca})
	id := ca[strings.LastIndexByte(ca, '/')+1:]
	if want := "http://pca-crl.s3.us-east-1.amazonaws.com/crl/" + id + ".crl"; !slices.Equal(bad.CRLDistributionPoints, []string{want}) {
		t.Errorf("the distribution points are %v, not %s", bad.CRLDistributionPoints, want)
	}
	_, err := s.pca.RevokeCertificate(t.Context(), &acmpca.RevokeCertificateInput{
		CertificateAuthorityArn: &ca, CertificateSerial: aws.String(bad.SerialNumber.Text(16)), RevocationReason: types.RevocationReasonKeyCompromise,
	})
	s.must(err)
	list, err := x509.ParseRevocationList(s.object(store, "pca-crl", "crl/"+id+".crl"))
	s.must(err)
	out, err := s.pca.GetCertificateAuthorityCertificate(t.Context(), &acmpca.GetCertificateAuthorityCertificateInput{CertificateAuthorityArn: &ca})
	s.must(err)
	s.must(list.CheckSignatureFrom(parse(t, *out.Certificate)))
	if e := list.RevokedCertificateEntries; len(e) != 1 || e[0].SerialNumber.Cmp(bad.SerialNumber) != 0 || e[0].ReasonCode != 1 {
		t.Errorf("the list holds %+v", e)
	}

	report, err := s.pca.CreateCertificateAuthorityAuditReport(t.Context(), &acmpca.CreateCertificateAuthorityAuditReportInput{
		CertificateAuthorityArn: &ca, S3BucketName: aws.String("pca-crl"), AuditReportResponseFormat: types.AuditReportResponseFormatJson,
	})
	s.must(err)
	shown, err := s.pca.DescribeCertificateAuthorityAuditReport(t.Context(), &acmpca.DescribeCertificateAuthorityAuditReportInput{
		CertificateAuthorityArn: &ca, AuditReportId: report.AuditReportId,
	})
	s.must(err)
	if shown.AuditReportStatus != types.AuditReportStatusSuccess || *shown.S3Key != *report.S3Key {
		t.Errorf("the report is %+v", shown)
	}
	var rows []map[string]string
	s.must(json.Unmarshal(s.object(store, "pca-crl", *report.S3Key), &rows))
	revoked := 0
	for _, r := range rows {
		if r["revokedAt"] != "" && strings.ReplaceAll(r["serial"], ":", "") == bad.SerialNumber.Text(16) && r["revocationReason"] == "KEY_COMPROMISE" {
			revoked++
		}
	}
	if len(rows) != 3 || revoked != 1 { // the root's own, too
		t.Errorf("the report has %d rows, %d of them revoked: %v", len(rows), revoked, rows)
	}
	if good.SerialNumber.Cmp(bad.SerialNumber) == 0 {
		t.Error("two certificates have one serial")
	}
	_, err = store.DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: aws.String("pca-crl")})
	s.must(err)
	_, err = s.pca.RevokeCertificate(t.Context(), &acmpca.RevokeCertificateInput{
		CertificateAuthorityArn: &ca, CertificateSerial: aws.String(good.SerialNumber.Text(16)), RevocationReason: types.RevocationReasonSuperseded,
	})
	s.refused("RevokeCertificate", "pca-bucket", err)
}
