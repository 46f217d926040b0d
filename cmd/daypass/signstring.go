package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/spf13/cobra"

	"daypass.dev/internal/cli"
	"daypass.dev/proof"
)

// A testSignature is what sign-string is told.
type testSignature struct{ digest, format string }

func digests() map[string]crypto.Hash {
	return map[string]crypto.Hash{"SHA256": crypto.SHA256, "SHA384": crypto.SHA384, "SHA512": crypto.SHA512}
}

func signString() *cobra.Command {
	s := &testSignature{digest: "SHA256", format: "json"}
	c := &cobra.Command{
		Use:   "sign-string",
		Short: "sign a test text with the private key",
		Long: `Sign-string shows that the private key can be used. It signs one text, which
says of itself that it is a test and can be nothing else: "AWS Roles Anywhere
Credential Helper Signing Test1", then the SHA-256 of "IAM RA" and the public
key (the uncompressed point, or PKCS #1). It prints the signature (ASN.1 of an
EC key, PKCS #1 v1.5 of an RSA key) and no newline.`,
		Example: `  daypass sign-string --certificate tls.crt --private-key tls.key --format text`,
	}
	o := &options{}
	o.bind(c, o.KeyTable(), []cli.Setting{
		{Flag: "digest", Arg: "NAME", Into: &s.digest, Help: "SHA256, SHA384 or SHA512"},
		{Flag: "format", Arg: "FORMAT", Into: &s.format, Help: "json or text for hexadecimal digits, or bin"},
	})
	c.RunE = func(c *cobra.Command, _ []string) error {
		log, err := o.logger(c.ErrOrStderr(), slog.LevelWarn)
		if err != nil {
			return err
		}
		return s.run(c.Context(), o, c.OutOrStdout(), log)
	}
	return c
}

// check is for flags that take one of several words.
func (s *testSignature) check() error {
	if _, ok := digests()[s.digest]; !ok {
		return cli.Usagef("", "--digest: %q is none of SHA256, SHA384 and SHA512", s.digest)
	}
	if !slices.Contains([]string{"json", "text", "bin"}, s.format) {
		return cli.Usagef("", "--format: %q is none of json, text and bin", s.format)
	}
	return nil
}

func (s *testSignature) run(ctx context.Context, o *options, w io.Writer, log *slog.Logger) error {
	if err := s.check(); err != nil {
		return err
	}
	if o.Certificate == "" {
		return cli.Usagef("give --certificate (or DAYPASS_CERTIFICATE)", "--certificate is missing")
	}
	key, err := o.Keys(log).Key(ctx)
	if err != nil {
		return said(err)
	}
	signature, err := s.sign(key)
	if err != nil {
		return fmt.Errorf("signing the test text: %w", err)
	}
	switch s.format {
	case "json":
		_, err = fmt.Fprintf(w, `"%x"`, signature)
	case "text":
		_, err = io.WriteString(w, hex.EncodeToString(signature))
	case "bin":
		_, err = w.Write(signature)
	}
	return err
}

func (s *testSignature) sign(key *proof.Key) ([]byte, error) {
	text, err := testText(key.Leaf.PublicKey)
	if err != nil {
		return nil, err
	}
	hash := digests()[s.digest]
	h := hash.New()
	h.Write(text)
	return key.Signer.Sign(rand.Reader, h.Sum(nil), hash)
}

// testText is what aws_signing_helper signs.
func testText(public crypto.PublicKey) (text []byte, err error) {
	var point []byte
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		point, err = k.Bytes()
	case *rsa.PublicKey:
		point = x509.MarshalPKCS1PublicKey(k)
	default:
		err = fmt.Errorf("there is no test text for a %T", public)
	}
	sum := sha256.Sum256(append([]byte("IAM RA"), point...))
	return append([]byte("AWS Roles Anywhere Credential Helper Signing Test1"), sum[:]...), err
}
