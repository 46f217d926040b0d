package main

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"daypass.dev/internal/atomicfile"
	"daypass.dev/internal/cli"
	"daypass.dev/pki"
)

// issueSettings say what to certify.
type issueSettings struct {
	commonName, organization, unit string
	uri, dns                       string
	csr, keyType, life             string
	out                            string
}

func pkiIssue() *cobra.Command {
	s := issueSettings{keyType: "ec-p256", life: "24h", out: "leaf"}
	c := &cobra.Command{
		Use:   "issue",
		Short: "issue a certificate that Roles Anywhere accepts",
		Long: `Issue makes a key and a certificate for it: OUT.pem and, with mode 0600,
OUT-key.pem. With --csr the key stays with whoever made the request; only its
public key is taken, and the names are those that you give here.`,
		Example: `  daypassctl pki issue --common-name myContainer
  daypassctl pki issue --common-name web@shop --organizational-unit shop --organization prod \
    --uri spiffe://prod.example.org/ns/shop/sa/web --lifetime 12h --out web
  daypassctl pki issue --csr web.csr --common-name web --out web`,
	}
	o := newPKIOptions(c,
		cli.Setting{Flag: "common-name", Arg: "NAME", Into: &s.commonName, Help: "the common name, on which a trust policy can recognise it"},
		cli.Setting{Flag: "organization", Arg: "NAME", Into: &s.organization, Help: "the organization"},
		cli.Setting{Flag: "organizational-unit", Arg: "NAME", Into: &s.unit, Help: "the organizational unit"},
		cli.Setting{Flag: "uri", Arg: "URI", Into: &s.uri, Help: "a URI as subject alternative name, such as a SPIFFE ID"},
		cli.Setting{Flag: "dns", Arg: "NAMES", Into: &s.dns, Help: "DNS names as subject alternative names, joined by commas"},
		cli.Setting{Flag: "csr", Arg: "FILE", Into: &s.csr, Help: "certify the key of this certificate request"},
		keyTypeSetting(&s.keyType),
		cli.Setting{Flag: "lifetime", Arg: "TIME", Into: &s.life, Help: "how long it lives, as 90m, 24h or 30d"},
		cli.Setting{Flag: "out", Arg: "NAME", Into: &s.out, Help: "write NAME.pem and NAME-key.pem, which must not exist"},
	)
	c.RunE = func(c *cobra.Command, _ []string) error {
		d, err := o.open()
		if err != nil {
			return err
		}
		leaf, key, err := s.leaf(c)
		if err != nil {
			return err
		}
		now := time.Now()
		cert, err := d.Issue(c.Context(), leaf, now)
		if err != nil {
			return refusal(err)
		}
		made := newCertificate(cert, s.certificateFile(), "")
		if key != nil {
			made.PrivateKey = s.keyFile()
			if err := s.writeKey(key); err != nil {
				return err
			}
		}
		if err := atomicfile.Create(made.Certificate, pki.EncodeCertificate(cert), 0o644); err != nil {
			return fmt.Errorf("writing certificate: %w", err)
		}
		warn(c.ErrOrStderr(), pki.Evidence{Leaf: cert, Anchors: []*x509.Certificate{d.Certificate()}}, now)
		return o.report(c.OutOrStdout(), made, made.lines()...)
	}
	return c
}

func (s issueSettings) certificateFile() string { return s.out + ".pem" }
func (s issueSettings) keyFile() string         { return s.out + "-key.pem" }

// leaf makes ready all that can go wrong before anything is changed. The key
// is nil where it stays with the request's author.
func (s issueSettings) leaf(c *cobra.Command) (leaf pki.Leaf, key crypto.Signer, err error) {
	leaf = pki.Leaf{
		Subject: pkix.Name{CommonName: s.commonName, Organization: one(s.organization), OrganizationalUnit: one(s.unit)},
		URI:     s.uri,
	}
	if s.dns != "" {
		leaf.DNSNames = strings.Split(s.dns, ",")
	}
	if s.commonName == "" {
		return leaf, nil, cli.Usagef("give --common-name; names in a request are not used", "the certificate has no common name")
	}
	if leaf.Lifetime, err = parseLife("lifetime", s.life); err != nil {
		return leaf, nil, err
	}
	if info, err := os.Stat(filepath.Dir(s.out)); err != nil || !info.IsDir() {
		return leaf, nil, cli.Usagef("", "--out: there is no folder %s", filepath.Dir(s.out))
	}
	files := []string{s.certificateFile()}
	if s.csr == "" {
		files = append(files, s.keyFile())
	}
	for _, f := range files {
		if _, err := os.Lstat(f); err == nil {
			return leaf, nil, refusal(fmt.Errorf("writing %s: %w", f, fs.ErrExist))
		}
	}
	if s.csr == "" {
		if key, err = pki.NewKey(s.keyType); err != nil {
			return leaf, nil, cli.Usagef("", "--key-type: %w", err)
		}
		leaf.PublicKey = key.Public()
		return leaf, key, nil
	}
	if c.Flags().Changed("key-type") {
		return leaf, nil, cli.Usagef("", "--csr brings its own key: --key-type has no meaning")
	}
	data, err := readFile("certificate request", s.csr)
	if err != nil {
		return leaf, nil, err
	}
	leaf.PublicKey, err = pki.RequestKey(data)
	return leaf, nil, refusal(err)
}

func (s issueSettings) writeKey(key crypto.Signer) error {
	data, err := pki.EncodeKey(key)
	if err != nil {
		return err
	}
	if err := atomicfile.Create(s.keyFile(), data, 0o600); err != nil {
		return fmt.Errorf("writing private key: %w", err)
	}
	return nil
}

// warn prints what is worth a look in a certificate that is accepted.
func warn(w io.Writer, e pki.Evidence, now time.Time) {
	for _, f := range pki.Check(e, now) {
		if f.Verdict == pki.Warn {
			fmt.Fprintf(w, "daypassctl: warning: %s: %s: %s\n", f.On, f.Rule, f.Detail)
			fmt.Fprintf(w, "daypassctl: hint: %s\n", f.Mend)
		}
	}
}

// A certificate is what init and issue report.
type certificate struct {
	Subject     string    `json:"subject"`
	URI         string    `json:"uri,omitempty"`
	Serial      string    `json:"serial"`
	Key         string    `json:"key"`
	NotBefore   time.Time `json:"notBefore"`
	NotAfter    time.Time `json:"notAfter"`
	Certificate string    `json:"certificate"`
	PrivateKey  string    `json:"privateKey,omitempty"`
}

func newCertificate(c *x509.Certificate, file, keyFile string) *certificate {
	made := &certificate{
		Subject: c.Subject.String(), Serial: pki.HexSerial(c), Key: pki.DescribeKey(c.PublicKey),
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, Certificate: file, PrivateKey: keyFile,
	}
	if len(c.URIs) > 0 {
		made.URI = c.URIs[0].String()
	}
	return made
}

func (c *certificate) lines() []line {
	return []line{
		{"subject", c.Subject}, {"uri", c.URI}, {"serial", c.Serial}, {"key", c.Key},
		{"valid until", utc(c.NotAfter)}, {"certificate", c.Certificate}, {"private key", c.PrivateKey},
	}
}
