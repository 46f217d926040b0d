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
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// A requestRow asks something of a CA; slug is empty where it is granted.
type requestRow struct {
	name string
	slug string
	ask  func() error
}

func request(key crypto.Signer, change func(*x509.CertificateRequest)) []byte {
	t := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "web"}}
	if change != nil {
		change(t)
	}
	der := must(x509.CreateCertificateRequest(rand.Reader, t, key))
	return pem.EncodeToMemory(&pem.Block{Type: blockRequest, Bytes: der})
}

func extension(id asn1.ObjectIdentifier, value any) func(*x509.CertificateRequest) {
	return func(r *x509.CertificateRequest) {
		r.ExtraExtensions = []pkix.Extension{{Id: id, Critical: true, Value: must(asn1.Marshal(value))}}
	}
}

// isCA is the value of basicConstraints.
type isCA struct {
	CA      bool `asn1:"optional"`
	PathLen int  `asn1:"optional,default:-1"`
}

var (
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
)

// corrupted is a request whose signature is by another key.
func corrupted() []byte {
	block, _ := pem.Decode(request(p256(), nil))
	block.Bytes[len(block.Bytes)-1] ^= 1
	return pem.EncodeToMemory(block)
}

func requestRows() []requestRow {
	key := p256()
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	weak := must(rsa.GenerateKey(rand.Reader, 1024))
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	ca := must(NewCA(p256(), pkix.Name{CommonName: "ca"}, 365*24*time.Hour, noon))
	csr := func(name, slug string, data []byte) requestRow {
		return requestRow{name, slug, func() error { _, err := RequestKey(data); return err }}
	}
	leaf := func(name, slug string, change func(*Leaf)) requestRow {
		l := Leaf{Subject: pkix.Name{CommonName: "web"}, PublicKey: key.Public(), Lifetime: time.Hour}
		change(&l)
		return requestRow{name, slug, func() error { _, err := ca.Issue(l, noon); return err }}
	}
	subject := func(name, slug string, n pkix.Name) requestRow {
		return leaf(name, slug, func(l *Leaf) { l.Subject = n })
	}
	uri := func(name, slug, u string) requestRow { return leaf(name, slug, func(l *Leaf) { l.URI = u }) }
	dns := func(name, slug, d string) requestRow {
		return leaf(name, slug, func(l *Leaf) { l.DNSNames = []string{d} })
	}
	return []requestRow{
		csr("good", "", request(key, nil)),
		csr("text before it", "", append([]byte("Certificate Request:\n    Data:\n"), request(key, nil)...)),
		csr("older block type", "", bytes.ReplaceAll(request(key, nil), []byte("CERTIFICATE REQUEST"), []byte("NEW CERTIFICATE REQUEST"))),
		csr("CA:FALSE", "", request(key, extension(oidBasicConstraints, isCA{false, -1}))),
		csr("keyUsage of a server", "", request(key, extension(oidKeyUsage, asn1.BitString{Bytes: []byte{0xa0}, BitLength: 3}))),
		csr("nothing", "request-unreadable", nil),
		csr("a certificate", "request-unreadable", EncodeCertificate(ca.Certificate)),
		csr("two requests", "request-unreadable", append(request(key, nil), request(key, nil)...)),
		csr("nonsense", "request-unreadable", pem.EncodeToMemory(&pem.Block{Type: blockRequest, Bytes: []byte("nonsense")})),
		csr("too long", "request-unreadable", append(bytes.Repeat([]byte("#\n"), 33<<10), request(key, nil)...)),
		csr("not its own key", "request-signature", corrupted()),
		csr("CA:TRUE", "request-asks-for-ca", request(key, extension(oidBasicConstraints, isCA{true, -1}))),
		csr("CA:TRUE and pathlen", "request-asks-for-ca", request(key, extension(oidBasicConstraints, isCA{true, 3}))),
		csr("keyCertSign", "request-asks-for-ca", request(key, extension(oidKeyUsage, asn1.BitString{Bytes: []byte{0x84}, BitLength: 6}))),
		csr("cRLSign", "request-asks-for-ca", request(key, extension(oidKeyUsage, asn1.BitString{Bytes: []byte{0x02}, BitLength: 7}))),
		csr("basicConstraints of nonsense", "request-asks-for-ca", request(key, extension(oidBasicConstraints, "CA:TRUE"))),
		csr("Ed25519", "request-key", request(edwards, nil)),
		csr("RSA 1024", "request-key", request(weak, nil)),
		csr("P-224", "request-key", request(p224, nil)),

		leaf("a good leaf", "", func(*Leaf) {}),
		leaf("every name", "", func(l *Leaf) {
			l.Subject = pkix.Name{CommonName: "web@shop", Organization: []string{"prod"}, OrganizationalUnit: []string{"shop"},
				Country: []string{"US"}, Province: []string{"Washington"}, Locality: []string{"Seattle"}}
			l.URI, l.DNSNames = "spiffe://example.org/ns/shop/sa/web", []string{"web.shop.svc", "*.example.org"}
		}),
		leaf("no key", "request-key", func(l *Leaf) { l.PublicKey = nil }),
		leaf("a weak key", "request-key", func(l *Leaf) { l.PublicKey = weak.Public() }),
		leaf("exponent 3", "request-key", func(l *Leaf) { l.PublicKey = &rsa.PublicKey{N: rsa2048().N, E: 3} }),
		leaf("a key of 9216 bits", "request-key", func(l *Leaf) { l.PublicKey = &rsa.PublicKey{N: bigOdd(9216), E: 65537} }),
		subject("empty Subject", "request-names", pkix.Name{}),
		subject("65 characters", "request-names", pkix.Name{CommonName: strings.Repeat("a", 65)}),
		subject("64 characters", "", pkix.Name{CommonName: strings.Repeat("a", 64)}),
		subject("two OUs", "request-names", pkix.Name{CommonName: "web", OrganizationalUnit: []string{"a", "b"}}),
		subject("an empty O", "request-names", pkix.Name{CommonName: "web", Organization: []string{""}}),
		subject("C of three letters", "request-names", pkix.Name{CommonName: "web", Country: []string{"USA"}}),
		subject("C of one letter", "request-names", pkix.Name{CommonName: "web", Country: []string{"U"}}),
		subject("a line break", "request-names", pkix.Name{CommonName: "web\nadmin"}),
		subject("not UTF-8", "request-names", pkix.Name{CommonName: "web\xff"}),
		subject("a street", "request-names", pkix.Name{CommonName: "web", StreetAddress: []string{"x"}}),
		subject("further attributes", "request-names", pkix.Name{CommonName: "web", ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "admin"}}}),
		uri("no scheme", "request-names", "example.org/web"),
		uri("no host", "request-names", "urn:web"),
		uri("not in its usual form", "request-names", "spiffe://example.org/a b"),
		uri("a character that tags drop", "request-names", "spiffe://example.org/~web"),
		uri("257 characters", "request-names", "spiffe://example.org/"+strings.Repeat("a", 236)),
		uri("256 characters", "", "spiffe://example.org/"+strings.Repeat("a", 235)),
		dns("an empty DNS name", "request-names", ""),
		dns("a DNS name with a space", "request-names", "web shop"),
		dns("a DNS name too long", "request-names", strings.Repeat("a.", 127)),
		leaf("no life", "request-lifetime", func(l *Leaf) { l.Lifetime = 0 }),
		leaf("longer than the CA", "request-lifetime", func(l *Leaf) { l.Lifetime = 366 * 24 * time.Hour }),
	}
}

