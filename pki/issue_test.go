package pki

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

func newTestCA(t *testing.T) CA {
	t.Helper()
	ca, err := NewCA(p256(), pkix.Name{CommonName: "ca"}, 365*24*time.Hour, noon)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func testLeaf(key crypto.PublicKey) Leaf {
	return Leaf{Subject: pkix.Name{CommonName: "web"}, URI: "spiffe://example.org/web",
		DNSNames: []string{"web.example.org"}, PublicKey: key, Lifetime: time.Hour}
}

func TestWhatIsIssuedBreaksNoRule(t *testing.T) {
	for _, kind := range KeyTypes() {
		t.Run(kind, func(t *testing.T) {
			caKey, err := NewKey(kind)
			if err != nil {
				t.Fatal(err)
			}
			ca, err := NewCA(caKey, pkix.Name{CommonName: "ca"}, 365*24*time.Hour, noon)
			if err != nil {
				t.Fatal(err)
			}
			key := caKey // RSA 4096 takes seconds to make: the CA's own serves as well
			c, err := ca.Issue(testLeaf(key.Public()), noon)
			if err != nil {
				t.Fatal(err)
			}
			e := Evidence{Leaf: c, Key: key.Public(), Anchors: []*x509.Certificate{ca.Certificate}, Bundle: EncodeCertificate(ca.Certificate)}
			for _, f := range Check(e, noon) {
				if f.Verdict != Pass {
					t.Errorf("%s on %s: %s: %s", f.Rule, f.On, f.Verdict, f.Detail)
				}
			}
		})
	}
	if _, err := NewKey("ed25519"); err == nil {
		t.Error("made an Ed25519 key")
	}
}

func TestTheProfileOfALeaf(t *testing.T) {
	ca := newTestCA(t)
	c, err := ca.Issue(testLeaf(p256().Public()), noon)
	if err != nil {
		t.Fatal(err)
	}
	if c.IsCA || !c.BasicConstraintsValid || c.KeyUsage != x509.KeyUsageDigitalSignature ||
		!slices.Equal(c.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) {
		t.Errorf("CA %v (%v), usage %b, extended %v", c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage)
	}
	for _, ext := range c.Extensions {
		if id := ext.Id; (id.Equal(oidKeyUsage) || id.Equal(oidBasicConstraints)) && !ext.Critical {
			t.Errorf("extension %s is not critical", id)
		}
	}
	if !slices.Equal(c.AuthorityKeyId, ca.Certificate.SubjectKeyId) || len(c.SubjectKeyId) != 20 {
		t.Errorf("key ids: authority %x, subject %x, the CA's %x", c.AuthorityKeyId, c.SubjectKeyId, ca.Certificate.SubjectKeyId)
	}
	if want := noon.Add(time.Hour); !c.NotAfter.Equal(want) || !c.NotBefore.Equal(noon.Add(-backdate)) {
		t.Errorf("valid from %s to %s", c.NotBefore, c.NotAfter)
	}
}

func TestSerialNumbersAreLongAndDiffer(t *testing.T) {
	seen := map[string]bool{}
	longest := 0
	for range 100 {
		n := newSerial()
		if seen[n.String()] || n.Sign() <= 0 {
			t.Fatalf("serial number %s", n)
		}
		seen[n.String()] = true
		longest = max(longest, n.BitLen())
	}
	if longest < 120 || longest > 128 {
		t.Errorf("the longest of 100 serial numbers has %d bits", longest)
	}
}

func TestACAThatBreaksARuleIssuesNothing(t *testing.T) {
	for _, row := range []struct {
		name, slug string
		change     func(*x509.Certificate)
	}{
		{"no keyCertSign", "ca-key-usage", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }},
		{"no CA", "ca-basic-constraints", func(c *x509.Certificate) { c.IsCA = false }},
		{"expired", "ca-expired", func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Hour) }},
		{"nameConstraints against the leaf", "ca-name-constraints", func(c *x509.Certificate) { c.PermittedURIDomains = []string{"example.com"} }},
	} {
		f := root("ca", row.change)
		_, err := CA{Certificate: f.cert, Signer: f.key}.Issue(testLeaf(p256().Public()), noon)
		var refused *RefusedError
		if !errors.As(err, &refused) || refused.Slug != row.slug {
			t.Errorf("%s: %v, want %s", row.name, err, row.slug)
		}
	}
	f := root("ca", nil)
	err := CA{Certificate: f.cert, Signer: p256()}.Check(noon)
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Slug != "key-mismatch" {
		t.Errorf("another key: %v", err)
	}
}

func TestCRL(t *testing.T) {
	ca := newTestCA(t)
	at := noon.Add(-time.Hour)
	text, err := ca.CRL([]Revoked{{big.NewInt(0x1abc), at}}, 7, noon, noon.Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "X509 CRL" || len(rest) != 0 {
		t.Fatalf("not one PEM block X509 CRL: %q", text)
	}
	list, err := x509.ParseRevocationList(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := list.CheckSignatureFrom(ca.Certificate); err != nil {
		t.Error(err)
	}
	if list.Number.Int64() != 7 || !list.ThisUpdate.Equal(noon) || !list.NextUpdate.Equal(noon.Add(24*time.Hour)) {
		t.Errorf("number %s, from %s to %s", list.Number, list.ThisUpdate, list.NextUpdate)
	}
	if e := list.RevokedCertificateEntries; len(e) != 1 || e[0].SerialNumber.Int64() != 0x1abc || !e[0].RevocationTime.Equal(at) {
		t.Errorf("entries %v", e)
	}
	var refused *RefusedError
	if _, err := (CA{Certificate: ca.Certificate, Signer: must(NewKey("ec-p256"))}).CRL(nil, 8, noon, noon.Add(time.Hour)); !errors.As(err, &refused) || refused.Slug != "key-mismatch" {
		t.Errorf("signed by another key: %v", err)
	}
	if _, err := ca.CRL(nil, 8, noon, noon); err == nil {
		t.Error("signed a list that ends when it begins")
	}
}

func TestACAWithoutCRLSignSaysSo(t *testing.T) {
	f := root("ca", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	_, err := CA{Certificate: f.cert, Signer: f.key}.CRL(nil, 1, noon, noon.Add(time.Hour))
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Slug != "ca-crl-sign" || !strings.Contains(err.Error(), "lacks cRLSign") {
		t.Errorf("got %v", err)
	}
}

func TestACAWithoutSubjectKeyIDCanRevoke(t *testing.T) {
	rsaCA := (&forger{}).ca("rsa", rsa2048(), nil)
	bare := rsaCA.resigned(rsaCA, oidSHA256RSA, crypto.SHA256, func(t *tbs) {
		t.Extensions = slices.DeleteFunc(t.Extensions, func(e pkix.Extension) bool { return e.Id.String() == "2.5.29.14" })
	})
	if len(bare.cert.SubjectKeyId) != 0 {
		t.Fatal("the CA has a key id")
	}
	if _, err := (CA{Certificate: bare.cert, Signer: bare.key}).CRL(nil, 1, noon, noon.Add(time.Hour)); err != nil {
		t.Error(err)
	}
}
