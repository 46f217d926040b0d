package sandbox

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"
)

// keptLeaves bounds the cache of leaves, since callers choose the names.
const keptLeaves = 1000

// An authority is the CA of one run: made when the sandbox starts, its key
// never written anywhere. Its certificates live by the machine's clock, as the
// TLS of its clients does, not by the world's.
type authority struct {
	key    *ecdsa.PrivateKey
	cert   *x509.Certificate
	pem    []byte
	leaf   *ecdsa.PrivateKey // of all leaves
	mu     sync.Mutex
	leaves map[string]*tls.Certificate // :: name → leaf
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "daypass sandbox, not for production"},
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := sign(template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{
		key: key, cert: cert, leaf: leaf, leaves: map[string]*tls.Certificate{},
		pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}, nil
}

func sign(template, parent *x509.Certificate, public *ecdsa.PublicKey, key *ecdsa.PrivateKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(30 * 24 * time.Hour)
	return x509.CreateCertificate(rand.Reader, template, parent, public, key)
}

// certificate returns the leaf for a name that the sandbox stands for, for localhost, or for
// an address.
func (a *authority) certificate(name string) (*tls.Certificate, error) {
	ip := net.ParseIP(name)
	if ip == nil && name != "localhost" && !standsFor(name) {
		return nil, fmt.Errorf("the sandbox does not stand for %q", name)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.leaves[name]; c != nil {
		return c, nil
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "sandbox"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := sign(template, a.cert, &a.leaf.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	if len(a.leaves) >= keptLeaves {
		clear(a.leaves)
	}
	c := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.leaf}
	a.leaves[name] = c
	return c, nil
}

// config is for one connection, whose name is host where the client does not
// send one.
func (a *authority) config(host string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"}, // as sts, iam and s3 speak
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if h.ServerName != "" {
				return a.certificate(h.ServerName)
			}
			return a.certificate(host)
		},
	}
}
