package pki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"slices"
	"time"
)

func leafRules() []rule {
	return []rule{
		{"leaf-version", onLeaf, version},
		{"leaf-ca", onLeaf, leafIsNoCA},
		{"leaf-key-usage", onLeaf, leafUsage},
		{"leaf-signature-algorithm", onLeaf, signatureAlgorithm},
		{"leaf-subject-empty", onLeaf, leafSubject},
		{"leaf-serial", onLeaf, leafSerial},
		{"leaf-key-type", onLeaf, keyType},
		{"leaf-key-size", onLeaf, keySize},
		{"leaf-not-yet-valid", onLeaf, notYetValid},
		{"leaf-expired", onLeaf, expired},
		{"leaf-lifetime", onLeaf, leafLifetime},
		{"leaf-client-auth", onLeaf, leafClientAuth},
		{"leaf-is-anchor", onLeaf, leafIsNoAnchor},
		{"key-mismatch", onKey, keyMatches},
	}
}

// leafIsNoCA takes the absence of basicConstraints for CA:FALSE, as AWS does.
func leafIsNoCA(_ *exam, c *x509.Certificate) (Verdict, string) {
	switch {
	case !c.BasicConstraintsValid:
		return Pass, "basicConstraints is absent"
	case c.IsCA:
		return Fail, "basicConstraints is CA:TRUE"
	}
	return Pass, "basicConstraints is CA:FALSE"
}

func leafUsage(_ *exam, c *x509.Certificate) (Verdict, string) {
	if c.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return Fail, describeUsage(c.KeyUsage)
	}
	return Pass, describeUsage(c.KeyUsage)
}

func leafSubject(_ *exam, c *x509.Certificate) (Verdict, string) {
	if len(c.Subject.Names) == 0 {
		return Fail, "the Subject is empty"
	}
	return Pass, Printable(c.Subject.String())
}

// leafSerial: RFC 5280 allows 20 octets, and a session's name 64 characters.
func leafSerial(_ *exam, c *x509.Certificate) (Verdict, string) {
	octets := len(c.SerialNumber.Bytes())
	if octets > 20 {
		return Fail, "the serial number has " + count(octets, "octet")
	}
	return Pass, "serial number " + HexSerial(c)
}

func leafLifetime(_ *exam, c *x509.Certificate) (Verdict, string) {
	life := c.NotAfter.Sub(c.NotBefore)
	detail := "lives " + days(life)
	if life > longLife {
		return Warn, detail + ", more than " + days(longLife)
	}
	return Pass, detail
}

func leafClientAuth(_ *exam, c *x509.Certificate) (Verdict, string) {
	switch {
	case slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth):
		return Pass, "extendedKeyUsage has clientAuth"
	case slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny):
		return Pass, "extendedKeyUsage has anyExtendedKeyUsage"
	case len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0:
		return Warn, "extendedKeyUsage is absent"
	}
	return Warn, "extendedKeyUsage lacks clientAuth"
}

func leafIsNoAnchor(x *exam, c *x509.Certificate) (Verdict, string) {
	if len(x.Anchors) == 0 {
		return Skip, "no anchor given"
	}
	for i, a := range x.Anchors {
		if bytes.Equal(a.Raw, c.Raw) {
			return Fail, "is " + numbered("anchor", i, len(x.Anchors))
		}
	}
	return Pass, "is not in the anchor's bundle"
}

func keyMatches(x *exam, _ *x509.Certificate) (Verdict, string) {
	if sameKey(x.Leaf.PublicKey, x.Key) {
		return Pass, "the private key is the leaf's: " + DescribeKey(x.Key)
	}
	return Fail, "the leaf holds " + DescribeKey(x.Leaf.PublicKey) + ", the private key is another " + DescribeKey(x.Key)
}

func sameKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return count(int(d/(24*time.Hour)), "day")
	}
	return d.String()
}
