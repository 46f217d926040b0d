package doctor

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acmpca"
	pca "github.com/aws/aws-sdk-go-v2/service/acmpca/types"

	"daypass.dev/pki"
)

// request is a certificate request in DER, asPEM in PEM.
func request(c *caller, key crypto.Signer, of x509.CertificateRequest) []byte {
	c.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &of, key)
	c.must(nil, err)
	return der
}

func asPEM(request []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request})
}

// csr asks for a certificate of that name, by a key.
func csr(c *caller, key crypto.Signer, name string) []byte {
	c.Helper()
	return asPEM(request(c, key, x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}))
}

func days(n int64) *pca.Validity {
	return &pca.Validity{Type: pca.ValidityPeriodTypeDays, Value: &n}
}

func template(name string) *string { return aws.String("arn:aws:acm-pca:::template/" + name) }

func private(c *caller) *acmpca.Client { return acmpca.NewFromConfig(c.admin) }

// issue asks the CA c.made for a certificate of a day; change may be nil.
func issue(c *caller, change func(*acmpca.IssueCertificateInput)) (string, error) {
	c.Helper()
	in := &acmpca.IssueCertificateInput{CertificateAuthorityArn: &c.made, SigningAlgorithm: pca.SigningAlgorithmSha256withecdsa, Validity: days(1)}
	if change != nil {
		change(in)
	}
	if in.Csr == nil {
		in.Csr = csr(c, newKey(c), "web@shop")
	}
	out, err := private(c).IssueCertificate(c.Context(), in)
	if err != nil {
		return "", err
	}
	return *out.CertificateArn, nil
}

// certificateOf waits for one.
func certificateOf(c *caller, arn string) (certificate, serial string) {
	c.Helper()
	c.box.World.Advance(time.Second)
	got, err := private(c).GetCertificate(c.Context(), &acmpca.GetCertificateInput{CertificateAuthorityArn: &c.made, CertificateArn: &arn})
	c.must(nil, err)
	return *got.Certificate, serialOf(c, *got.Certificate)
}

func serialOf(c *caller, certificate string) string {
	c.Helper()
	parsed, err := pki.ParseCertificates([]byte(certificate))
	c.must(nil, err)
	return parsed[0].SerialNumber.Text(16)
}

func newCA(c *caller, kind pca.CertificateAuthorityType, change func(*pca.CertificateAuthorityConfiguration)) (*string, error) {
	c.Helper()
	of := &pca.CertificateAuthorityConfiguration{
		KeyAlgorithm: pca.KeyAlgorithmEcPrime256v1, SigningAlgorithm: pca.SigningAlgorithmSha256withecdsa, Subject: &pca.ASN1Subject{CommonName: aws.String("Below")},
	}
	if change != nil {
		change(of)
	}
	out, err := private(c).CreateCertificateAuthority(c.Context(), &acmpca.CreateCertificateAuthorityInput{CertificateAuthorityType: kind, CertificateAuthorityConfiguration: of})
	if err != nil {
		return nil, err
	}
	c.box.World.Advance(time.Second)
	return out.CertificateAuthorityArn, nil
}

// below makes a CA below c.made that waits for its certificate, and the
// certificate; chain is c.made's.
func below(c *caller) (arn *string, certificate, chain string) {
	c.Helper()
	arn, err := newCA(c, pca.CertificateAuthorityTypeSubordinate, nil)
	c.must(nil, err)
	asks, err := private(c).GetCertificateAuthorityCsr(c.Context(), &acmpca.GetCertificateAuthorityCsrInput{CertificateAuthorityArn: arn})
	c.must(nil, err)
	made, err := issue(c, func(in *acmpca.IssueCertificateInput) {
		in.Csr, in.TemplateArn, in.Validity = []byte(*asks.Csr), template("SubordinateCACertificate_PathLen0/V1"), days(30)
	})
	c.must(nil, err)
	certificate, _ = certificateOf(c, made)
	own, err := private(c).GetCertificateAuthorityCertificate(c.Context(), &acmpca.GetCertificateAuthorityCertificateInput{CertificateAuthorityArn: &c.made})
	c.must(nil, err)
	return arn, certificate, *own.Certificate
}

