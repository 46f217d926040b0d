package pki

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

func chainRules() []rule {
	return []rule{
		{"chain-depth", onChain, chainDepth},
		{"chain-issuer-missing", onChain, issuerMissing},
		{"chain-signature", onChain, chainSignature},
		{"ca-path-length", onChain, pathLength},
		{"ca-name-constraints", onChain, nameConstraints},
		{"chain-critical-extension", onEvery, criticalExtension},
		{"chain-superfluous", onChain, superfluous},
	}
}

func chainDepth(x *exam, _ *x509.Certificate) (Verdict, string) {
	detail := count(len(x.Intermediates), "intermediate") + " sent"
	if len(x.Intermediates) > maxChain {
		return Fail, detail
	}
	return Pass, detail
}

func issuerMissing(x *exam, _ *x509.Certificate) (Verdict, string) {
	switch r := x.route; {
	case len(x.Anchors) == 0:
		return Skip, "no anchor given"
	case len(r.path) > 0:
		return Pass, describePath(r.path)
	case len(r.forged) > 0:
		return Skip, "a CA of the right name is there, see chain-signature"
	case bytes.Equal(r.last.RawSubject, r.last.RawIssuer):
		return Fail, fmt.Sprintf("the path ends at %s, which signed itself and is not in the anchor's bundle", title(r.last))
	default:
		return Fail, fmt.Sprintf("%s names the issuer %s, and no certificate of that Subject is there", title(r.last), Printable(r.last.Issuer.String()))
	}
}

func chainSignature(x *exam, _ *x509.Certificate) (Verdict, string) {
	r := x.route
	if len(r.path) == 0 && len(r.forged) > 0 {
		l := r.forged[0]
		return Fail, fmt.Sprintf("%s is not signed by the key of %s", title(l.child), title(l.issuer))
	}
	if len(r.unverified) > 0 {
		l := r.unverified[0]
		return Skip, fmt.Sprintf("%s is signed with %s, which this program does not verify", title(l.child), l.child.SignatureAlgorithm)
	}
	if r.verified == 0 {
		return Skip, "no issuer is there to verify with"
	}
	return Pass, count(r.verified, "signature") + " verified"
}

// pathLength counts as RFC 5280, 6.1.4 does: CAs that issued themselves are
// free. Whether AWS heeds the anchor's own pathlen is not known; Go does.
func pathLength(x *exam, _ *x509.Certificate) (Verdict, string) {
	if len(x.route.path) == 0 {
		return Skip, "no path to the anchor"
	}
	below := 0
	for _, ca := range x.route.path[1:] {
		if limited := ca.MaxPathLen > 0 || ca.MaxPathLenZero; limited && below > ca.MaxPathLen {
			return Fail, fmt.Sprintf("%s has pathlen %d and %s below it", title(ca), ca.MaxPathLen, count(below, "CA"))
		}
		if !bytes.Equal(ca.RawSubject, ca.RawIssuer) {
			below++
		}
	}
	return Pass, "no pathlen is exceeded"
}

// nameConstraints asks Go's verifier, on copies in which all else that it
// would refuse first is in order.
func nameConstraints(x *exam, _ *x509.Certificate) (Verdict, string) {
	path := x.route.path
	if len(path) == 0 {
		return Skip, "no path to the anchor"
	}
	roots, middle := x509.NewCertPool(), x509.NewCertPool()
	for i, c := range path[1:] {
		ca := innocent(c, x.now)
		ca.Version, ca.BasicConstraintsValid, ca.IsCA, ca.MaxPathLen, ca.MaxPathLenZero = 3, true, true, -1, false
		ca.KeyUsage |= x509.KeyUsageCertSign
		if i == len(path)-2 {
			roots.AddCert(ca)
		} else {
			middle.AddCert(ca)
		}
	}
	_, err := innocent(path[0], x.now).Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: middle, CurrentTime: x.now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	var invalid x509.CertificateInvalidError
	switch {
	case err == nil:
		return Pass, "no name is outside what the CAs may issue for"
	case errors.As(err, &invalid) && (invalid.Reason == x509.CANotAuthorizedForThisName || invalid.Reason == x509.UnconstrainedName):
		return Fail, strings.TrimPrefix(invalid.Error(), "x509: ")
	}
	return Skip, "the chain cannot be verified: " + strings.TrimPrefix(err.Error(), "x509: ")
}

func innocent(c *x509.Certificate, now time.Time) *x509.Certificate {
	copied := *c
	copied.NotBefore, copied.NotAfter, copied.UnhandledCriticalExtensions = now, now, nil
	return &copied
}

func superfluous(x *exam, _ *x509.Certificate) (Verdict, string) {
	if len(x.route.path) == 0 {
		return Skip, "no path to the anchor"
	}
	anchor := x.route.path[len(x.route.path)-1]
	var extra []string
	for i, c := range x.Intermediates {
		if !x.route.holds(c) || bytes.Equal(c.Raw, x.Leaf.Raw) || bytes.Equal(c.Raw, anchor.Raw) {
			extra = append(extra, numbered("intermediate", i, len(x.Intermediates))+", "+title(c))
		}
	}
	if extra != nil {
		return Warn, strings.Join(extra, "; ")
	}
	return Pass, "every intermediate is on the path"
}

func describePath(path []*x509.Certificate) string {
	var names []string
	for _, c := range path {
		names = append(names, title(c))
	}
	return strings.Join(names, ", issued by ")
}

// title names a certificate by its Subject, or its serial number without one.
func title(c *x509.Certificate) string {
	if s := c.Subject.String(); s != "" {
		return Printable(s)
	}
	return "serial " + HexSerial(c)
}
