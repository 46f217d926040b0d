package rolesanywhere_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// noon is when the tests' worlds live.
var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// An authority is a CA of the tests.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func caTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(name)) + 1000), Subject: pkix.Name{CommonName: name},
		NotBefore: noon.Add(-24 * time.Hour), NotAfter: noon.Add(24 * time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

func leafTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(0x2a), Subject: pkix.Name{CommonName: name},
		NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
}

// newAuthority makes a root; change may spoil it.
func newAuthority(t testing.TB, name string, change func(*x509.Certificate)) authority {
	t.Helper()
	template, key := caTemplate(name), ecKey(t, elliptic.P256())
	if change != nil {
		change(template)
	}
	return authority{issue(t, template, template, key.Public(), key), key}
}

// below makes an intermediate of ca.
func (ca authority) below(t testing.TB, name string, change func(*x509.Certificate)) authority {
	t.Helper()
	template, key := caTemplate(name), ecKey(t, elliptic.P256())
	if change != nil {
		change(template)
	}
	return authority{issue(t, template, ca.cert, key.Public(), ca.key), key}
}

func (ca authority) issue(t testing.TB, template *x509.Certificate, public any) *x509.Certificate {
	t.Helper()
	return issue(t, template, ca.cert, public, ca.key)
}

func issue(t testing.TB, template, parent *x509.Certificate, public any, signer crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, der)
}

func parse(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// plain is the outline of a certificate that CreateCertificate does not make:
// of version 1, without extensions.
type plain struct {
	Serial    *big.Int
	Algorithm pkix.AlgorithmIdentifier
	Issuer    asn1.RawValue
	Validity  struct{ NotBefore, NotAfter time.Time }
	Subject   asn1.RawValue
	Key       asn1.RawValue
}

// issueV1 makes a certificate of version 1, as openssl x509 -req does when it
// is given no extensions.
func (ca authority) issueV1(t testing.TB, subject pkix.Name, public any) *x509.Certificate {
	t.Helper()
	name, err := asn1.Marshal(subject.ToRDNSequence())
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	sha256ECDSA := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}}
	tbs := plain{
		Serial: big.NewInt(7), Algorithm: sha256ECDSA, Issuer: asn1.RawValue{FullBytes: ca.cert.RawSubject},
		Subject: asn1.RawValue{FullBytes: name}, Key: asn1.RawValue{FullBytes: key},
	}
	tbs.Validity.NotBefore, tbs.Validity.NotAfter = noon.Add(-time.Hour), noon.Add(time.Hour)
	der, err := asn1.Marshal(tbs)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	signature, err := ca.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: der}, sha256ECDSA, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, whole)
}

// crl makes a revocation list of ca, signed with signer's key.
func (ca authority) crl(t testing.TB, signer crypto.Signer, serials ...*big.Int) []byte {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: noon.Add(-time.Hour), NextUpdate: noon.Add(time.Hour)}
	for _, s := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: s, RevocationTime: noon.Add(-time.Minute)})
	}
	// CreateRevocationList refuses what the sandbox must refuse too.
	issuer := *ca.cert
	issuer.KeyUsage |= x509.KeyUsageCRLSign
	issuer.PublicKey = signer.Public()
	der, err := x509.CreateRevocationList(rand.Reader, list, &issuer, signer)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

func pemOf(certs ...*x509.Certificate) string {
	var text []byte
	for _, c := range certs {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return string(text)
}
