package pki

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"slices"
)

// A route is the way from the leaf to an anchor, by names and signatures
// alone; dates, usages and constraints are for the rules.
type route struct {
	// path starts with the leaf and ends with an anchor; empty if there is no
	// way, or no leaf or no anchor.
	path []*x509.Certificate
	// forged are links whose names fit and whose signature does not.
	forged []link
	// unverified are links whose signature this program cannot judge.
	unverified []link
	// last is where the search came furthest when there is no path.
	last *x509.Certificate
	// verified counts links whose signature is right.
	verified int
}

type link struct{ child, issuer *x509.Certificate }

func (r *route) holds(c *x509.Certificate) bool {
	return slices.ContainsFunc(r.path, func(p *x509.Certificate) bool { return bytes.Equal(p.Raw, c.Raw) })
}

// findRoute searches breadth first and visits each certificate once, so that
// many CAs of one name cannot make it slow.
func findRoute(e Evidence) route {
	var r route
	if e.Leaf == nil {
		return r
	}
	from := map[*x509.Certificate]*x509.Certificate{} // certificate -> the one below it
	queue := []*x509.Certificate{e.Leaf}
	for len(queue) > 0 {
		child := queue[0]
		queue = queue[1:]
		r.last = child
		for _, issuer := range e.Anchors {
			if r.linked(child, issuer) {
				r.path = trace(from, child, issuer)
				return r
			}
		}
		for _, issuer := range e.Intermediates {
			if _, seen := from[issuer]; !seen && issuer != e.Leaf && r.linked(child, issuer) {
				from[issuer] = child
				queue = append(queue, issuer)
			}
		}
	}
	return r
}

func trace(from map[*x509.Certificate]*x509.Certificate, last, anchor *x509.Certificate) []*x509.Certificate {
	path := []*x509.Certificate{anchor}
	for c := last; c != nil; c = from[c] {
		path = append(path, c)
	}
	slices.Reverse(path)
	return path
}

// linked reports whether issuer signed child, or may have, where the
// algorithm is one that Go refuses or does not know.
func (r *route) linked(child, issuer *x509.Certificate) bool {
	if !bytes.Equal(child.RawIssuer, issuer.RawSubject) {
		return false
	}
	err := verifySignature(child, issuer)
	var insecure x509.InsecureAlgorithmError
	switch {
	case err == nil:
		r.verified++
		return true
	case errors.As(err, &insecure), errors.Is(err, x509.ErrUnsupportedAlgorithm):
		r.unverified = append(r.unverified, link{child, issuer})
		return true
	}
	r.forged = append(r.forged, link{child, issuer})
	return false
}

// verifySignature refuses huge keys, which cost minutes.
func verifySignature(child, issuer *x509.Certificate) error {
	if k, ok := issuer.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() > 2*maxRSA {
		return x509.ErrUnsupportedAlgorithm
	}
	return issuer.CheckSignature(child.SignatureAlgorithm, child.RawTBSCertificate, child.Signature)
}
