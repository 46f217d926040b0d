package acmpca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // of key identifiers, as RFC 5280 describes them
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"strings"
	"time"

	"daypass.dev/policy"
	"daypass.dev/sandbox/world"
)

// maxShortLived is the longest life of what a CA in short-lived mode issues,
// its own root certificate excepted (User Guide, "CA modes").
const maxShortLived = 7 * 24 * time.Hour

// early is how far back a certificate's validity begins if the caller does not
// say (API reference, ValidityNotBefore).
const early = time.Hour

type validity struct {
	Type  string
	Value int64
}

type issueInput struct {
	named
	Csr              []byte
	SigningAlgorithm string
	TemplateArn      string
	Validity         *validity
	NotBefore        *validity `json:"ValidityNotBefore"`
	IdempotencyToken string
	ApiPassthrough   *passthrough
}

func issue(q *request) (any, error) {
	var in issueInput
	if err := q.read(&in); err != nil {
		return nil, err
	}
	if in.TemplateArn == "" {
		in.TemplateArn = "arn:" + world.PartitionOf(q.Region) + templateName + "EndEntityCertificate/V1"
	}
	ctx := policy.Context{"acm-pca:TemplateArn": {List: []string{in.TemplateArn}}}
	if err := q.allowed(in.CertificateAuthorityArn, ctx); err != nil {
		return nil, err
	}
	if err := checkARN(in.CertificateAuthorityArn); err != nil {
		return nil, err
	}
	if len(in.IdempotencyToken) > 36 {
		return nil, faultf("pca-token", "IdempotencyToken has %d characters, more than 36", len(in.IdempotencyToken))
	}
	t, err := templateOf(in.TemplateArn)
	if err != nil {
		return nil, err
	}
	if in.ApiPassthrough != nil && !t.fromAPI {
		return nil, faultf("pca-template-passthrough", "%s takes no ApiPassthrough", t.name)
	}
	csr, err := parseCSR(in.Csr)
	if err != nil {
		return nil, err
	}
	q.World.Lock()
	defer q.World.Unlock()
	owner, ca, err := q.find(in.CertificateAuthorityArn)
	if err != nil {
		return nil, err
	}
	if arn := q.repeated(owner, ca, in.IdempotencyToken); arn != "" {
		return map[string]string{"CertificateArn": arn}, nil
	}
	made, err := q.certify(ca, &in, t, csr)
	if err != nil {
		return nil, err
	}
	owner.PrivateCertificates[made.ID] = made
	q.Changed(world.Thing{Kind: "private-certificate", Account: owner.ID, Name: made.ID})
	return map[string]string{"CertificateArn": made.ARN}, nil
}

// repeated finds the certificate that the same token has asked for. That AWS
// does not compare the other parameters is unchecked.
func (q *request) repeated(owner *world.Account, ca *world.PrivateCA, token string) string {
	if token == "" {
		return ""
	}
	for _, c := range owner.PrivateCertificates {
		if c.CA == ca.ARN && c.Token == token && q.Time.Sub(c.Issued) < tokenLife {
			return c.ARN
		}
	}
	return ""
}

func parseCSR(text []byte) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode(text)
	if block == nil || !strings.HasSuffix(block.Type, "CERTIFICATE REQUEST") {
		return nil, faultf("pca-csr", "there is no PEM block CERTIFICATE REQUEST")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, faultf("pca-csr", "%v", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, faultf("pca-csr", "its signature: %v", err)
	}
	switch key := csr.PublicKey.(type) {
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < 2048 || n > 4096 {
			return nil, faultf("pca-csr-key", "an RSA key of %d bits", n)
		}
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() && key.Curve != elliptic.P384() && key.Curve != elliptic.P521() {
			return nil, faultf("pca-csr-key", "a key on %s", key.Curve.Params().Name)
		}
	default:
		return nil, faultf("pca-csr-key", "a key of kind %s", csr.PublicKeyAlgorithm)
	}
	return csr, nil
}

// certify makes the certificate. It needs the world's lock.
func (q *request) certify(ca *world.PrivateCA, in *issueInput, t template, csr *x509.CertificateRequest) (*world.PrivateCertificate, error) {
	parent, err := q.issuer(ca, t, csr)
	if err != nil {
		return nil, err
	}
	key, err := keyOf(ca)
	if err != nil {
		return nil, err
	}
	c := &x509.Certificate{RawSubject: csr.RawSubject, SerialNumber: serial()}
	if in.ApiPassthrough != nil && in.ApiPassthrough.Subject != nil {
		if c.RawSubject, err = in.ApiPassthrough.Subject.encode(); err != nil {
			return nil, err
		}
	}
	if c.SignatureAlgorithm, err = signatureAlgorithm(in.SigningAlgorithm, key.Public()); err != nil {
		return nil, err
	}
	if c.NotBefore, c.NotAfter, err = q.period(ca, in, t, parent); err != nil {
		return nil, err
	}
	if c.ExtraExtensions, err = extensions(t, in.ApiPassthrough, csr); err != nil {
		return nil, err
	}
	if nameless(c) {
		return nil, faultf("pca-csr-name", "the CSR has neither, nor does ApiPassthrough")
	}
	if e, ok := crlPoint(ca); ok && !t.self {
		c.ExtraExtensions = append(c.ExtraExtensions, e)
	}
	id := sha1.Sum(keyBits(csr))
	c.SubjectKeyId = id[:]
	if parent == nil {
		parent = &x509.Certificate{RawSubject: c.RawSubject, PublicKey: key.Public()}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, csr.PublicKey, key)
	if err != nil {
		return nil, faultf("pca-csr", "%v", err)
	}
	return q.issued(ca, t, in, der)
}

