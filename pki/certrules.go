package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What is measured, not demanded by AWS, except for maxChain and the bundle.
const (
	maxChain      = 5    // certificates in X-Amz-X509-Chain
	maxAnchors    = 2    // certificates in a trust anchor's bundle
	maxBundle     = 8000 // characters in a trust anchor's bundle
	longLife      = 30 * 24 * time.Hour
	soon          = 45 * 24 * time.Hour // as AWS's own notifications
	minRSA        = 2048                // bits; AWS states no limits
	maxRSA        = 8192
	timeForPeople = "2006-01-02T15:04:05Z"
)

func version(_ *exam, c *x509.Certificate) (Verdict, string) {
	if c.Version != 3 {
		return Fail, fmt.Sprintf("X.509 version %d", c.Version)
	}
	return Pass, "X.509 version 3"
}

// signatureAlgorithm wants SHA-256 or stronger. Go does not know ML-DSA, which
// AWS has taken since 2026, so that is told by its identifier.
func signatureAlgorithm(_ *exam, c *x509.Certificate) (Verdict, string) {
	switch c.SignatureAlgorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
		return Pass, c.SignatureAlgorithm.String()
	case x509.UnknownSignatureAlgorithm:
		if id := outerAlgorithm(c); isMLDSA(id) {
			return Warn, "ML-DSA: AWS takes it, this program can neither verify it nor sign with it"
		} else {
			return Fail, "an algorithm not known: " + id.String()
		}
	}
	return Fail, c.SignatureAlgorithm.String()
}

func keyType(_ *exam, c *x509.Certificate) (Verdict, string) {
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return Pass, DescribeKey(k)
	case *ecdsa.PublicKey:
		if goodCurve(k.Curve) {
			return Pass, DescribeKey(k)
		}
		return Fail, DescribeKey(k)
	}
	if id := keyAlgorithm(c); isMLDSA(id) {
		return Warn, "ML-DSA: AWS takes it, this program cannot sign with it"
	}
	return Fail, DescribeKey(c.PublicKey)
}

func keySize(_ *exam, c *x509.Certificate) (Verdict, string) {
	k, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok {
		return Pass, DescribeKey(c.PublicKey)
	}
	if bits := k.N.BitLen(); bits < minRSA || bits > maxRSA {
		return Warn, fmt.Sprintf("%s; AWS states no limits, and nobody should rely on it", DescribeKey(k))
	}
	return Pass, DescribeKey(k)
}

// caKeyType is both: the catalogue has one row for a CA's key.
func caKeyType(x *exam, c *x509.Certificate) (Verdict, string) {
	if v, detail := keyType(x, c); v != Pass {
		return v, detail
	}
	return keySize(x, c)
}

func notYetValid(x *exam, c *x509.Certificate) (Verdict, string) {
	if x.now.Before(c.NotBefore) {
		return x.severity(c), "valid from " + utc(c.NotBefore) + ", now is " + utc(x.now)
	}
	return Pass, "valid from " + utc(c.NotBefore)
}

func expired(x *exam, c *x509.Certificate) (Verdict, string) {
	if x.now.After(c.NotAfter) {
		return x.severity(c), "valid until " + utc(c.NotAfter) + ", now is " + utc(x.now)
	}
	return Pass, "valid until " + utc(c.NotAfter)
}

// severity of a certificate's dates: an anchor beside the path, as while a CA
// is being replaced, refuses nobody.
func (x *exam) severity(c *x509.Certificate) Verdict {
	if c != x.Leaf && len(x.route.path) > 0 && !x.route.holds(c) {
		return Warn
	}
	return Fail
}

func criticalExtension(_ *exam, c *x509.Certificate) (Verdict, string) {
	if len(c.UnhandledCriticalExtensions) == 0 {
		return Pass, "none unknown"
	}
	var ids []string
	for _, id := range c.UnhandledCriticalExtensions {
		ids = append(ids, id.String())
	}
	return Fail, "critical and unknown: " + strings.Join(ids, ", ")
}

func goodCurve(c elliptic.Curve) bool {
	return c == elliptic.P256() || c == elliptic.P384() || c == elliptic.P521()
}

// DescribeKey names a public key's kind and size.
func DescribeKey(key any) string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d bits", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "EC " + k.Curve.Params().Name
	case nil:
		return "a kind of key not known"
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", key), "*")
}

func utc(t time.Time) string { return t.UTC().Format(timeForPeople) }

func describeUsage(u x509.KeyUsage) string {
	var names []string
	for i, name := range []string{ // in the order of the bits, RFC 5280, 4.2.1.3
		"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement",
		"keyCertSign", "cRLSign", "encipherOnly", "decipherOnly",
	} {
		if u&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if names == nil {
		return "keyUsage is absent"
	}
	return "keyUsage is " + strings.Join(names, ", ")
}

// isMLDSA knows ML-DSA-44, -65 and -87 (RFC 9881).
func isMLDSA(id asn1.ObjectIdentifier) bool {
	family := asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3}
	return len(id) == 9 && slices.Equal(id[:8], family) && id[8] >= 17 && id[8] <= 19
}

type algorithm struct {
	Algorithm  asn1.ObjectIdentifier
	Parameters asn1.RawValue `asn1:"optional"`
}

type keyInfo struct {
	Algorithm algorithm
	Key       asn1.BitString
}

// outerAlgorithm reads the signature's algorithm; nil if there is none.
func outerAlgorithm(c *x509.Certificate) asn1.ObjectIdentifier {
	var cert struct {
		TBS       asn1.RawValue
		Algorithm algorithm
		Signature asn1.BitString
	}
	_, _ = asn1.Unmarshal(c.Raw, &cert)
	return cert.Algorithm.Algorithm
}

// keyAlgorithm reads the public key's algorithm; nil if there is none.
func keyAlgorithm(c *x509.Certificate) asn1.ObjectIdentifier {
	var info keyInfo
	_, _ = asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &info)
	return info.Algorithm.Algorithm
}
