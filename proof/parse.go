package proof

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// parse makes a key of what was read.
func (f *KeyFiles) parse(s snapshot) (*Key, error) {
	main := s.find(certificateFile)
	holder := s.find(keyFile)
	if holder == nil {
		holder = main
	}
	signer, err := holder.signer()
	if err != nil {
		return nil, holder.fault(err)
	}
	certificates, err := main.certificates()
	if err != nil {
		return nil, main.fault(err)
	}
	leaf := leafOf(certificates, signer)
	if leaf == nil {
		first := certificates[0]
		return nil, holder.fault(&mistake{
			text: fmt.Sprintf("the key (%s) belongs to no certificate in %s (%s: %s)",
				describe(signer.Public()), main.path, name(first), describe(first.PublicKey)),
			hint: "name the key that the certificate was made for, or the certificate made for this key",
		})
	}
	if extra := s.find(intermediatesFile); extra != nil {
		more, err := extra.certificates()
		if err != nil {
			return nil, extra.fault(err)
		}
		certificates = append(certificates, more...)
	}
	return &Key{Signer: signer, Leaf: leaf, Chain: chain(certificates, leaf)}, nil
}

// leafOf is the certificate that belongs to the key; of several, as a renewed
// one beside its forerunner, the one that expires last.
func leafOf(certificates []*x509.Certificate, signer crypto.Signer) (leaf *x509.Certificate) {
	public, _ := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	for _, c := range certificates {
		if public.Equal(c.PublicKey) && (leaf == nil || c.NotAfter.After(leaf.NotAfter)) {
			leaf = c
		}
	}
	return leaf
}

// chain is what stands between leaf and root: AWS knows the root as the trust
// anchor and does not want it, and a leaf's forerunners prove nothing.
func chain(certificates []*x509.Certificate, leaf *x509.Certificate) []*x509.Certificate {
	var out []*x509.Certificate
	seen := map[string]bool{}
	for _, c := range certificates {
		root := bytes.Equal(c.RawSubject, c.RawIssuer) &&
			(len(c.AuthorityKeyId) == 0 || bytes.Equal(c.AuthorityKeyId, c.SubjectKeyId))
		sameKey := bytes.Equal(c.RawSubjectPublicKeyInfo, leaf.RawSubjectPublicKeyInfo)
		if root || sameKey || seen[string(c.Raw)] {
			continue
		}
		seen[string(c.Raw)] = true
		out = append(out, c)
	}
	return out
}

// certificates returns at least one.
func (p *part) certificates() ([]*x509.Certificate, error) {
	blocks, err := p.blocks()
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for _, b := range blocks {
		if b.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, &mistake{text: fmt.Sprintf("certificate %d is damaged: %v", len(out)+1, err)}
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, noCertificate(blocks, p.path)
	}
	return out, nil
}

// signer returns the only private key.
func (p *part) signer() (crypto.Signer, error) {
	blocks, err := p.blocks()
	if err != nil {
		return nil, err
	}
	var found []*pem.Block
	for _, b := range blocks {
		if strings.HasSuffix(b.Type, "PRIVATE KEY") {
			found = append(found, b)
		}
	}
	switch len(found) {
	case 0:
		return nil, noKey(blocks, p.what)
	case 1:
		return parseKey(found[0], p.path)
	}
	return nil, &mistake{text: fmt.Sprintf("it holds %d private keys", len(found)), hint: "leave only the one that the certificate was made for"}
}

// parseKey says nothing of what stands in the block: x509's errors do not
// either, but they may change.
func parseKey(b *pem.Block, path string) (crypto.Signer, error) {
	var key any
	var err error
	_, legacy := b.Headers["DEK-Info"]
	switch {
	case legacy || b.Type == "ENCRYPTED PRIVATE KEY":
		return nil, &mistake{
			text: "the key is encrypted, which is not supported yet",
			hint: fmt.Sprintf("openssl pkey -in %s -out %s.plain, with umask 077", path, path),
		}
	case b.Type == "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(b.Bytes)
	case b.Type == "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(b.Bytes)
	case b.Type == "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(b.Bytes)
	default:
		return nil, unknownKey(b.Type, path)
	}
	if err != nil {
		return nil, &mistake{text: fmt.Sprintf("the %s block does not parse", b.Type), hint: "openssl pkey -noout -check -in " + path + " says whether the key is damaged"}
	}
	signer, ok := key.(crypto.Signer)
	if !ok || !usable(signer.Public()) {
		return nil, &mistake{
			text: fmt.Sprintf("Roles Anywhere takes no key of kind %s", describe(key)),
			hint: "make an RSA key, or an EC key on P-256, P-384 or P-521, and a certificate for it",
		}
	}
	return signer, nil
}

func usable(public crypto.PublicKey) bool {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return true
	case *ecdsa.PublicKey:
		return k.Curve == elliptic.P256() || k.Curve == elliptic.P384() || k.Curve == elliptic.P521()
	}
	return false
}

// describe names a key's kind, of a public or private key.
func describe(key any) string {
	if s, ok := key.(crypto.Signer); ok {
		key = s.Public()
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "EC " + k.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return fmt.Sprintf("%T", key)
}

// name is a certificate's subject, short enough for an error.
func name(c *x509.Certificate) string {
	const most = 80
	s := c.Subject.String()
	if len(s) > most {
		s = s[:most] + "…"
	}
	if s == "" {
		return "empty subject"
	}
	return fmt.Sprintf("%q", s)
}

// A mistake is what is wrong with a file's content.
type mistake struct{ text, hint string }

func (m *mistake) Error() string { return m.text }

func (p *part) fault(err error) error {
	e := &FileError{What: p.what, Path: p.path, Err: err}
	if m := (*mistake)(nil); errors.As(err, &m) {
		e.Hint = m.hint
	}
	return e
}
