package rolesanywhere

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"time"
)

// findPath looks for a path from the leaf through any of the intermediates to
// one of the anchor's certificates and returns it, the leaf first. An anchor
// needs not be self-signed, nor its basicConstraints critical. Where there is
// no path, the fault is that of the attempt that came nearest to the anchor.
func findPath(leaf *x509.Certificate, intermediates, anchors []*x509.Certificate, now time.Time) ([]*x509.Certificate, *fault) {
	s := search{intermediates: intermediates, anchors: anchors, now: now}
	s.from([]*x509.Certificate{leaf})
	if s.found == nil {
		return nil, s.nearest
	}
	return s.found, nil
}

type search struct {
	intermediates, anchors []*x509.Certificate
	now                    time.Time
	found                  []*x509.Certificate
	nearest                *fault
	near                   int
}

// The kinds of failure in order of nearness, at one length of path.
const (
	noIssuer = iota
	badSignature
	badIssuer
)

func (s *search) fail(path []*x509.Certificate, kind int, f *fault) {
	if near := 3*len(path) + kind + 1; near > s.near {
		s.near, s.nearest = near, f
	}
}

func (s *search) from(path []*x509.Certificate) {
	last := path[len(path)-1]
	named := false
	for i, issuer := range append(s.anchors[:len(s.anchors):len(s.anchors)], s.intermediates...) {
		if s.found != nil {
			return
		}
		if !bytes.Equal(issuer.RawSubject, last.RawIssuer) || contains(path, issuer) {
			continue
		}
		named = true
		if err := issuer.CheckSignature(last.SignatureAlgorithm, last.RawTBSCertificate, last.Signature); err != nil {
			s.fail(path, badSignature, faultf("chain-signature", "%q is not signed by the key of %q (%s)", last.Subject, issuer.Subject, fingerprint(issuer)))
			continue
		}
		longer := append(path[:len(path):len(path)], issuer)
		if f := issuerFault(longer, s.now); f != nil {
			s.fail(path, badIssuer, f)
			continue
		}
		if i >= len(s.anchors) {
			s.from(longer)
			continue
		}
		if f := constraintFault(longer, s.now); f != nil {
			s.fail(path, badIssuer, f)
			continue
		}
		s.found = longer
	}
	if !named {
		s.fail(path, noIssuer, faultf("chain-issuer-missing",
			"%q was issued by %q, which is neither in the trust anchor nor among the %d intermediates sent", last.Subject, last.Issuer, len(s.intermediates)))
	}
}

// issuerFault holds the last certificate of a path, a CA, against the rules
// for anchors (User Guide, "trust model") and RFC 5280, section 6.1.4.
func issuerFault(path []*x509.Certificate, now time.Time) *fault {
	ca := path[len(path)-1]
	if f := caFault(ca); f != nil {
		return f
	}
	below := 0
	for _, c := range path[1 : len(path)-1] {
		if !bytes.Equal(c.RawIssuer, c.RawSubject) {
			below++
		}
	}
	switch {
	case ca.MaxPathLen >= 0 && (ca.MaxPathLen > 0 || ca.MaxPathLenZero) && below > ca.MaxPathLen:
		return faultf("ca-path-length", "%q has pathlen %d and there are %d CAs below it", ca.Subject, ca.MaxPathLen, below)
	case now.Before(ca.NotBefore):
		return faultf("ca-not-yet-valid", "%q is valid from %s, it is %s", ca.Subject, utc(ca.NotBefore), utc(now))
	case now.After(ca.NotAfter):
		return faultf("ca-expired", "%q was valid until %s, it is %s", ca.Subject, utc(ca.NotAfter), utc(now))
	}
	return nil
}

// caFault checks what a CA certificate must be, at any time and place. It may
// have expired: CreateSession looks at that.
func caFault(ca *x509.Certificate) *fault {
	switch {
	case ca.Version != 3:
		return faultf("ca-version", "%q is of version %d", ca.Subject, ca.Version)
	case !ca.BasicConstraintsValid || !ca.IsCA:
		return faultf("ca-basic-constraints", "%q lacks basicConstraints CA:TRUE", ca.Subject)
	case ca.KeyUsage&x509.KeyUsageCertSign == 0:
		return faultf("ca-key-usage", "%q has keyUsage %s", ca.Subject, usages(ca.KeyUsage))
	case !strongSignature(ca.SignatureAlgorithm):
		return faultf("ca-signature-algorithm", "%q is signed with %s", ca.Subject, ca.SignatureAlgorithm)
	}
	switch key := ca.PublicKey.(type) {
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < minRSA || n > maxRSA {
			return faultf("ca-key-type", "the RSA key of %q has %d bits", ca.Subject, n)
		}
	case *ecdsa.PublicKey:
		if !knownCurve(key.Curve) {
			return faultf("ca-key-type", "the EC key of %q is on the curve %s", ca.Subject, key.Curve.Params().Name)
		}
	default:
		return faultf("ca-key-type", "the key of %q is of the kind %s", ca.Subject, ca.PublicKeyAlgorithm)
	}
	return nil
}

// constraintFault leaves to crypto/x509 what is left once the path is known:
// name constraints, and critical extensions that nobody understands.
func constraintFault(path []*x509.Certificate, now time.Time) *fault {
	opts := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	for _, c := range path[1 : len(path)-1] {
		opts.Intermediates.AddCert(c)
	}
	opts.Roots.AddCert(path[len(path)-1])
	_, err := path[0].Verify(opts)
	var unknown x509.UnhandledCriticalExtension
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unknown):
		return faultf("chain-critical-extension", "%q: %v", criticalOwner(path), err)
	}
	return faultf("ca-name-constraints", "%q: %v", path[0].Subject, err)
}

func criticalOwner(path []*x509.Certificate) string {
	for _, c := range path {
		if len(c.UnhandledCriticalExtensions) > 0 {
			return c.Subject.String()
		}
	}
	return path[0].Subject.String()
}

func contains(path []*x509.Certificate, c *x509.Certificate) bool {
	for _, p := range path {
		if p.Equal(c) {
			return true
		}
	}
	return false
}
