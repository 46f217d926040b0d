package signer

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"daypass.dev/pki"
)

// The keys of the root's Secret.
const (
	keyRoot  = "root.pem"  // certificate and private key that sign
	keyNext  = "next.pem"  // the same of the root that is to follow
	keyOld   = "old.pem"   // certificate of the root before
	keyTrust = "trust.pem" // certificates of all of them: what to trust
)

// Annotations of the Secret.
const (
	// orderAnnotation is what an operator wants done: prepare or change.
	orderAnnotation = "daypass.dev/rotate"
	// oldUntilAnnotation is when the last leaf below the old root ends.
	oldUntilAnnotation = "daypass.dev/old-root-until"
	// leafLifeAnnotation is the longest that a leaf below the current root may
	// live.
	leafLifeAnnotation = "daypass.dev/certificate-life"
)

// Roots are what a cluster's certificates go back to.
type Roots struct {
	// Current signs the replicas' issuing CAs; zero before there is any.
	Current pki.CA
	// LeafLife is the longest that a leaf below Current may live, by any setting
	// that it has signed with.
	LeafLife time.Duration
	// Next is to be trusted already, and signs from the change on; zero unless a
	// change was prepared.
	Next pki.CA
	// Old signed before and is trusted until OldUntil; nil: there is none.
	Old      *x509.Certificate
	OldUntil time.Time
}

// Trust lists the roots to trust: the current, the next, the old one.
func (r Roots) Trust() []*x509.Certificate {
	var all []*x509.Certificate
	for _, c := range []*x509.Certificate{r.Current.Certificate, r.Next.Certificate, r.Old} {
		if c != nil {
			all = append(all, c)
		}
	}
	return all
}

// TrustPEM is Trust as Roles Anywhere's trust anchor takes it.
func (r Roots) TrustPEM() string { return trustPEM(r.Trust()) }

func trustPEM(all []*x509.Certificate) string {
	text := ""
	for _, c := range all {
		text += string(pki.EncodeCertificate(c))
	}
	return text
}

// readRoots reads what writeRoots wrote. Errors quote nothing of it.
func readRoots(s *corev1.Secret) (r Roots, err error) {
	if r.Current, err = readCA(s, keyRoot); err != nil {
		return Roots{}, err
	}
	if r.Next, err = readCA(s, keyNext); err != nil {
		return Roots{}, err
	}
	if r.Current.Certificate != nil {
		if r.LeafLife, err = time.ParseDuration(s.Annotations[leafLifeAnnotation]); err != nil || r.LeafLife <= 0 {
			r.LeafLife = longestLife // it does not tell
		}
	}
	if text := s.Data[keyOld]; len(text) > 0 {
		all, err := pki.ParseCertificates(text)
		if err != nil {
			return Roots{}, fmt.Errorf("reading %s of Secret %s: %w", keyOld, s.Name, err)
		}
		r.Old = all[0]
		if r.OldUntil, err = time.Parse(time.RFC3339, s.Annotations[oldUntilAnnotation]); err != nil {
			return Roots{}, fmt.Errorf("annotation %s of Secret %s is no time", oldUntilAnnotation, s.Name)
		}
	}
	return r, nil
}

func readCA(s *corev1.Secret, key string) (pki.CA, error) {
	text := s.Data[key]
	if len(text) == 0 {
		return pki.CA{}, nil
	}
	ca, err := parseCA(text)
	if err != nil {
		return pki.CA{}, fmt.Errorf("reading %s of Secret %s: %w", key, s.Name, err)
	}
	return ca, nil
}

// parseCA reads a root's certificate and its key.
func parseCA(text []byte) (pki.CA, error) {
	certificates, err := pki.ParseCertificates(text)
	if err != nil {
		return pki.CA{}, err
	}
	key, err := pki.ParseKey(text)
	if err != nil {
		return pki.CA{}, err
	}
	if k, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !k.Equal(certificates[0].PublicKey) {
		return pki.CA{}, errors.New("the private key is not the certificate's")
	}
	return pki.CA{Certificate: certificates[0], Signer: key}, nil
}

func writeRoots(s *corev1.Secret, r Roots) error {
	data := map[string][]byte{keyTrust: []byte(r.TrustPEM())}
	for key, ca := range map[string]pki.CA{keyRoot: r.Current, keyNext: r.Next} {
		if ca.Certificate == nil {
			continue
		}
		private, err := pki.EncodeKey(ca.Signer)
		if err != nil {
			return err
		}
		data[key] = append(pki.EncodeCertificate(ca.Certificate), private...)
	}
	if s.Annotations == nil {
		s.Annotations = map[string]string{}
	}
	s.Annotations[leafLifeAnnotation] = r.LeafLife.String()
	delete(s.Annotations, oldUntilAnnotation)
	if r.Old != nil {
		data[keyOld] = pki.EncodeCertificate(r.Old)
		s.Annotations[oldUntilAnnotation] = r.OldUntil.UTC().Format(time.RFC3339)
	}
	s.Data = data
	return nil
}

// The orders.
const (
	orderPrepare = "prepare"
	orderChange  = "change"
)

const (
	rootLife = 5 * 365 * 24 * time.Hour
	// longestLife is the most that any setting lets a leaf live.
	longestLife = 72 * time.Hour
	// lag is how long a replica may go on with the root of before.
	lag = 10 * time.Minute
)

// ErrOldRoot says that a root cannot be changed yet.
var ErrOldRoot = errors.New("leaves below the root before the last one still live: wait until they have ended")

// advance makes the next step of the roots' life, if one is due: the first
// root, what order asks for, or an old root's end. leafLife is the most that a
// leaf lives from now on, seen the end of the last leaf that is known below a
// root.
func (r Roots) advance(order string, cluster string, leafLife time.Duration, seen func(*x509.Certificate) time.Time, now time.Time) (next Roots, changed bool, err error) {
	if r.Current.Certificate == nil {
		r.Current, err = newRoot(cluster, now)
		r.LeafLife = leafLife
		return r, true, err
	}
	if leafLife > r.LeafLife {
		r.LeafLife, changed = leafLife, true
	}
	if r.Old != nil {
		if last := seen(r.Old); last.After(r.OldUntil) {
			r.OldUntil, changed = last, true
		}
		if now.After(r.OldUntil) {
			r.Old, r.OldUntil, changed = nil, time.Time{}, true
		}
	}
	switch {
	case order == orderPrepare && r.Next.Certificate == nil:
		if r.Old != nil {
			return r, changed, ErrOldRoot
		}
		r.Next, err = newRoot(cluster, now)
		return r, true, err
	case order == orderChange && r.Next.Certificate != nil:
		r.Old, r.OldUntil = r.Current.Certificate, now.Add(r.LeafLife+lag).Truncate(time.Second)
		r.Current, r.Next, r.LeafLife = r.Next, pki.CA{}, leafLife
		return r, true, nil
	}
	return r, changed, nil
}

func newRoot(cluster string, now time.Time) (pki.CA, error) {
	key, err := pki.NewKey("ec-p256")
	if err != nil {
		return pki.CA{}, err
	}
	return NewRoot(key, cluster, now)
}

// NewRoot makes a root of five years for a cluster's signer, with a name of its
// own.
func NewRoot(key crypto.Signer, cluster string, now time.Time) (pki.CA, error) {
	return pki.NewRoot(key, caName("daypass root", cluster), rootLife, now)
}
