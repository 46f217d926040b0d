package proof

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A pair is a key with its certificate, and the pair that issued it; nil for a
// root.
type pair struct {
	key  crypto.Signer
	cert *x509.Certificate
}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// issue makes a certificate for key, by the issuer or by itself.
func issue(t testing.TB, name string, key crypto.Signer, issuer *pair, notAfter time.Time) pair {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: start, NotAfter: notAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		IsCA: issuer == nil, BasicConstraintsValid: true,
	}
	parent, by := template, key
	if issuer != nil {
		parent, by = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return pair{key, cert}
}

func newPair(t testing.TB, name string, issuer *pair) pair {
	return issue(t, name, ecKey(t, elliptic.P256()), issuer, start.AddDate(1, 0, 0))
}

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func (p pair) certPEM() string { return block("CERTIFICATE", p.cert.Raw) }

func (p pair) keyDER(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (p pair) keyPEM(t testing.TB) string {
	t.Helper()
	return block("PRIVATE KEY", p.keyDER(t))
}

func sec1DER(t testing.TB, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func request(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// put writes a file whole, by renaming, and as if long ago, so that nothing
// waits for its fellows.
func put(t testing.TB, path, content string) string {
	t.Helper()
	return putAt(t, path, content, start)
}

func putAt(t testing.TB, path, content string, written time.Time) string {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path+".new", written, written); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	return path
}

// files puts certificate and key into a folder of their own.
func files(t testing.TB, certificate, key string) *KeyFiles {
	t.Helper()
	dir := t.TempDir()
	f := &KeyFiles{Certificate: put(t, filepath.Join(dir, "cert.pem"), certificate)}
	if key != "" {
		f.PrivateKey = put(t, filepath.Join(dir, "key.pem"), key)
	}
	return f
}
