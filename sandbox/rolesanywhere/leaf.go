package rolesanywhere

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"time"
)

// The sizes of RSA keys that are taken. AWS states none: the lower bound is
// what a CA may issue today, the upper what Go's TLS takes. Unchecked.
const (
	minRSA = 2048
	maxRSA = 8192
)

// keyFault checks what must hold before a leaf's key verifies anything: RSA
// and EC keys only (User Guide, "authentication process"; ML-DSA is not built),
// of a sane size. AWS does not list its curves; these are those that AWS
// Private CA and the helper know.
func keyFault(leaf *x509.Certificate) *fault {
	switch key := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < minRSA || n > maxRSA {
			return faultf("leaf-key-size", "the RSA key of leaf %q has %d bits", leaf.Subject, n)
		}
		return nil
	case *ecdsa.PublicKey:
		if !knownCurve(key.Curve) {
			return faultf("leaf-key-type", "the EC key of leaf %q is on the curve %s", leaf.Subject, key.Curve.Params().Name)
		}
		return nil
	}
	return faultf("leaf-key-type", "the key of leaf %q is of the kind %s", leaf.Subject, leaf.PublicKeyAlgorithm)
}

func knownCurve(c elliptic.Curve) bool {
	return c == elliptic.P256() || c == elliptic.P384() || c == elliptic.P521()
}

// leafFault holds a leaf against the rules of the User Guide's "trust model",
// signature validation. An extended key usage is not asked for there, and none
// is asked for here.
func leafFault(leaf *x509.Certificate, now time.Time) *fault {
	switch {
	case leaf.Version != 3:
		return faultf("leaf-version", "leaf %q is of version %d", leaf.Subject, leaf.Version)
	case leaf.BasicConstraintsValid && leaf.IsCA:
		return faultf("leaf-ca", "leaf %q has basicConstraints CA:TRUE", leaf.Subject)
	case leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return faultf("leaf-key-usage", "leaf %q has keyUsage %s", leaf.Subject, usages(leaf.KeyUsage))
	case !strongSignature(leaf.SignatureAlgorithm):
		return faultf("leaf-signature-algorithm", "leaf %q is signed with %s", leaf.Subject, leaf.SignatureAlgorithm)
	case len(leaf.Subject.Names) == 0:
		return faultf("leaf-subject-empty", "the leaf with serial %X has no attribute in its Subject", leaf.SerialNumber)
	case len(leaf.SerialNumber.Bytes()) > 20:
		return faultf("leaf-serial", "the serial number of leaf %q has %d octets", leaf.Subject, len(leaf.SerialNumber.Bytes()))
	case now.Before(leaf.NotBefore):
		return faultf("leaf-not-yet-valid", "leaf %q is valid from %s, it is %s", leaf.Subject, utc(leaf.NotBefore), utc(now))
	case now.After(leaf.NotAfter):
		return faultf("leaf-expired", "leaf %q was valid until %s, it is %s", leaf.Subject, utc(leaf.NotAfter), utc(now))
	}
	return nil
}

// strongSignature reports whether a certificate is signed with SHA-256 or
// stronger by RSA or ECDSA. AWS names hashes only; what it makes of RSA-PSS
// (taken here) and Ed25519 (refused here) is unchecked.
func strongSignature(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
		return true
	}
	return false
}

func usages(u x509.KeyUsage) string {
	names := []string{
		"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement",
		"keyCertSign", "cRLSign", "encipherOnly", "decipherOnly",
	}
	s := ""
	for i, name := range names {
		if u&(1<<i) != 0 {
			s += " " + name
		}
	}
	if s == "" {
		return "absent"
	}
	return fmt.Sprintf("(%s)", s[1:])
}

func utc(t time.Time) string { return t.UTC().Format(time.RFC3339) }
