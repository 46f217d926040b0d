package pki

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxRequest is the most bytes of a certificate request.
const maxRequest = 64 << 10

// A RefusedError says why a CA does not issue or sign: the reason's slug and
// what was found. The catalogue has the mend.
type RefusedError struct {
	Slug   string
	Detail string
}

func (e *RefusedError) Error() string { return e.Detail }

func refuse(slug, format string, args ...any) error {
	return &RefusedError{slug, fmt.Sprintf(format, args...)}
}

// A Leaf is what to certify.
type Leaf struct {
	// Subject has at most one value each of C, ST, L, O, OU and CN, at least one
	// in all, and nothing else.
	Subject pkix.Name
	// URI and DNSNames become subject alternative names. Roles Anywhere sees the
	// first of each type only, hence one URI; empty: none.
	URI      string
	DNSNames []string
	// PublicKey is RSA of 2048 to 8192 bits or EC on P-256, P-384 or P-521.
	PublicKey crypto.PublicKey
	// Lifetime counts from now and must end before the CA does.
	Lifetime time.Duration
	// NotBefore is where the certificate's validity begins; zero: a minute ago.
	NotBefore time.Time
}

// RequestKey takes the public key from a PEM certificate request, which may
// come from an enemy, as CheckRequest does. Errors are *RefusedError.
func RequestKey(data []byte) (crypto.PublicKey, error) {
	r, err := ParseRequest(data)
	if err != nil {
		return nil, err
	}
	if err := CheckRequest(r); err != nil {
		return nil, err
	}
	return r.PublicKey, nil
}

// CheckRequest refuses a certificate request whose key is none that can be
// certified, that is not signed by that key, or that asks to become a CA. What
// names it holds is not looked at: who the key stands for, the CA's owner says
// by filling a Leaf. Errors are *RefusedError.
func CheckRequest(r *x509.CertificateRequest) error {
	if err := checkKey(r.PublicKey); err != nil {
		return err // before a huge key is put to work
	}
	if err := r.CheckSignature(); err != nil {
		return refuse("request-signature", "the request is not signed by its own key")
	}
	return refuseCA(r)
}

// refuseCA looks at the extensions that a request asks for.
func refuseCA(r *x509.CertificateRequest) error {
	for _, ext := range r.Extensions {
		switch {
		case ext.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 19}):
			var c struct {
				IsCA    bool `asn1:"optional"`
				PathLen int  `asn1:"optional"`
			}
			if _, err := asn1.Unmarshal(ext.Value, &c); err != nil || c.IsCA {
				return refuse("request-asks-for-ca", "the request asks for basicConstraints CA:TRUE")
			}
		case ext.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 15}):
			var bits asn1.BitString
			if _, err := asn1.Unmarshal(ext.Value, &bits); err != nil || bits.At(5) == 1 || bits.At(6) == 1 {
				return refuse("request-asks-for-ca", "the request asks for keyUsage keyCertSign or cRLSign")
			}
		}
	}
	return nil
}

// checkKey is stricter than AWS, which states no sizes.
func checkKey(key crypto.PublicKey) error {
	v, detail := keyType(nil, &x509.Certificate{PublicKey: key})
	if v == Pass {
		v, detail = keySize(nil, &x509.Certificate{PublicKey: key})
	}
	if v != Pass {
		return refuse("request-key", "the key is %s", detail)
	}
	if k, ok := key.(*rsa.PublicKey); ok && k.E < 65537 {
		return refuse("request-key", "the RSA key's exponent is %d", k.E)
	}
	return nil
}

// checkNames refuses names that would not make one clear identity.
func (l Leaf) checkNames() error {
	names := subjectValues(l.Subject)
	if n := l.Subject; len(n.ExtraNames)+len(n.StreetAddress)+len(n.PostalCode)+len(n.SerialNumber) > 0 {
		return refuse("request-names", "the Subject has attributes beyond C, ST, L, O, OU and CN")
	}
	total := 0
	for _, n := range names {
		if total += len(n.values); len(n.values) > 1 {
			return refuse("request-names", "the Subject has %s twice", n.name)
		}
		for _, v := range n.values {
			if err := checkValue(n.name, v); err != nil {
				return err
			}
		}
	}
	if total == 0 {
		return refuse("request-names", "the Subject is empty")
	}
	return l.checkAlternatives()
}

// checkAlternatives holds URIs to what becomes a session tag.
func (l Leaf) checkAlternatives() error {
	if l.URI != "" {
		if u, err := url.Parse(l.URI); err != nil || u.Scheme == "" || u.Host == "" || u.String() != l.URI {
			return refuse("request-names", "the URI %s is not an absolute URI with a host, in its usual form", Printable(l.URI))
		}
		if !tagValue(l.URI) {
			return refuse("request-names", "the URI %s has more than %d characters or such that no session tag holds", Printable(l.URI), maxTagValue)
		}
	}
	for _, name := range l.DNSNames {
		if name == "" || len(name) > 253 || strings.ContainsFunc(name, notInHost) {
			return refuse("request-names", "%s is no DNS name", Printable(name))
		}
	}
	return nil
}

func notInHost(r rune) bool {
	return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._*", r)
}

func subjectValues(n pkix.Name) []named {
	cn := []string{n.CommonName}
	if n.CommonName == "" {
		cn = nil
	}
	return []named{
		{"C", n.Country}, {"ST", n.Province}, {"L", n.Locality},
		{"O", n.Organization}, {"OU", n.OrganizationalUnit}, {"CN", cn},
	}
}

// checkValue keeps to the bounds of X.520: 2 letters for C, 128 characters for
// ST and L, 64 for the others.
func checkValue(name, v string) error {
	limit := 64
	switch name {
	case "C":
		limit = 2
	case "ST", "L":
		limit = 128
	}
	n := utf8.RuneCountInString(v)
	switch {
	case n == 0 || n > limit:
		return refuse("request-names", "%s has %d characters, allowed are 1 to %d", name, n, limit)
	case name == "C" && n != limit:
		return refuse("request-names", "C is not a code of two letters")
	case !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl):
		return refuse("request-names", "%s has control characters", name)
	}
	return nil
}
