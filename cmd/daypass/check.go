package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"daypass.dev/config"
	"daypass.dev/internal/cli"
	"daypass.dev/pki"
	"daypass.dev/proof"
)

// checkSettings say what to examine.
type checkSettings struct {
	config.Settings
	anchorFile string
	output     string
	askAWS     bool
}

func checkCommand() *cobra.Command {
	s := &checkSettings{Settings: config.Defaults(), output: "table"}
	c := &cobra.Command{
		Use:   "check",
		Short: "would Roles Anywhere accept this certificate, key and CA?",
		Long: `Check examines a certificate with its key and chain, a trust anchor's
certificates, or both, against every rule that IAM Roles Anywhere states. For
each it prints pass, fail, warn, or skip where something to judge by is
missing, and how to mend it; then the session that would result and a role
trust policy that lets this certificate in. It asks nobody: whether trust
anchor, profile and role exist is not seen.

With --live it also asks AWS, with the settings of credential-process: is the
endpoint's name known, can it be reached and believed, is this machine's clock
right, and does AWS give credentials? These it throws away.

The exit code is 3 if any rule fails.`,
		Example: `  daypass check --trust-anchor-file ca.pem
  daypass check --certificate tls.crt --private-key tls.key --trust-anchor-file ca.pem
  daypass check --certificate tls.crt -o json | jq .trustPolicy
  daypass check --live --certificate tls.crt --private-key tls.key --role-arn …`,
	}
	cli.Bind(c, s.table()...)
	c.Flags().StringVarP(&s.output, "output", "o", s.output, "print as `FORMAT`, table or json")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if s.output != "table" && s.output != "json" {
			return cli.Usagef("", "--output: %q is neither table nor json", s.output)
		}
		evidence, err := s.evidence(c.Context())
		if err != nil {
			return err
		}
		var live []pki.Finding
		if s.askAWS {
			if live, err = s.live(c.Context()); err != nil {
				return err
			}
		}
		anchor, _, _ := strings.Cut(s.TrustAnchorARN, ",") // the first of several
		r := newReport(evidence, strings.TrimSpace(anchor), time.Now())
		r.add(live)
		if err := r.print(c.OutOrStdout(), s.output); err != nil {
			return err
		}
		if failed := r.failed(); len(failed) > 0 {
			if strings.HasPrefix(failed[0], "live-") { // all rules pass, they come first
				return cli.Nof("", "AWS gives no credentials now: %s", strings.Join(failed, ", "))
			}
			return cli.Nof("", "Roles Anywhere would refuse this: %s", strings.Join(failed, ", "))
		}
		return nil
	}
	return c
}

// table is what of the settings concerns a certificate, and the anchor's file.
func (s *checkSettings) table() []cli.Setting {
	tokens := s.TokenTable()
	all := slices.DeleteFunc(s.Table(), func(row cli.Setting) bool {
		return slices.ContainsFunc(tokens, func(t cli.Setting) bool { return t.Into == row.Into })
	})
	return append(all,
		cli.Setting{Flag: "trust-anchor-file", Arg: "FILE", Into: &s.anchorFile,
			Help: "PEM file with the certificates of the trust anchor"},
		cli.Setting{Flag: "live", Into: &s.askAWS, Help: "also ask AWS: name, connection, clock, and credentials once"})
}

// evidence reads the files. What daypass would not use is still examined, as
// long as it can be read at all.
func (s *checkSettings) evidence(ctx context.Context) (e pki.Evidence, err error) {
	switch {
	case s.Certificate == "" && s.anchorFile == "":
		return e, cli.Usagef("give --certificate (or DAYPASS_CERTIFICATE), --trust-anchor-file, or both", "there is nothing to check")
	case s.Certificate == "" && (s.PrivateKey != "" || s.Intermediates != ""):
		return e, cli.Usagef("give --certificate (or DAYPASS_CERTIFICATE)", "--private-key and --intermediates belong to a certificate")
	case s.Certificate != "":
		if key, whole := s.Keys(nil).Key(ctx); whole == nil {
			e.Leaf, e.Intermediates, e.Key = key.Leaf, key.Chain, key.Signer.Public()
		} else if err := s.pieces(&e, whole); err != nil {
			return e, err
		}
	}
	if s.anchorFile == "" {
		return e, nil
	}
	if e.Anchors, e.Bundle, err = readCertificates(s.anchorFile); err != nil {
		return e, cli.Usagef("name a PEM file with --trust-anchor-file", "reading trust anchor %s: %w", s.anchorFile, err)
	}
	return e, nil
}

