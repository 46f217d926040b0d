package pki

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"time"
)

// NewRoot makes a root whose CAs sign leaves: pathlen 1. It is what Roles
// Anywhere gets as the trust anchor, and it signs leaves itself as NewCA's do.
// Subject is held to the rules of Leaf.Subject. Errors are *RefusedError, or
// the signer's.
func NewRoot(signer crypto.Signer, subject pkix.Name, lifetime time.Duration, now time.Time) (CA, error) {
	return newRoot(signer, subject, lifetime, now, 1)
}

// IssueCA certifies a CA of its own key below this one. It signs leaves only
// (pathlen 0) and revocation lists, and must end before this one does. Errors
// are *RefusedError, or this CA's signer's.
func (ca CA) IssueCA(signer crypto.Signer, subject pkix.Name, lifetime time.Duration, now time.Time) (CA, error) {
	if err := ca.Check(now); err != nil {
		return CA{}, err
	}
	if ca.Certificate.MaxPathLenZero {
		return CA{}, refuse("ca-path-length", "%s has pathlen 0 and signs no CA", title(ca.Certificate))
	}
	if end := now.Add(lifetime); end.After(ca.Certificate.NotAfter) {
		return CA{}, refuse("request-lifetime", "a lifetime of %s would end at %s, the CA ends at %s",
			lifetime, utc(end), utc(ca.Certificate.NotAfter))
	}
	t, err := newCATemplate(signer.Public(), subject, lifetime, now, 0)
	if err != nil {
		return CA{}, err
	}
	t.AuthorityKeyId = ca.Certificate.SubjectKeyId
	c, err := sign(t, ca.Certificate, signer.Public(), ca.Signer)
	if err != nil {
		return CA{}, err
	}
	below := CA{Certificate: c, Signer: signer, Above: append([]*x509.Certificate{ca.Certificate}, ca.Above...)}
	return below, below.Check(now)
}
