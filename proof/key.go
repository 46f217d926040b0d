// Package proof holds what a workload can show to AWS: here a private key with
// its certificate. A proof signs or is borne; it never asks AWS anything.
package proof

import (
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

// A KeySource yields the key that is current now. Callers ask anew for every
// signature, so that a renewed certificate is taken up; nothing that they get
// may be changed.
type KeySource interface {
	Key(ctx context.Context) (*Key, error)
}