func imports(c *caller, arn *string, certificate, chain string) error {
	in := &acmpca.ImportCertificateAuthorityCertificateInput{CertificateAuthorityArn: arn, Certificate: []byte(certificate)}
	if chain != "" {
		in.CertificateChain = []byte(chain)
	}
	return only(private(c).ImportCertificateAuthorityCertificate(c.Context(), in))
}

// authorityRefusals: AWS Private CA, of an active root, whose ARN is c.made.
func authorityRefusals() []refusal {
	return after(func(c *caller) { c.made = c.box.PrivateCA(c, "") }, append(issuanceRefusals(), caRefusals()...))
}

// issuanceRefusals: what is wrong with a certificate that is asked for.
func issuanceRefusals() []refusal {
	asking := func(change func(*caller, *acmpca.IssueCertificateInput)) func(*caller) error {
		return func(c *caller) error {
			return only(issue(c, func(in *acmpca.IssueCertificateInput) { change(c, in) }))
		}
	}
	right := asking(func(*caller, *acmpca.IssueCertificateInput) {})
	asks := func(slug string, change func(*caller, *acmpca.IssueCertificateInput)) refusal {
		return refusal{slug: slug, call: asking(change), instead: right}
	}
	lasting := func(v *pca.Validity) func(*caller, *acmpca.IssueCertificateInput) {
		return func(_ *caller, in *acmpca.IssueCertificateInput) { in.Validity = v }
	}
	of := func(arn func(string) string) func(*caller, *acmpca.IssueCertificateInput) {
		return func(c *caller, in *acmpca.IssueCertificateInput) {
			in.CertificateAuthorityArn = aws.String(arn(c.made))
		}
	}
	short := func(c *caller) string {
		return c.box.PrivateCA(c, pca.CertificateAuthorityUsageModeShortLivedCertificate)
	}
	return []refusal{
		asks("pca-arn", of(func(string) string { return roleARN })),
		asks("pca-missing", of(func(arn string) string { return arn[:len(arn)-4] + "0000" })),
		asks("pca-token", func(_ *caller, in *acmpca.IssueCertificateInput) {
			in.IdempotencyToken = aws.String(strings.Repeat("x", 37))
		}),
		asks("pca-signing-algorithm", func(_ *caller, in *acmpca.IssueCertificateInput) {
			in.SigningAlgorithm = pca.SigningAlgorithmSha256withrsa
		}),
		asks("pca-template", func(_ *caller, in *acmpca.IssueCertificateInput) { in.TemplateArn = template("Nonsense/V1") }),
		asks("pca-template-passthrough", func(_ *caller, in *acmpca.IssueCertificateInput) {
			in.ApiPassthrough = &pca.ApiPassthrough{Subject: &pca.ASN1Subject{CommonName: aws.String("x")}}
		}),
		asks("pca-csr", func(_ *caller, in *acmpca.IssueCertificateInput) { in.Csr = []byte("hello") }),
		asks("pca-csr-key", func(c *caller, in *acmpca.IssueCertificateInput) {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			c.must(nil, err)
			in.Csr = csr(c, key, "web@shop")
		}),
		asks("pca-csr-name", func(c *caller, in *acmpca.IssueCertificateInput) { in.Csr = csr(c, newKey(c), "") }),
		asks("pca-end", lasting(&pca.Validity{Type: pca.ValidityPeriodTypeAbsolute, Value: aws.Int64(1000)})),
		asks("pca-beyond-ca", lasting(days(11*365))),
		{slug: "pca-short-lived",
			call: func(c *caller) error {
				c.made = short(c)
				return asking(lasting(days(8)))(c)
			},
			instead: asking(lasting(&pca.Validity{Type: pca.ValidityPeriodTypeDays, Value: aws.Int64(7)}))},
		{slug: "pca-path-length", call: func(c *caller) error {
			arn, certificate, chain := below(c)
			c.must(nil, imports(c, arn, certificate, chain))
			return asking(func(_ *caller, in *acmpca.IssueCertificateInput) {
				in.CertificateAuthorityArn, in.TemplateArn = arn, template("SubordinateCACertificate_PathLen0/V1")
			})(c)
		}, instead: asking(func(_ *caller, in *acmpca.IssueCertificateInput) {
			in.TemplateArn = template("SubordinateCACertificate_PathLen0/V1")
		})},
	}
}

