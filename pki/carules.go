package pki

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

func caRules() []rule {
	return []rule{
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

func bundleSize(x *exam, _ *x509.Certificate) (Verdict, string) {
	size := 0
	for _, c := range x.Anchors {
		size += len(pem.EncodeToMemory(&pem.Block{Type: blockCertificate, Bytes: c.Raw}))
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
