package main

import (
	"crypto/x509/pkix"
	"time"

	"github.com/spf13/cobra"

	"daypass.dev/internal/cli"
	"daypass.dev/pki"
	"daypass.dev/pki/cadir"
)

// initSettings say what CA to make or take over.
type initSettings struct {
	commonName, organization string
	keyType, life            string
	fromCertificate, fromKey string
}

func pkiInit() *cobra.Command {
	s := initSettings{commonName: "daypass CA", keyType: "ec-p256", life: "1095d"}
	c := &cobra.Command{
		Use:   "init",
		Short: "make a CA in a new folder",
		Long: `Init makes a CA that Roles Anywhere takes as a trust anchor: ca.pem in the
folder is what to register. With --from-certificate and --from-private-key it
takes over a CA made elsewhere; what that CA issued before can be revoked by
the certificate's file.`,
		Example: `  daypassctl pki init
  daypassctl pki init --dir prod-ca --common-name "Shop CA" --key-type rsa-3072 --lifetime 365d
  daypassctl pki init --dir ca --from-certificate ca_cert.pem --from-private-key ca_key.pem`,
	}
	o := newPKIOptions(c,
		cli.Setting{Flag: "common-name", Arg: "NAME", Into: &s.commonName, Help: "the CA's common name"},
		cli.Setting{Flag: "organization", Arg: "NAME", Into: &s.organization, Help: "the CA's organization"},
		keyTypeSetting(&s.keyType),
		cli.Setting{Flag: "lifetime", Arg: "TIME", Into: &s.life, Help: "how long the CA lives, as 1095d"},
		cli.Setting{Flag: "from-certificate", Arg: "FILE", Into: &s.fromCertificate, Help: "take over the CA with this certificate"},
		cli.Setting{Flag: "from-private-key", Arg: "FILE", Into: &s.fromKey, Help: "its private key in PEM, not encrypted"},
	)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := o.check(); err != nil {
			return err
		}
		now := time.Now()
		ca, err := s.ca(now)
		if err != nil {
			return err
		}
		d, err := cadir.Create(o.dir, ca, now)
		if err != nil {
			return refusal(err)
		}
		made := newCertificate(d.Certificate(), d.File(cadir.CertificateFile), d.File(cadir.KeyFile))
		return o.report(c.OutOrStdout(), made, made.lines()...)
	}
	return c
}

func keyTypeSetting(into *string) cli.Setting {
	return cli.Setting{Flag: "key-type", Arg: "TYPE", Into: into, Help: "ec-p256, ec-p384, ec-p521, rsa-2048, rsa-3072 or rsa-4096"}
}

func (s initSettings) ca(now time.Time) (pki.CA, error) {
	if s.fromCertificate != "" || s.fromKey != "" {
		return s.takeOver()
	}
	life, err := parseLife("lifetime", s.life)
	if err != nil {
		return pki.CA{}, err
	}
	key, err := pki.NewKey(s.keyType)
	if err != nil {
		return pki.CA{}, cli.Usagef("", "--key-type: %w", err)
	}
	ca, err := pki.NewCA(key, pkix.Name{CommonName: s.commonName, Organization: one(s.organization)}, life, now)
	return ca, refusal(err)
}

func (s initSettings) takeOver() (pki.CA, error) {
	if s.fromCertificate == "" || s.fromKey == "" {
		return pki.CA{}, cli.Usagef("", "--from-certificate and --from-private-key belong together")
	}
	data, err := readFile("the CA's certificate", s.fromCertificate)
	if err != nil {
		return pki.CA{}, err
	}
	certs, err := pki.ParseCertificates(data)
	if err != nil {
		return pki.CA{}, cli.Usagef("", "reading the CA's certificate %s: %w", s.fromCertificate, err)
	}
	if len(certs) != 1 {
		return pki.CA{}, cli.Usagef("", "reading the CA's certificate %s: it holds %d certificates", s.fromCertificate, len(certs))
	}
	if data, err = readFile("the CA's private key", s.fromKey); err != nil {
		return pki.CA{}, err
	}
	key, err := pki.ParseKey(data)
	if err != nil {
		return pki.CA{}, cli.Usagef("", "reading the CA's private key %s: %w", s.fromKey, err)
	}
	return pki.CA{Certificate: certs[0], Signer: key}, nil
}

// one is the list of a value that may be absent.
func one(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