// pieces reads certificates and key that daypass would not use together: the
// first certificate is the leaf, as for AWS's own helper. whole is why they
// are not used; where a file cannot be read at all, it says it best.
func (s *checkSettings) pieces(e *pki.Evidence, whole error) error {
	unreadable := func(what, path string, err error) error {
		var file *proof.FileError
		if errors.As(whole, &file) && file.Path == path {
			return said(whole)
		}
		return cli.Usagef("", "reading %s %s: %w", what, path, err)
	}
	certs, data, err := readCertificates(s.Certificate)
	if err != nil {
		return unreadable("certificate", s.Certificate, err)
	}
	e.Leaf, e.Intermediates = certs[0], certs[1:]
	if s.Intermediates != "" {
		if certs, _, err = readCertificates(s.Intermediates); err != nil {
			return unreadable("intermediates", s.Intermediates, err)
		}
		e.Intermediates = append(e.Intermediates, certs...)
	}
	path := s.PrivateKey
	if path != "" {
		if data, err = readSmall(path); err != nil {
			return unreadable("private key", path, err)
		}
	} else if path = s.Certificate; !bytes.Contains(data, []byte("PRIVATE KEY-----")) {
		return nil // a leaf alone
	}
	key, err := pki.ParseKey(data)
	if err != nil {
		return unreadable("private key", path, err)
	}
	e.Key = key.Public()
	return nil
}

func readCertificates(path string) ([]*x509.Certificate, []byte, error) {
	data, err := readSmall(path)
	if err != nil {
		return nil, nil, err
	}
	certs, err := pki.ParseCertificates(data)
	return certs, data, err
}

// readSmall reads a file; its errors leave the path to the caller.
func readSmall(path string) ([]byte, error) {
	data, err := cli.ReadFile(path, cli.Small)
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		err = at.Err
	}
	return data, err
}

// A checkReport is what check prints.
type checkReport struct {
	Accepted bool          `json:"accepted"`
	Findings []pki.Finding `json:"findings"`
	// Session and TrustPolicy are absent without a leaf, the policy also where
	// nothing in the leaf can be recognised.
	Session     *pki.Session    `json:"session,omitempty"`
	TrustPolicy json.RawMessage `json:"trustPolicy,omitempty"`
	noPolicy    error
}

func newReport(e pki.Evidence, anchorARN string, now time.Time) checkReport {
	r := checkReport{Findings: pki.Check(e, now)}
	r.Accepted = !pki.Refused(r.Findings)
	if e.Leaf != nil {
		r.Session = sessionOf(e.Leaf)
		r.TrustPolicy, r.noPolicy = pki.TrustPolicy(e.Leaf, anchorARN)
	}
	return r
}

// add puts findings beside those of the rules.
func (r *checkReport) add(more []pki.Finding) {
	r.Findings = append(r.Findings, more...)
	r.Accepted = r.Accepted && !pki.Refused(more)
}

func sessionOf(leaf *x509.Certificate) *pki.Session {
	s := pki.SessionOf(leaf)
	return &s
}

// failed lists the rules that fail, each once.
func (r checkReport) failed() []string {
	var slugs []string
	for _, f := range r.Findings {
		if f.Verdict == pki.Fail && !slices.Contains(slugs, f.Rule) {
			slugs = append(slugs, f.Rule)
		}
	}
	return slugs
}

func (r checkReport) print(w io.Writer, form string) error {
	var out bytes.Buffer
	if form == "json" {
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(r); err != nil {
			return err
		}
	} else {
		r.table(&out)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// table shows rules that could not be judged for one and the same reason as
// one line.
func (r checkReport) table(out *bytes.Buffer) {
	counts := map[pki.Verdict]int{}
	skipped := map[string]int{} // why -> rules
	for _, f := range r.Findings {
		counts[f.Verdict]++
		if f.Verdict == pki.Skip {
			skipped[f.Detail]++
		}
	}
	for _, f := range r.Findings {
		if f.Verdict == pki.Skip && skipped[f.Detail] > 1 {
			continue
		}
		fmt.Fprintf(out, "%-4s  %-14s  %-24s  %s\n", f.Verdict, f.On, f.Rule, f.Detail)
		if f.Mend != "" {
			fmt.Fprintf(out, "      mend: %s\n", f.Mend)
		}
	}
	for _, why := range slices.Sorted(maps.Keys(skipped)) {
		if skipped[why] > 1 {
			fmt.Fprintf(out, "%-4s  %d rules: %s\n", pki.Skip, skipped[why], why)
		}
	}
	word := "accepted, as far as can be told"
	if !r.Accepted {
		word = "refused"
	}
	fmt.Fprintf(out, "\n%s: %d pass, %d fail, %d warn, %d skip\n",
		word, counts[pki.Pass], counts[pki.Fail], counts[pki.Warn], counts[pki.Skip])
	if r.Session == nil {
		return
	}
	fmt.Fprintf(out, "\nsession name     %s\nsource identity  %s\n", r.Session.Name, pki.Printable(r.Session.SourceIdentity))
	for _, t := range r.Session.Tags {
		fmt.Fprintf(out, "session tag      %s = %s\n", t.Key, pki.Printable(t.Value))
	}
	if r.noPolicy != nil {
		fmt.Fprintf(out, "\nno trust policy: %v\n", r.noPolicy)
		return
	}
	fmt.Fprintf(out, "\ntrust policy for this certificate:\n%s", r.TrustPolicy)
}
