package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

// A ruleRow is evidence with every finding in it that is not a pass.
type ruleRow struct {
	name string
	e    Evidence
	want []string // "slug verdict on", in the order of the report
}

func leafRow(name string, change func(*x509.Certificate), want ...string) ruleRow {
	ca := root("ca", nil)
	return ruleRow{name, evidence(ca.leaf(change), ca), want}
}

func caRow(name string, change func(*x509.Certificate), want ...string) ruleRow {
	ca := root("ca", change)
	return ruleRow{name, evidence(ca.leaf(nil), ca), want}
}

func leafRows() []ruleRow {
	rsaCA := (&forger{}).ca("rsa", rsa2048(), nil)
	plain := rsaCA.leaf(nil)
	ca := root("ca", nil)
	keyed := func(key crypto.Signer) *forger {
		return ca.issue(&x509.Certificate{
			SerialNumber: serial(), Subject: pkix.Name{CommonName: "web"}, NotBefore: noon, NotAfter: noon.Add(time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}, key, nil)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	mldsa := plain.resigned(rsaCA, oidSHA256RSA, crypto.SHA256, func(t *tbs) { t.PublicKey = mldsaKey() })
	self := (&forger{}).leaf(nil)
	mismatched := evidence(ca.leaf(nil), ca)
	mismatched.Key = p256().Public()
	return []ruleRow{
		{"version 1", evidence(plain.resigned(rsaCA, oidSHA256RSA, crypto.SHA256, func(t *tbs) { t.Version, t.Extensions = 0, nil }), rsaCA),
			[]string{"leaf-version fail leaf", "leaf-key-usage fail leaf", "leaf-client-auth warn leaf"}},
		{"SHA-1", evidence(plain.resigned(rsaCA, oidSHA1RSA, crypto.SHA1, nil), rsaCA),
			[]string{"leaf-signature-algorithm fail leaf", "ca-name-constraints skip chain"}},
		{"MD5", evidence(plain.resigned(rsaCA, oidMD5RSA, crypto.MD5, nil), rsaCA),
			[]string{"leaf-signature-algorithm fail leaf", "chain-signature skip chain", "ca-name-constraints skip chain"}},
		{"signed with ML-DSA", evidence(plain.resigned(rsaCA, oidMLDSA65, 0, nil), rsaCA),
			[]string{"leaf-signature-algorithm warn leaf", "chain-signature skip chain", "ca-name-constraints skip chain"}},
		{"signed with an algorithm of nobody", evidence(plain.resigned(rsaCA, oidNobody, 0, nil), rsaCA),
			[]string{"leaf-signature-algorithm fail leaf", "chain-signature skip chain", "ca-name-constraints skip chain"}},
		{"holds an ML-DSA key", Evidence{Leaf: mldsa.cert, Anchors: certs(rsaCA), Bundle: EncodeCertificate(rsaCA.cert)},
			[]string{"leaf-key-type warn leaf", "key-mismatch skip key"}},
		leafRow("a CA", func(c *x509.Certificate) { c.IsCA = true }, "leaf-ca fail leaf"),
		leafRow("no basicConstraints", func(c *x509.Certificate) { c.BasicConstraintsValid = false }),
		leafRow("keyEncipherment only", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }, "leaf-key-usage fail leaf"),
		leafRow("no keyUsage", func(c *x509.Certificate) { c.KeyUsage = 0 }, "leaf-key-usage fail leaf"),
		leafRow("empty Subject", func(c *x509.Certificate) {
			c.Subject = pkix.Name{}
			c.URIs = append(c.URIs, uri("spiffe://example.org/web"))
		}, "leaf-subject-empty fail leaf", "leaf-source-identity warn leaf"),
		{"long serial number", evidence(plain.resigned(rsaCA, oidSHA256RSA, crypto.SHA256, func(t *tbs) {
			t.Serial = new(big.Int).Lsh(big.NewInt(1), 170)
		}), rsaCA), []string{"leaf-serial fail leaf"}},
		{"Ed25519", evidence(keyed(edwards), ca), []string{"leaf-key-type fail leaf"}},
		{"P-224", evidence(keyed(must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))), ca), []string{"leaf-key-type fail leaf"}},
		{"RSA 1024", evidence(keyed(must(rsa.GenerateKey(rand.Reader, 1024))), ca), []string{"leaf-key-size warn leaf"}},
		{"RSA 2048", evidence(keyed(rsa2048()), ca), nil},
		leafRow("from tomorrow", func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = noon.Add(24*time.Hour), noon.Add(25*time.Hour)
		}, "leaf-not-yet-valid fail leaf"),
		leafRow("until yesterday", func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = noon.Add(-25*time.Hour), noon.Add(-24*time.Hour)
		}, "leaf-expired fail leaf"),
		leafRow("31 days", func(c *x509.Certificate) { c.NotAfter = c.NotBefore.AddDate(0, 0, 31) }, "leaf-lifetime warn leaf"),
		leafRow("30 days", func(c *x509.Certificate) { c.NotAfter = c.NotBefore.AddDate(0, 0, 30) }),
		leafRow("no extendedKeyUsage", func(c *x509.Certificate) { c.ExtKeyUsage = nil }, "leaf-client-auth warn leaf"),
		leafRow("serverAuth", func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}, "leaf-client-auth warn leaf"),
		leafRow("any extendedKeyUsage", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }),
		{"is the anchor", Evidence{Leaf: self.cert, Key: self.key.Public(), Anchors: certs(self)}, []string{
			"anchor-bundle skip anchor", "ca-basic-constraints fail anchor", "ca-key-usage fail anchor", "ca-expires-soon warn anchor",
			"ca-crl-sign warn anchor", "leaf-is-anchor fail leaf"}},
		{"another key", mismatched, []string{"key-mismatch fail key"}},
	}
}