func TestRequests(t *testing.T) {
	for _, row := range requestRows() {
		t.Run(row.name, func(t *testing.T) {
			err := row.ask()
			var refused *RefusedError
			switch {
			case row.slug == "" && err != nil:
				t.Errorf("refused: %v", err)
			case row.slug != "" && !errors.As(err, &refused):
				t.Errorf("got the error %v, want %s", err, row.slug)
			case row.slug != "" && refused.Slug != row.slug:
				t.Errorf("refused for %s (%v), want %s", refused.Slug, err, row.slug)
			}
		})
	}
}

func TestRequestKeyIsTheRequestsOwn(t *testing.T) {
	key := p256()
	got, err := RequestKey(request(key, nil))
	if err != nil || !sameKey(got, key.Public()) {
		t.Errorf("RequestKey = %v, %v", got, err)
	}
}

func TestAnErrorNeverPrintsControlCharacters(t *testing.T) {
	ca := must(NewCA(p256(), pkix.Name{CommonName: "ca"}, time.Hour, noon))
	_, err := ca.Issue(Leaf{Subject: pkix.Name{CommonName: "a"}, URI: "spiffe://x/\x1b[2J", PublicKey: p256().Public(), Lifetime: time.Minute}, noon)
	if err == nil || strings.ContainsRune(fmt.Sprint(err), '\x1b') {
		t.Errorf("got %q", err)
	}
}
