package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"daypass.dev/internal/cli"
	"daypass.dev/pki"
	"daypass.dev/pki/cadir"
	"daypass.dev/reason"
)

func pkiCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "pki",
		Short: "a small certificate authority for IAM Roles Anywhere",
		Long: `Pki keeps a certificate authority in a folder and issues certificates that
IAM Roles Anywhere accepts. Its key is not encrypted: keep the folder where
you would keep a root key. Where you have a PKI, use that, and check what it
issues with daypass check.`,
	}
	c.AddCommand(pkiInit(), pkiIssue(), pkiRevoke(), pkiCRL(), pkiRotate())
	return c
}

// pkiOptions are what every pki command is told.
type pkiOptions struct {
	dir    string
	output string
}

func newPKIOptions(c *cobra.Command, more ...cli.Setting) *pkiOptions {
	o := &pkiOptions{dir: "ca", output: "table"}
	cli.Bind(c, cli.Setting{Flag: "dir", Arg: "FOLDER", Into: &o.dir, Help: "the CA's folder"})
	cli.Bind(c, more...)
	c.Flags().StringVarP(&o.output, "output", "o", o.output, "print as `FORMAT`, table or json")
	return o
}

// check refuses a form of output that there is none of, before anything is
// done.
func (o *pkiOptions) check() error {
	if o.output != "table" && o.output != "json" {
		return cli.Usagef("", "--output: %q is neither table nor json", o.output)
	}
	return nil
}

func (o *pkiOptions) open() (*cadir.Dir, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	d, err := cadir.Open(o.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, cli.Usagef("make one with daypassctl pki init, or name its folder with --dir", "there is no CA in %s", o.dir)
	}
	if err != nil {
		return nil, cli.Usagef("", "%w", err)
	}
	return d, nil
}

// A line is one row of a report.
type line struct{ name, value string }

// report prints v as JSON or the lines as a table; lines without a value are
// left out.
func (o *pkiOptions) report(w io.Writer, v any, lines ...line) error {
	if o.output == "json" {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range lines {
		if l.value != "" {
			fmt.Fprintf(t, "%s\t%s\n", l.name, pki.Printable(l.value))
		}
	}
	return t.Flush()
}

// refusal gives an error of the CA its exit code and mend: what was asked for
// is wrong (2), or this CA cannot do it (3).
func refusal(err error) error {
	var refused *pki.RefusedError
	switch {
	case errors.As(err, &refused):
		row, _ := reason.Lookup(refused.Slug)
		code := cli.No
		if strings.HasPrefix(refused.Slug, "request-") {
			code = cli.Usage
		}
		return &cli.Error{Err: err, Hint: row.Mend, Code: code}
	case errors.Is(err, cadir.ErrUnknown):
		return cli.Nof("name a certificate that this CA signed, by its file or by its serial number in ledger.json", "%w", err)
	case errors.Is(err, fs.ErrExist):
		return cli.Usagef("nothing is ever overwritten: choose another name, or move it away", "%w", err)
	}
	return err
}

// parseLife reads a lifetime as 90m, 24h or 30d.
func parseLife(flag, s string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(s, "d"); ok {
		if days, err := strconv.ParseUint(n, 10, 16); err == nil && days > 0 {
			return time.Duration(days) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, cli.Usagef("", "--%s: %q is no time such as 90m, 24h or 30d", flag, s)
	}
	return d, nil
}

// readFile reads a file of the size that certificates and keys have.
func readFile(what, path string) ([]byte, error) {
	data, err := cli.ReadFile(path, cli.Small)
	if err != nil {
		return nil, cli.Usagef("", "reading %s: %w", what, err)
	}
	return data, nil
}

func utc(t time.Time) string { return t.UTC().Format(time.RFC3339) }
