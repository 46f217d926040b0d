package proof

import (
	"bytes"
	"context"
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

	"daypass.dev"
)

// parse makes a key of what was read.
func (f *KeyFiles) parse(ctx context.Context, s snapshot) (*Key, error) {
	ask := func(path string) (daypass.Secret, error) {
		if f.Password == nil {
			return "", errNoPassword
		}
		return f.Password(ctx, path)
	}
	main := s.find(certificateFile)
	holder := s.find(keyFile)
	if holder == nil {
		holder = main
	}
	signer, err := holder.signer(ask)
	if err != nil {
		return nil, holder.fault(err)
	}
	certificates, err := main.certificates(ask)
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
		more, err := extra.certificates(ask)
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
func (p *part) certificates(ask asker) ([]*x509.Certificate, error) {
	blocks, err := p.blocks(ask)
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
func (p *part) signer(ask asker) (crypto.Signer, error) {
	blocks, err := p.blocks(ask)
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
		return parseKey(found[0], p.path, ask)
	}
	return nil, &mistake{text: fmt.Sprintf("it holds %d private keys", len(found)), hint: "leave only the one that the certificate was made for"}
}

// parseKey says nothing of what stands in the block: x509's errors do not
// either, but they may change.
func parseKey(b *pem.Block, path string, ask asker) (crypto.Signer, error) {
	kind, der := b.Type, b.Bytes
	_, legacy := b.Headers["DEK-Info"]
	encrypted := legacy || kind == "ENCRYPTED PRIVATE KEY"
	if encrypted {
		var err error
		if der, err = decrypt(b, path, ask); err != nil {
			return nil, err
		}
	}
	var key any
	var err error
	switch kind {
	case "PRIVATE KEY", "ENCRYPTED PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(der)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(der)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(der)
	default:
		return nil, unknownKey(kind, path)
	}
	switch {
	case err != nil && encrypted:
		return nil, unopened(errPassword, "")
	case err != nil:
		return nil, &mistake{text: fmt.Sprintf("the %s block does not parse", kind), hint: "openssl pkey -noout -check -in " + path + " says whether the key is damaged"}
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

// decrypt opens an encrypted private key: PKCS#8, or what OpenSSL wrote before
// (RFC 1421 section 4.6.1).
func decrypt(b *pem.Block, path string, ask asker) (der []byte, err error) {
	password, err := ask(path)
	if err != nil {
		return nil, fmt.Errorf("the key is encrypted: %w", err)
	}
	if b.Type == "ENCRYPTED PRIVATE KEY" {
		der, err = decryptPKCS8(b.Bytes, password.Reveal())
	} else {
		//lint:ignore SA1019 such files are still about
		der, err = x509.DecryptPEMBlock(b, []byte(password.Reveal()))
		switch {
		case errors.Is(err, x509.IncorrectPasswordError):
			err = errPassword
		case err != nil:
			err = errDamaged // or of a cipher that x509 does not know
		}
	}
	return der, unopened(err, "openssl pkey -in "+path+" -aes256 -out "+path+".new writes it anew")
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
type mistake struct {
	text, hint string
	cause      error // nil: nothing but the text
}

func (m *mistake) Error() string { return m.text }
func (m *mistake) Unwrap() error { return m.cause }

func (p *part) fault(err error) error {
	e := &FileError{What: p.what, Path: p.path, Err: err}
	if m := (*mistake)(nil); errors.As(err, &m) {
		e.Hint = m.hint
	} else if errors.Is(err, errNoPassword) {
		e.Hint = "give its password"
	}
	return e
}
