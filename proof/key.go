// Package proof holds what a workload can show to AWS: here a private key with
// its certificate. A proof signs or is borne; it never asks AWS anything.
package proof

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
)

// A Key is a private key with the certificate made for it.
type Key struct {
	// Signer is an RSA key or an ECDSA key on P-256, P-384 or P-521; its public
	// half is Leaf's.
	Signer crypto.Signer
	Leaf   *x509.Certificate
	// Chain holds the certificates between Leaf and the root, as they stood in
	// the files; the root itself is left out. It is not checked to be in order
	// or to lead anywhere.
	Chain []*x509.Certificate
}

// Fingerprint is the SHA-256 of the leaf's DER in lower-case hex.
func (k *Key) Fingerprint() string {
	sum := sha256.Sum256(k.Leaf.Raw)
	return hex.EncodeToString(sum[:])
}

// complete tells whether each certificate of the chain issued the leaf or one
// that leads to it. A chain of an older leaf does not; one with a stranger in
// it does not, either, and may be good enough.
func (k *Key) complete() bool {
	at, left := k.Leaf, len(k.Chain)
	for range k.Chain {
		for _, c := range k.Chain {
			if c != at && issued(c, at) {
				at, left = c, left-1
				break
			}
		}
	}
	return left <= 0
}

func issued(issuer, c *x509.Certificate) bool {
	return bytes.Equal(issuer.RawSubject, c.RawIssuer) &&
		issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// A KeySource yields the key that is current now. Callers ask anew for every
// signature, so that a renewed certificate is taken up; nothing that they get
// may be changed.
type KeySource interface {
	Key(ctx context.Context) (*Key, error)
}
