package pki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// The types of the PEM blocks that this package reads and writes.
const (
	blockCertificate = "CERTIFICATE"
	blockKey         = "PRIVATE KEY"
	blockCRL         = "X509 CRL"
	blockRequest     = "CERTIFICATE REQUEST"
	blockOldRequest  = "NEW CERTIFICATE REQUEST"
)

// maxCertificates in one file; a trust anchor's bundle holds 2, a chain 5.
const maxCertificates = 50

// ParseCertificates reads all certificates of a PEM file, in order. Other
// blocks and text between them are passed over. It examines nothing: version 1
// certificates and weak keys are for Check. An error quotes nothing of data.
func ParseCertificates(data []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != blockCertificate {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %s", len(all)+1, strings.TrimPrefix(err.Error(), "x509: "))
		}
		if all = append(all, c); len(all) > maxCertificates {
			return nil, fmt.Errorf("more than %d certificates", maxCertificates)
		}
	}
	// pem.Decode passes over damaged blocks, so that the leaf could be missed.
	if begun := bytes.Count(data, []byte("-----BEGIN "+blockCertificate+"-----")); begun > len(all) {
		return nil, fmt.Errorf("%s of %d can be read: the PEM text is damaged", count(len(all), "certificate"), begun)
	}
	if all != nil {
		return all, nil
	}
	if _, err := x509.ParseCertificate(data); err == nil {
		return nil, errors.New("the certificate is in DER form, not PEM: convert it with openssl x509 -inform DER")
	}
	return nil, errors.New("no PEM block CERTIFICATE")
}

// EncodeCertificate writes a certificate as PEM.
func EncodeCertificate(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: blockCertificate, Bytes: c.Raw})
}

// ParseKey reads the first private key of a PEM file, in PKCS#8, PKCS#1 or
// SEC 1 form and not encrypted. An error quotes nothing of data.
func ParseKey(data []byte) (crypto.Signer, error) {
	for rest := data; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		switch {
		case block == nil:
			return nil, errors.New("no PEM block of a private key")
		case block.Type == "ENCRYPTED PRIVATE KEY", strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			return nil, errors.New("the private key is encrypted: decrypt it with openssl pkey")
		case block.Type == blockKey:
			return signer(x509.ParsePKCS8PrivateKey(block.Bytes))
		case block.Type == "RSA PRIVATE KEY":
			return signer(anyKey(x509.ParsePKCS1PrivateKey(block.Bytes)))
		case block.Type == "EC PRIVATE KEY":
			return signer(anyKey(x509.ParseECPrivateKey(block.Bytes)))
		}
	}
}

func anyKey[K any](k K, err error) (any, error) { return k, err }

func signer(key any, err error) (crypto.Signer, error) {
	if err != nil {
		return nil, errors.New("the private key is damaged or of a kind not known")
	}
	s, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the private key cannot sign")
	}
	return s, nil
}

// EncodeKey writes a private key as PEM, in PKCS#8 form and not encrypted. The
// answer is a secret.
func EncodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: blockKey, Bytes: der}), nil
}

// ParseRequest reads the one PEM block of a certificate request and examines
// nothing. Errors are *RefusedError.
func ParseRequest(data []byte) (*x509.CertificateRequest, error) {
	if len(data) > maxRequest {
		return nil, refuse("request-unreadable", "the request has %d bytes", len(data))
	}
	block, rest := pem.Decode(data)
	if block == nil || block.Type != blockRequest && block.Type != blockOldRequest || len(bytes.TrimSpace(rest)) > 0 {
		return nil, refuse("request-unreadable", "the request is not one PEM block %s", blockRequest)
	}
	r, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, refuse("request-unreadable", "the request is damaged: %s", strings.TrimPrefix(err.Error(), "x509: "))
	}
	return r, nil
}