func nameRows() []ruleRow {
	subject := func(values ...pkix.AttributeTypeAndValue) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.Subject = pkix.Name{ExtraNames: values} }
	}
	cn := func(v string) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: v}
	}
	ou := func(v string) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 11}, Value: v}
	}
	return []ruleRow{
		leafRow("no common name", subject(ou("ops")), "leaf-source-identity warn leaf"),
		leafRow("61 characters", subject(cn(strings.Repeat("é", 61)))),
		leafRow("62 characters", subject(cn(strings.Repeat("é", 62))), "leaf-source-identity warn leaf"),
		leafRow("64 characters", subject(cn(strings.Repeat("a", 64))), "leaf-source-identity warn leaf"),
		leafRow("65 characters", subject(cn(strings.Repeat("a", 65))), "leaf-source-identity warn leaf"),
		leafRow("a space", subject(cn("my container"))),
		leafRow("an asterisk", subject(cn("web*")), "leaf-source-identity warn leaf", "leaf-tags-dropped warn leaf"),
		leafRow("an OU that is dropped", subject(cn("web"), ou("r&d")), "leaf-tags-dropped warn leaf"),
		leafRow("an OU too long", subject(cn("web"), ou(strings.Repeat("a", 257))), "leaf-tags-dropped warn leaf"),
		leafRow("two OUs", subject(cn("web"), ou("a"), ou("b")), "leaf-repeated-names warn leaf"),
		leafRow("a repeated common name", subject(cn("victim"), cn("web")), "leaf-repeated-names warn leaf"),
		leafRow("two URIs", func(c *x509.Certificate) {
			c.URIs = append(c.URIs, uri("spiffe://example.org/victim"), uri("spiffe://example.org/web"))
		}, "leaf-several-sans warn leaf"),
		leafRow("two DNS names", func(c *x509.Certificate) { c.DNSNames = []string{"a.example.org", "b.example.org"} },
			"leaf-several-sans warn leaf"),
		leafRow("one of each", func(c *x509.Certificate) {
			c.DNSNames, c.URIs = []string{"a.example.org"}, append(c.URIs, uri("spiffe://example.org/web"))
		}),
	}
}

