package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net/url"
	"time"
)

// backdate lets a certificate be used by machines whose clock is a bit slow.
const backdate = time.Minute

// KeyTypes are the kinds of key that NewKey makes.
func KeyTypes() []string {
	return []string{"ec-p256", "ec-p384", "ec-p521", "rsa-2048", "rsa-3072", "rsa-4096"}
}

// NewKey makes a private key of one of the KeyTypes.
func NewKey(kind string) (crypto.Signer, error) {
	switch kind {
	case "ec-p256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ec-p384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ec-p521":
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "rsa-2048":
		return rsa.GenerateKey(rand.Reader, 2048)
	case "rsa-3072":
		return rsa.GenerateKey(rand.Reader, 3072)
	case "rsa-4096":
		return rsa.GenerateKey(rand.Reader, 4096)
	}
	return nil, fmt.Errorf("%q is no kind of key", kind)
}

// A CA is a certificate with the key that signs for it.
type CA struct {
	Certificate *x509.Certificate
	Signer      crypto.Signer
	// Above are the CAs above it, its own issuer first, the root last. Empty: it
	// is the root, or what is the root to those who trust it.
	Above []*x509.Certificate
}

// NewCA makes a root whose leaves Roles Anywhere accepts: it signs leaves only
// (pathlen 0) and revocation lists. Subject is held to the rules of
// Leaf.Subject. Errors are *RefusedError, or the signer's.
func NewCA(signer crypto.Signer, subject pkix.Name, lifetime time.Duration, now time.Time) (CA, error) {
	return newRoot(signer, subject, lifetime, now, 0)
}

func newRoot(signer crypto.Signer, subject pkix.Name, lifetime time.Duration, now time.Time, pathLen int) (CA, error) {
	t, err := newCATemplate(signer.Public(), subject, lifetime, now, pathLen)
	if err != nil {
		return CA{}, err
	}
	t.AuthorityKeyId = t.SubjectKeyId
	c, err := sign(t, t, signer.Public(), signer)
	return CA{Certificate: c, Signer: signer}, err
}

// newCATemplate is of a CA that has at most pathLen CAs below it on a path.
func newCATemplate(key crypto.PublicKey, subject pkix.Name, lifetime time.Duration, now time.Time, pathLen int) (*x509.Certificate, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if err := (Leaf{Subject: subject}).checkNames(); err != nil {
		return nil, err
	}
	if lifetime <= 0 {
		return nil, refuse("request-lifetime", "the lifetime is %s", lifetime)
	}
	id, err := keyID(key)
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               subject,
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(lifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLen:            pathLen,
		MaxPathLenZero:        pathLen == 0,
		SubjectKeyId:          id,
	}, nil
}

// Check reports as a *RefusedError why the CA cannot sign leaves now: a rule
// that its certificate breaks, or a key that is not the certificate's.
func (ca CA) Check(now time.Time) error {
	if err := ca.CheckKey(); err != nil {
		return err
	}
	return firstFailure(Check(ca.evidence(), now))
}

// CheckKey reports as a *RefusedError a key that is not the certificate's.
func (ca CA) CheckKey() error {
	if !sameKey(ca.Certificate.PublicKey, ca.Signer.Public()) {
		return refuse("key-mismatch", "the CA's private key is not that of its certificate")
	}
	return nil
}

// Issue certifies a leaf: version 3, CA:FALSE, digitalSignature, clientAuth, a
// random serial number of 128 bits. What it returns passes Check under this
// CA. Errors are *RefusedError, or the signer's.
func (ca CA) Issue(leaf Leaf, now time.Time) (*x509.Certificate, error) {
	if err := ca.Check(now); err != nil {
		return nil, err
	}
	if err := checkKey(leaf.PublicKey); err != nil {
		return nil, err
	}
	if err := leaf.checkNames(); err != nil {
		return nil, err
	}
	end := now.Add(leaf.Lifetime)
	if leaf.Lifetime <= 0 || end.After(ca.Certificate.NotAfter) {
		return nil, refuse("request-lifetime", "a lifetime of %s would end at %s, the CA ends at %s",
			leaf.Lifetime, utc(end), utc(ca.Certificate.NotAfter))
	}
	begin := leaf.NotBefore
	if begin.IsZero() {
		begin = now.Add(-backdate)
	}
	id, err := keyID(leaf.PublicKey)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               leaf.Subject,
		NotBefore:             begin,
		NotAfter:              end,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		DNSNames:              leaf.DNSNames,
		SubjectKeyId:          id,
		AuthorityKeyId:        ca.Certificate.SubjectKeyId,
	}
	if leaf.URI != "" {
		u, err := url.Parse(leaf.URI)
		if err != nil {
			return nil, fmt.Errorf("parsing URI: %w", err)
		}
		t.URIs = []*url.URL{u}
	}
	c, err := sign(t, ca.Certificate, leaf.PublicKey, ca.Signer)
	if err != nil {
		return nil, err
	}
	e := ca.evidence()
	e.Leaf, e.Key = c, leaf.PublicKey
	return c, firstFailure(Check(e, now))
}

// evidence is of this CA, under the root that it has.
func (ca CA) evidence() Evidence {
	path := append([]*x509.Certificate{ca.Certificate}, ca.Above...)
	root := len(path) - 1
	return Evidence{Intermediates: path[:root], Anchors: path[root:]}
}

// Issued reports whether c bears this CA's name and signature.
func (ca CA) Issued(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, ca.Certificate.RawSubject) && verifySignature(c, ca.Certificate) == nil
}

func sign(t, parent *x509.Certificate, key crypto.PublicKey, signer crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key, signer)
	if err != nil {
		return nil, fmt.Errorf("signing certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

func firstFailure(findings []Finding) error {
	for _, f := range findings {
		if f.Verdict == Fail {
			return refuse(f.Rule, "%s: %s", f.On, f.Detail)
		}
	}
	return nil
}

// newSerial has 128 random bits.
func newSerial() *big.Int {
	b := make([]byte, 16)
	for {
		_, _ = rand.Read(b) // never fails: crypto/rand aborts the program
		if n := new(big.Int).SetBytes(b); n.Sign() > 0 {
			return n
		}
	}
}

// keyID is method 1 of RFC 7093: the first 160 bits of the SHA-256 of the key's
// bits.
func keyID(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding public key: %w", err)
	}
	var info keyInfo
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return nil, fmt.Errorf("encoding public key: %w", err)
	}
	sum := sha256.Sum256(info.Key.RightAlign())
	return sum[:20], nil
}
