package pki

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// A Revoked certificate is an entry of a revocation list.
type Revoked struct {
	Serial *big.Int
	Time   time.Time
}

// CRL signs a revocation list (X.509 version 2) and returns it as PEM. number
// must grow from list to list. Roles Anywhere imports lists of at most 300,000
// bytes, some 5,000 entries, and reads no distribution points; what it does
// after next is not known. A CA without keyUsage cRLSign, or with a key that is
// not its certificate's, is refused with a *RefusedError.
func (ca CA) CRL(revoked []Revoked, number int64, now, next time.Time) ([]byte, error) {
	if err := ca.CheckKey(); err != nil {
		return nil, err
	}
	if ca.Certificate.KeyUsage&x509.KeyUsageCRLSign == 0 {
		return nil, refuse("ca-crl-sign", "the CA %s cannot revoke: %s, and lacks cRLSign",
			title(ca.Certificate), describeUsage(ca.Certificate.KeyUsage))
	}
	if !next.After(now) {
		return nil, refuse("request-lifetime", "the list would end at %s, now is %s", utc(next), utc(now))
	}
	t := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: now, NextUpdate: next}
	for _, r := range revoked {
		t.RevokedCertificateEntries = append(t.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: r.Serial, RevocationTime: r.Time})
	}
	issuer := *ca.Certificate
	if len(issuer.SubjectKeyId) == 0 { // Go insists on one
		id, err := keyID(issuer.PublicKey)
		if err != nil {
			return nil, err
		}
		issuer.SubjectKeyId = id
	}
	der, err := x509.CreateRevocationList(rand.Reader, t, &issuer, ca.Signer)
	if err != nil {
		return nil, fmt.Errorf("signing revocation list: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: blockCRL, Bytes: der}), nil
}
