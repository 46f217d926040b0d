package rolesanywhere

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
)

// Limits of a trust anchor's bundle (API reference, SourceData; User Guide,
// quotas).
const (
	maxBundleBytes = 8000
	maxBundleCerts = 2
)

// parseBundle reads a trust anchor's certificates and holds each against the
// rules for a CA.
func parseBundle(text string) ([]*x509.Certificate, *fault) {
	if len(text) > maxBundleBytes {
		return nil, faultf("anchor-bundle-size", "the bundle has %d characters", len(text))
	}
	var all []*x509.Certificate
	rest := []byte(text)
	for len(bytes.TrimSpace(rest)) > 0 {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, faultf("anchor-bundle", "the bundle holds a PEM block %q", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, faultf("anchor-bundle", "certificate %d of the bundle: %v", len(all)+1, err)
		}
		all = append(all, c)
	}
	switch {
	case len(all) == 0:
		return nil, faultf("anchor-bundle", "the bundle holds no PEM block CERTIFICATE")
	case len(all) > maxBundleCerts:
		return nil, faultf("anchor-bundle-size", "the bundle holds %d certificates", len(all))
	}
	for _, c := range all {
		if f := caFault(c); f != nil {
			return nil, f
		}
	}
	return all, nil
}

// fingerprint is the SHA-256 of a certificate, shortened for people.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return "SHA-256 " + hex.EncodeToString(sum[:8]) + "…"
}