// caRefusals: what is wrong with the CA, or with what is asked of it.
func caRefusals() []refusal {
	status := func(c *caller, to pca.CertificateAuthorityStatus) {
		c.must(private(c).UpdateCertificateAuthority(c.Context(), &acmpca.UpdateCertificateAuthorityInput{CertificateAuthorityArn: &c.made, Status: to}))
	}
	creates := func(change func(*pca.CertificateAuthorityConfiguration)) func(*caller) error {
		return func(c *caller) error { return only(newCA(c, pca.CertificateAuthorityTypeRoot, change)) }
	}
	named := func(length int) func(*caller) error {
		return creates(func(of *pca.CertificateAuthorityConfiguration) {
			of.Subject.CommonName = aws.String(strings.Repeat("x", length))
		})
	}
	keyed := func(key pca.KeyAlgorithm, sign pca.SigningAlgorithm) func(*caller) error {
		return creates(func(of *pca.CertificateAuthorityConfiguration) { of.KeyAlgorithm, of.SigningAlgorithm = key, sign })
	}
	revoke := func(c *caller, serial string) error {
		return only(private(c).RevokeCertificate(c.Context(), &acmpca.RevokeCertificateInput{CertificateAuthorityArn: &c.made, CertificateSerial: &serial, RevocationReason: pca.RevocationReasonUnspecified}))
	}
	revokes := func(c *caller) error {
		made, err := issue(c, nil)
		c.must(nil, err)
		_, serial := certificateOf(c, made)
		return revoke(c, serial)
	}
	report := func(c *caller) error { // whose clock is the world's
		return c.send(wire{method: "POST", target: "/", service: "acm-pca",
			header: map[string]string{"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "ACMPrivateCA.CreateCertificateAuthorityAuditReport"},
			body:   `{"CertificateAuthorityArn":"` + c.made + `","S3BucketName":"reports","AuditReportResponseFormat":"CSV"}`}, nil)
	}
	bucket := func(c *caller) {
		c.must(nil, c.send(wire{method: "PUT", target: "/reports", service: "s3"}, nil))
		c.must(nil, c.send(wire{method: "PUT", target: "/reports?policy", service: "s3", body: `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"Service":"acm-pca.amazonaws.com"},"Action":"s3:GetBucketAcl","Resource":"arn:aws:s3:::reports"},
			{"Effect":"Allow","Principal":{"Service":"acm-pca.amazonaws.com"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::reports/*"}]}`}, nil))
	}
	share := func(c *caller, text string) error {
		return only(private(c).PutPolicy(c.Context(), &acmpca.PutPolicyInput{ResourceArn: &c.made, Policy: aws.String(strings.ReplaceAll(text, "CA", c.made))}))
	}
	const shared = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"` + elsewhere + `"},"Action":["acm-pca:DescribeCertificateAuthority","acm-pca:GetCertificate","acm-pca:GetCertificateAuthorityCertificate","acm-pca:ListPermissions","acm-pca:ListTags"],"Resource":"CA"},
		{"Effect":"Allow","Principal":{"AWS":"` + elsewhere + `"},"Action":"acm-pca:IssueCertificate","Resource":"CA","Condition":{"StringEquals":{"acm-pca:TemplateArn":"arn:aws:acm-pca:::template/EndEntityCertificate/V1"}}}]}`
	get := func(c *caller) error {
		return only(private(c).GetPolicy(c.Context(), &acmpca.GetPolicyInput{ResourceArn: &c.made}))
	}
	var made string
	certificate := func(c *caller) error {
		if made == "" {
			arn, err := issue(c, nil)
			c.must(nil, err)
			made = arn
			c.box.World.Advance(-10 * time.Minute) // so that it is not ready for as long
		}
		return only(private(c).GetCertificate(c.Context(), &acmpca.GetCertificateInput{CertificateAuthorityArn: &c.made, CertificateArn: &made}))
	}
	return []refusal{
		{slug: "pca-state", call: func(c *caller) error { status(c, pca.CertificateAuthorityStatusDisabled); return only(issue(c, nil)) },
			instead: func(c *caller) error { status(c, pca.CertificateAuthorityStatusActive); return only(issue(c, nil)) }},
		{slug: "pca-in-progress", call: certificate, mend: func(c *caller) { c.box.World.Advance(10*time.Minute + time.Second) }},
		{slug: "pca-subject", call: named(65), instead: named(64)},
		{slug: "pca-key-algorithm", call: keyed(pca.KeyAlgorithmSm2, pca.SigningAlgorithmSm3withsm2), instead: keyed(pca.KeyAlgorithmEcSecp384r1, pca.SigningAlgorithmSha384withecdsa)},
		{slug: "pca-import", call: func(c *caller) error {
			arn, certificate, _ := below(c)
			return imports(c, arn, certificate, "")
		}, instead: whole},
		{slug: "pca-import-mismatch", call: func(c *caller) error {
			arn, _, chain := below(c)
			return imports(c, arn, chain, chain)
		}, instead: whole},
		{slug: "pca-parameter", call: func(c *caller) error { return revoke(c, "no number") }, instead: revokes},
		{slug: "pca-certificate-missing", call: func(c *caller) error { return revoke(c, "00:11") }, instead: revokes},
		{slug: "pca-revoked-already", call: func(c *caller) error {
			made, err := issue(c, nil)
			c.must(nil, err)
			_, serial := certificateOf(c, made)
			c.must(nil, revoke(c, serial))
			return revoke(c, serial)
		}, final: "nothing is left to do, as it says"},
		{slug: "pca-revoke-self", call: func(c *caller) error {
			own, err := private(c).GetCertificateAuthorityCertificate(c.Context(), &acmpca.GetCertificateAuthorityCertificateInput{CertificateAuthorityArn: &c.made})
			c.must(nil, err)
			return revoke(c, serialOf(c, *own.Certificate))
		}, instead: func(c *caller) error {
			status(c, pca.CertificateAuthorityStatusDisabled)
			return only(private(c).DeleteCertificateAuthority(c.Context(), &acmpca.DeleteCertificateAuthorityInput{CertificateAuthorityArn: &c.made}))
		}},
		{slug: "pca-bucket", call: report, mend: bucket},
		{slug: "pca-report-recent", call: func(c *caller) error { bucket(c); c.must(nil, report(c)); return report(c) },
			instead: func(c *caller) error { c.box.World.Advance(30 * time.Minute); return report(c) }},
		{slug: "pca-policy", call: func(c *caller) error { return share(c, "{}") }, instead: func(c *caller) error { return share(c, shared) }},
		{slug: "pca-policy-missing", call: get, mend: func(c *caller) { c.must(nil, share(c, shared)) }},
		{slug: "pca-share-template", record: "policy-condition",
			call: func(c *caller) error {
				c.must(nil, share(c, shared))
				return only(issue(c.as(c.away), func(in *acmpca.IssueCertificateInput) { in.TemplateArn = template("EndEntityClientAuthCertificate/V1") }))
			},
			instead: func(c *caller) error {
				return only(issue(c.as(c.away), func(in *acmpca.IssueCertificateInput) { in.TemplateArn = template("EndEntityCertificate/V1") }))
			}},
	}
}

// whole is all that it takes to make a CA below c.made.
func whole(c *caller) error {
	arn, certificate, chain := below(c)
	return imports(c, arn, certificate, chain)
}
