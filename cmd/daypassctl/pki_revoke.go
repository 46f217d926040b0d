package main

import (
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"daypass.dev/internal/cli"
	"daypass.dev/pki"
	"daypass.dev/pki/cadir"
)

// A crlReport is what revoke and crl report.
type crlReport struct {
	Revoked *cadir.Entry `json:"revoked,omitempty"`
	cadir.CRL
	File string `json:"crl"`
}

func (r crlReport) lines() []line {
	var lines []line
	if r.Revoked != nil {
		lines = []line{{"revoked", r.Revoked.Subject}, {"serial", r.Revoked.Serial}, {"since", utc(r.Revoked.Revoked)}}
	}
	return append(lines, line{"list", r.File}, line{"number", strconv.FormatInt(r.Number, 10)},
		line{"entries", strconv.Itoa(r.Entries)}, line{"next update", utc(r.Next)})
}

func pkiRevoke() *cobra.Command {
	life := "30d"
	c := &cobra.Command{
		Use:   "revoke SERIAL|CERTIFICATE",
		Short: "revoke a certificate and write the revocation list",
		Long: `Revoke enters a certificate into the CA's revocation list, by its file or by
its serial number in hex, and writes crl.pem in the CA's folder. AWS refuses
the certificate once that list is imported, and sessions that it got before
stay good until they end:

  aws rolesanywhere import-crl --enabled --name NAME --trust-anchor-arn ARN --crl-data fileb://ca/crl.pem

A later list replaces it with update-crl.`,
		Example: `  daypassctl pki revoke leaf.pem
  daypassctl pki revoke 7f3a09…`,
		Args: cobra.ExactArgs(1),
	}
	o := newPKIOptions(c, crlLife(&life))
	c.RunE = func(c *cobra.Command, args []string) error {
		d, err := o.open()
		if err != nil {
			return err
		}
		lifetime, err := parseLife("lifetime", life)
		if err != nil {
			return err
		}
		now := time.Now()
		entry, err := revokeOne(c, d, args[0], now)
		if err != nil {
			return refusal(err)
		}
		return o.writeCRL(c, d, lifetime, now, &entry)
	}
	return c
}

// revokeOne takes what is a file for a file, else it must be a serial number.
func revokeOne(c *cobra.Command, d *cadir.Dir, arg string, now time.Time) (cadir.Entry, error) {
	if _, err := os.Stat(arg); err == nil {
		data, err := readFile("certificate", arg)
		if err != nil {
			return cadir.Entry{}, err
		}
		certs, err := pki.ParseCertificates(data)
		if err != nil {
			return cadir.Entry{}, cli.Usagef("", "reading certificate %s: %w", arg, err)
		}
		return d.RevokeCertificate(c.Context(), certs[0], now)
	}
	serial, err := cadir.ParseSerial(arg)
	if err != nil {
		return cadir.Entry{}, cli.Usagef("", "there is no file %q, and as a serial number: %w", arg, err)
	}
	return d.Revoke(c.Context(), serial, now)
}

func pkiCRL() *cobra.Command {
	life := "30d"
	c := &cobra.Command{
		Use:   "crl",
		Short: "write the revocation list anew",
		Long: `Crl writes crl.pem in the CA's folder with a new number and a new end. Run it
before the list that AWS has ends.`,
		Example: `  daypassctl pki crl && aws rolesanywhere update-crl --crl-id ID --crl-data fileb://ca/crl.pem`,
	}
	o := newPKIOptions(c, crlLife(&life))
	c.RunE = func(c *cobra.Command, _ []string) error {
		d, err := o.open()
		if err != nil {
			return err
		}
		lifetime, err := parseLife("lifetime", life)
		if err != nil {
			return err
		}
		return o.writeCRL(c, d, lifetime, time.Now(), nil)
	}
	return c
}

func crlLife(into *string) cli.Setting {
	return cli.Setting{Flag: "lifetime", Arg: "TIME", Into: into, Help: "how long the list is good for, as 30d"}
}

func (o *pkiOptions) writeCRL(c *cobra.Command, d *cadir.Dir, life time.Duration, now time.Time, revoked *cadir.Entry) error {
	list, err := d.WriteCRL(c.Context(), life, now)
	if err != nil {
		return refusal(err)
	}
	r := crlReport{revoked, list, d.File(cadir.CRLFile)}
	return o.report(c.OutOrStdout(), r, r.lines()...)
}
