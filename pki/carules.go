package pki

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

func caRules() []rule {
	return []rule{
		{"anchor-bundle", onBunch, bundleForm},
		{"anchor-bundle-size", onBunch, bundleSize},
		{"ca-version", onCA, version},
		{"ca-basic-constraints", onCA, caConstraints},
		{"ca-key-usage", onCA, caUsage},
		{"ca-signature-algorithm", onCA, signatureAlgorithm},
		{"ca-key-type", onCA, caKeyType},
		{"ca-not-yet-valid", onCA, notYetValid},
		{"ca-expired", onCA, expired},
		{"ca-expires-soon", onCA, expiresSoon},
		{"ca-crl-sign", onCA, crlSign},
	}
}

// bundleForm finds what has no place in an anchor, a private key above all.
func bundleForm(x *exam, _ *x509.Certificate) (Verdict, string) {
	if x.Bundle == nil {
		return Skip, "the bundle's text is not given"
	}
	n := 0
	for block, rest := pem.Decode(x.Bundle); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != blockCertificate {
			return Fail, "the bundle holds a PEM block " + Printable(block.Type)
		}
		n++
	}
	if n != len(x.Anchors) {
		return Fail, fmt.Sprintf("the bundle holds %s, %d can be read", count(n, "certificate"), len(x.Anchors))
	}
	return Pass, count(n, "certificate") + " and no other PEM block"
}

func bundleSize(x *exam, _ *x509.Certificate) (Verdict, string) {
	size := len(x.Bundle)
	if x.Bundle == nil {
		for _, c := range x.Anchors {
			size += len(EncodeCertificate(c))
		}
	}
	detail := fmt.Sprintf("%s, %d characters of PEM", count(len(x.Anchors), "certificate"), size)
	if len(x.Anchors) > maxAnchors || size > maxBundle {
		return Fail, detail
	}
	return Pass, detail
}

func caConstraints(_ *exam, c *x509.Certificate) (Verdict, string) {
	switch {
	case !c.BasicConstraintsValid:
		return Fail, "basicConstraints is absent"
	case !c.IsCA:
		return Fail, "basicConstraints is CA:FALSE"
	}
	return Pass, "basicConstraints is CA:TRUE"
}

func caUsage(_ *exam, c *x509.Certificate) (Verdict, string) {
	if c.KeyUsage&x509.KeyUsageCertSign == 0 {
		return Fail, describeUsage(c.KeyUsage)
	}
	return Pass, describeUsage(c.KeyUsage)
}

func expiresSoon(x *exam, c *x509.Certificate) (Verdict, string) {
	left := c.NotAfter.Sub(x.now)
	switch {
	case left < 0:
		return Skip, "has expired"
	case left < soon:
		return Warn, "valid until " + utc(c.NotAfter)
	}
	return Pass, "valid until " + utc(c.NotAfter)
}

// crlSign only warns: without it leaves are accepted, but none can be revoked.
func crlSign(_ *exam, c *x509.Certificate) (Verdict, string) {
	if c.KeyUsage&x509.KeyUsageCRLSign == 0 {
		return Warn, describeUsage(c.KeyUsage) + ": leaves are accepted, and cannot be revoked by a list"
	}
	return Pass, describeUsage(c.KeyUsage)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