func caRows() []ruleRow {
	rsaCA := (&forger{}).ca("rsa", rsa2048(), nil)
	v1 := rsaCA.resigned(rsaCA, oidSHA256RSA, crypto.SHA256, func(t *tbs) { t.Version, t.Extensions = 0, nil })
	sha1 := rsaCA.resigned(rsaCA, oidSHA1RSA, crypto.SHA1, nil)
	small := (&forger{}).ca("small", must(rsa.GenerateKey(rand.Reader, 1024)), nil)
	p224 := (&forger{}).ca("p224", must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader)), nil)
	ca, next, third := root("ca", nil), root("ca", nil), root("other", nil)
	old := root("ca", func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Hour) })
	future := root("ca", func(c *x509.Certificate) { c.NotBefore = noon.Add(time.Hour) })
	with := func(anchors ...*forger) Evidence {
		e := evidence(ca.leaf(nil), ca)
		e.Anchors = certs(anchors...)
		e.Bundle = nil
		for _, a := range anchors {
			e.Bundle = append(e.Bundle, EncodeCertificate(a.cert)...)
		}
		return e
	}
	long, keyed := with(ca), with(ca)
	long.Bundle = append(bytes.Repeat([]byte("# our CA\n"), 900), long.Bundle...)
	keyed.Bundle = append(keyed.Bundle, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})...)
	return []ruleRow{
		{"version 1", evidence(rsaCA.leaf(nil), v1), []string{
			"ca-version fail anchor", "ca-basic-constraints fail anchor", "ca-key-usage fail anchor", "ca-crl-sign warn anchor"}},
		{"SHA-1", evidence(rsaCA.leaf(nil), sha1), []string{"ca-signature-algorithm fail anchor"}},
		{"RSA 1024", evidence(small.leaf(nil), small), []string{"ca-key-type warn anchor"}},
		{"P-224", evidence(p224.leaf(nil), p224), []string{"ca-key-type fail anchor"}},
		caRow("CA:FALSE", func(c *x509.Certificate) { c.IsCA = false }, "ca-basic-constraints fail anchor"),
		caRow("no basicConstraints", func(c *x509.Certificate) { c.BasicConstraintsValid, c.IsCA = false, false }, "ca-basic-constraints fail anchor"),
		caRow("no keyCertSign", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }, "ca-key-usage fail anchor"),
		caRow("no cRLSign", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign }, "ca-crl-sign warn anchor"),
		caRow("from tomorrow", func(c *x509.Certificate) { c.NotBefore = noon.Add(24 * time.Hour) }, "ca-not-yet-valid fail anchor"),
		caRow("until yesterday", func(c *x509.Certificate) { c.NotAfter = noon.Add(-24 * time.Hour) },
			"ca-expired fail anchor", "ca-expires-soon skip anchor"),
		caRow("for 44 days", func(c *x509.Certificate) { c.NotAfter = noon.AddDate(0, 0, 44) }, "ca-expires-soon warn anchor"),
		{"an old CA beside the path", with(old, ca), []string{"ca-expired warn anchor 1", "ca-expires-soon skip anchor 1"}},
		{"a future CA beside the path", with(ca, future), []string{"ca-not-yet-valid warn anchor 2"}},
		{"two anchors of one name", with(next, ca), nil},
		{"three anchors", with(ca, next, third), []string{"anchor-bundle-size fail anchor"}},
		{"more than 8000 characters", long, []string{"anchor-bundle-size fail anchor"}},
		{"a private key in the bundle", keyed, []string{"anchor-bundle fail anchor"}},
	}
}