func (q *request) issued(ca *world.PrivateCA, t template, in *issueInput, der []byte) (*world.PrivateCertificate, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, faultf("pca-csr", "%v", err)
	}
	name := hex.EncodeToString(c.SerialNumber.Bytes())
	made := &world.PrivateCertificate{
		ID: ca.ID + "/" + name, ARN: ca.ARN + "/certificate/" + name, CA: ca.ARN,
		PEM:      string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		Template: in.TemplateArn, Issued: q.Time, Ready: q.Time.Add(issuing),
		Subject: c.Subject.String(), Serial: name, NotBefore: c.NotBefore, NotAfter: c.NotAfter,
		Token: in.IdempotencyToken,
	}
	if !t.self {
		made.Chain = ca.Certificate + ca.Chain
	}
	return made, nil
}

// issuer is the CA's certificate; nil where the CA certifies itself, which a
// root does before it is active.
func (q *request) issuer(ca *world.PrivateCA, t template, csr *x509.CertificateRequest) (*x509.Certificate, error) {
	s := status(ca, q.Time)
	if t.self {
		block, _ := pem.Decode([]byte(ca.CSR))
		own, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil {
			return nil, err
		}
		if ca.Type != root || !bytes.Equal(own.RawSubjectPublicKeyInfo, csr.RawSubjectPublicKeyInfo) {
			return nil, faultf("pca-template", "%s is for a root CA's own CSR", t.name)
		}
		if s != pending && s != active {
			return nil, faultf("pca-state", "%s is %s", ca.ARN, s)
		}
		return nil, nil
	}
	if s != active {
		return nil, faultf("pca-state", "%s is %s", ca.ARN, s)
	}
	parent := certificateOf(ca)
	if most, bounded := parent.MaxPathLen, parent.MaxPathLen > 0 || parent.MaxPathLenZero; t.isCA && bounded && t.pathLen >= most {
		return nil, faultf("pca-path-length", "%s from a CA of path length %d", t.name, most)
	}
	return parent, nil
}

// period is when the certificate is valid.
func (q *request) period(ca *world.PrivateCA, in *issueInput, t template, parent *x509.Certificate) (from, to time.Time, err error) {
	from = q.Time.Add(-early)
	if in.NotBefore != nil {
		if in.NotBefore.Type != "ABSOLUTE" {
			return from, to, faultf("pca-end", "ValidityNotBefore is of type %q, not ABSOLUTE", in.NotBefore.Type)
		}
		from = time.Unix(in.NotBefore.Value, 0)
	}
	if to, err = in.Validity.end(q.Time); err != nil {
		return from, to, err
	}
	from, to = from.UTC().Truncate(time.Second), to.UTC().Truncate(time.Second)
	switch {
	case !to.After(q.Time) || !to.After(from):
		err = faultf("pca-end", "it would end at %s", to)
	case ca.UsageMode == shortLived && !t.self && to.Sub(q.Time) > maxShortLived:
		err = faultf("pca-short-lived", "it would end in %s", to.Sub(q.Time).Round(time.Minute))
	case parent != nil && to.After(parent.NotAfter):
		err = faultf("pca-beyond-ca", "it would end at %s, the CA's certificate at %s", to, parent.NotAfter)
	}
	return from, to, err
}

func (v *validity) end(now time.Time) (time.Time, error) {
	if v == nil || v.Value < 1 {
		return time.Time{}, faultf("pca-end", "Validity is missing, or less than 1")
	}
	const longest = 1 << 20 // keeps sums of dates dates
	n := int(min(v.Value, longest))
	switch v.Type {
	case "DAYS":
		return now.AddDate(0, 0, n), nil
	case "MONTHS":
		return now.AddDate(0, n, 0), nil
	case "YEARS":
		return now.AddDate(n, 0, 0), nil
	case "ABSOLUTE":
		return time.Unix(v.Value, 0), nil
	case "END_DATE": // YYYYMMDDHHMMSS
		return endDate(v.Value)
	}
	return time.Time{}, faultf("pca-end", "Validity is of type %q", v.Type)
}

func endDate(value int64) (time.Time, error) {
	at, err := time.Parse("20060102150405", big.NewInt(value).String())
	if err != nil {
		return at, faultf("pca-end", "END_DATE is %d, not YYYYMMDDHHMMSS", value)
	}
	return at, nil
}

func nameless(c *x509.Certificate) bool {
	for _, e := range c.ExtraExtensions {
		if e.Id.Equal(oidAltName) {
			return false
		}
	}
	return len(c.RawSubject) <= 2 // an empty SEQUENCE
}

// serial is a random number of 16 bytes that does not begin with zero, so that
// its hexadecimal form has always 32 digits.
func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b)
}
