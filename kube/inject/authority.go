package inject

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// An Authority signs the certificates with which the webhook serves, and
// nothing else: its names are fixed in it. The API server trusts it by the
// caBundle of the webhook's configuration.
type Authority struct {
	Certificate *x509.Certificate
	key         crypto.Signer
}

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	servingLife   = 24 * time.Hour
	backdate      = 5 * time.Minute // for API servers whose clock is behind
)

// NewAuthority makes one for a webhook of these DNS names.
func NewAuthority(names []string, now time.Time) (Authority, error) {
	if len(names) == 0 {
		return Authority{}, errors.New("making an authority: no name is given")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Authority{}, err
	}
	t := template("daypass webhook authority", now, authorityLife)
	t.IsCA, t.MaxPathLenZero, t.KeyUsage = true, true, x509.KeyUsageCertSign
	t.PermittedDNSDomains, t.PermittedDNSDomainsCritical = names, true
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return Authority{}, fmt.Errorf("making an authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	return Authority{certificate, key}, err
}

func template(name string, now time.Time, life time.Duration) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) // crypto/rand does not fail
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name, SerialNumber: serial.Text(16)},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(life), BasicConstraintsValid: true,
	}
}

// serving makes a certificate for the authority's names.
func (a Authority) serving(now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := template("daypass webhook", now, servingLife)
	t.DNSNames = a.Certificate.PermittedDNSDomains
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if t.NotAfter.After(a.Certificate.NotAfter) {
		t.NotAfter = a.Certificate.NotAfter
	}
	if !t.NotAfter.After(now) {
		return nil, fmt.Errorf("the authority ended on %s", a.Certificate.NotAfter.UTC().Format(time.DateOnly))
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.Certificate, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// PEM is certificate and private key, for a Secret and nowhere else.
func (a Authority) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, err
	}
	return append(a.public(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...), nil
}

func (a Authority) public() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate.Raw})
}

// ParseAuthority reads what PEM wrote. No error quotes it.
func ParseAuthority(text []byte) (Authority, error) {
	pair, err := tls.X509KeyPair(text, text)
	switch {
	case err != nil:
		return Authority{}, errors.New("reading the authority: certificate and key are not there, or do not belong together")
	case !pair.Leaf.IsCA || len(pair.Leaf.PermittedDNSDomains) == 0:
		return Authority{}, errors.New("reading the authority: the certificate is not one that a webhook's authority has")
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return Authority{}, errors.New("reading the authority: the key does not sign")
	}
	return Authority{pair.Leaf, key}, nil
}

// Trust is the caBundle with which the API server trusts a and whomever it
// trusted before, as long as they last. To change authorities without a failed
// review, write the caBundle first, and only then give a to the webhook.
func (a Authority) Trust(before []byte, now time.Time) []byte {
	bundle := [][]byte{a.public()}
	for block, rest := pem.Decode(before); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if block.Type != "CERTIFICATE" || err != nil || !c.NotAfter.After(now) {
			continue
		}
		text := Authority{Certificate: c}.public()
		if !slices.ContainsFunc(bundle, func(b []byte) bool { return bytes.Equal(b, text) }) {
			bundle = append(bundle, text)
		}
	}
	// Two are enough to overlap; more would keep old keys alive.
	return slices.Concat(bundle[:min(len(bundle), 2)]...)
}