func chainRows() []ruleRow {
	top := root("top", nil)
	middle := top.ca("middle", p256(), nil)
	low := middle.ca("low", p256(), nil)
	leaf := low.leaf(nil)
	chained := func(leaf, anchor *forger, sent ...*forger) Evidence {
		e := evidence(leaf, anchor)
		e.Intermediates = certs(sent...)
		return e
	}
	var deep []*forger
	last := top
	for i := range 6 {
		last = last.ca(fmt.Sprint("level ", i), p256(), nil)
		deep = append(deep, last)
	}
	shallow := root("top", func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true })
	tooLow := shallow.ca("middle", p256(), nil)
	renewed := shallow.issue(caTemplate("top"), p256(), nil) // issued itself: free
	named := root("ca", func(c *x509.Certificate) { c.PermittedURIDomains = []string{"example.org"} })
	stranger := root("stranger", nil)
	spiffe := func(host string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.URIs = append(c.URIs, uri("spiffe://"+host+"/web")) }
	}
	strange := func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: oidNobody, Critical: true, Value: []byte{5, 0}})
	}
	hold := middle.ca("low", p256(), func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Hour) })
	unsent := []string{"ca-path-length skip chain", "ca-name-constraints skip chain"}
	lost := []string{"ca-path-length skip chain", "ca-name-constraints skip chain", "chain-superfluous skip chain"}
	return []ruleRow{
		{"whole", chained(leaf, top, low, middle), nil},
		{"in the wrong order", chained(leaf, top, middle, low), nil},
		{"to an intermediate as anchor", chained(leaf, middle, low), nil},
		{"expired intermediate", chained(hold.leaf(nil), top, middle, hold), []string{
			"ca-expired fail intermediate 2", "ca-expires-soon skip intermediate 2"}},
		{"intermediate not sent", chained(leaf, top, middle), append([]string{"chain-issuer-missing fail chain", "chain-signature skip chain"}, lost...)},
		{"another root", chained(leaf, stranger, low, middle, top), append([]string{"chain-issuer-missing fail chain"}, lost...)},
		{"another root of the same name", chained(leaf, root("top", nil), low, middle),
			append([]string{"chain-issuer-missing skip chain", "chain-signature fail chain"}, lost...)},
		{"six intermediates", chained(last.leaf(nil), top, deep...), []string{"chain-depth fail chain"}},
		{"five intermediates", chained(deep[4].leaf(nil), top, deep[:5]...), nil},
		{"pathlen 0 and a CA below", chained(tooLow.leaf(nil), shallow, tooLow), []string{"ca-path-length fail chain"}},
		{"pathlen 0 and a renewed self", chained(renewed.leaf(nil), shallow, renewed), nil},
		{"a name that the CA may issue for", chained(named.leaf(spiffe("example.org")), named), nil},
		{"a name that the CA may not issue for", chained(named.leaf(spiffe("example.com")), named), []string{"ca-name-constraints fail chain"}},
		{"critical extension on the leaf", chained(top.leaf(strange), top), []string{"chain-critical-extension fail leaf"}},
		{"critical extension on the anchor", caRow("", strange).e, []string{"chain-critical-extension fail anchor"}},
		{"root and leaf sent too", chained(leaf, top, leaf, low, middle, top), []string{"chain-superfluous warn chain"}},
		{"a stranger sent too", chained(leaf, top, low, stranger, middle), []string{"chain-superfluous warn chain"}},
		{"an expired stranger sent too", chained(leaf, top, low, middle, root("stranger", func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Hour) })),
			[]string{"chain-superfluous warn chain"}},
		{"leaf alone", Evidence{Leaf: leaf.cert}, append(append([]string{"anchor-bundle skip anchor", "anchor-bundle-size skip anchor",
			"ca-version skip CA", "ca-basic-constraints skip CA", "ca-key-usage skip CA", "ca-signature-algorithm skip CA", "ca-key-type skip CA",
			"ca-not-yet-valid skip CA", "ca-expired skip CA", "ca-expires-soon skip CA", "ca-crl-sign skip CA", "leaf-is-anchor skip leaf",
			"key-mismatch skip key", "chain-issuer-missing skip chain", "chain-signature skip chain"}, unsent...), "chain-superfluous skip chain")},
	}
}

func allRows() []ruleRow { return slices.Concat(caRows(), leafRows(), nameRows(), chainRows()) }

func TestRules(t *testing.T) {
	for _, row := range allRows() {
		t.Run(row.name, func(t *testing.T) {
			var got []string
			for _, f := range Check(row.e, noon) {
				if f.Detail == "" {
					t.Errorf("%s says nothing", f.Rule)
				}
				if (f.Verdict == Fail || f.Verdict == Warn) != (f.Mend != "") {
					t.Errorf("%s is %s with the mend %q", f.Rule, f.Verdict, f.Mend)
				}
				if f.Verdict != Pass {
					got = append(got, fmt.Sprintf("%s %s %s", f.Rule, f.Verdict, f.On))
				}
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("got  %q\nwant %q", got, row.want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	if Refused([]Finding{{Verdict: Pass}, {Verdict: Warn}, {Verdict: Skip}}) {
		t.Error("refused without a failure")
	}
	if !Refused([]Finding{{Verdict: Pass}, {Verdict: Fail}}) {
		t.Error("not refused with a failure")
	}
}
