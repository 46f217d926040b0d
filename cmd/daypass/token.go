package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"daypass.dev/config"
	"daypass.dev/internal/atomicfile"
	"daypass.dev/internal/cli"
	"daypass.dev/proof"
	"daypass.dev/refresh"
)

func tokenCommand() *cobra.Command {
	var k tokenKeeper
	c := &cobra.Command{
		Use:   "token",
		Short: "keep an OIDC token in a file",
		Long: `Token gets an OIDC token of this workload from Google, Azure, GitHub or a file,
and writes it into a file for AWS SDKs to show (AWS_WEB_IDENTITY_TOKEN_FILE). It
renews the token as long as it runs, well before it ends; where no new one can
be had, the old one stays.

Readers see the old token or the new, never a part, without a newline at its
end. The file is for the user alone who runs this: run it as the workload's.
With --once it ends after the first token, and prints it if no file is named.

Google's metadata server is asked for the machine's own service account, or in
GKE for the one of the pod's ServiceAccount; IAM Credentials for another one,
named with --token-account. Where daypass also hands out the credentials, it
needs no such file: serve, run, env, update and credential-process take the
same flags.`,
		Example: `  daypass token --token-source google --audience sts.amazonaws.com --out /run/aws/token
  daypass token --token-source github --audience sts.amazonaws.com --once`,
	}
	o := &options{Settings: config.Defaults()}
	o.bind(c, append(o.TokenTable(), o.bundleSetting()...), []cli.Setting{
		{Flag: "out", Arg: "FILE", Into: &k.out, Help: "the file to keep the token in"},
		{Flag: "once", Into: &k.once, Help: "get one token, then end"},
	})
	c.RunE = func(c *cobra.Command, _ []string) error {
		level := slog.LevelInfo
		if k.once {
			level = slog.LevelWarn
		}
		var err error
		if k.log, err = o.logger(c.ErrOrStderr(), level); err != nil {
			return err
		}
		if k.from, err = o.tokens(); err != nil {
			return err
		}
		if k.out == "" && !k.once {
			return cli.Usagef("name the file to keep the token in with --out (or DAYPASS_OUT), or add --once to print one token", "--out is missing")
		}
		if o.WebIdentityTokenFile != "" && k.out != "" && filepath.Clean(k.out) == filepath.Clean(o.WebIdentityTokenFile) {
			return cli.Usagef("name another file with --out", "--out is the file that the token comes from")
		}
		k.stdout = c.OutOrStdout()
		return k.run(c.Context())
	}
	return c
}

// tokens is the source of tokens that the flags name, and no variable of AWS's
// SDKs.
func (o *options) tokens() (proof.TokenSource, error) {
	if o.TokenSource == "" && o.WebIdentityTokenFile == "" {
		return nil, cli.Usagef("give one of google, azure, github and file as --token-source (or DAYPASS_TOKEN_SOURCE)", "--token-source is missing")
	}
	if _, err := o.BearsToken(); err != nil {
		return nil, err
	}
	source, err := o.Tokens()
	return source, said(err)
}

// bundleSetting is the row of the CA bundle.
func (o *options) bundleSetting() (rows []cli.Setting) {
	for _, row := range o.Table() {
		if row.Into == &o.CABundle {
			rows = append(rows, row)
		}
	}
	return rows
}

// A tokenKeeper writes tokens where they are wanted.
type tokenKeeper struct {
	from   proof.TokenSource
	out    string // empty: stdout
	stdout io.Writer
	once   bool
	log    *slog.Logger
}

func (k *tokenKeeper) run(ctx context.Context) error {
	if err := k.checkPlace(); err != nil {
		return err
	}
	if k.once {
		ctx, cancel := context.WithTimeout(ctx, atMost)
		defer cancel()
		_, err := k.renew(ctx)
		return said(err)
	}
	refresh.Keep(ctx, k.renew, k.log)
	return nil
}

// checkPlace finds out early where nothing could ever be written.
func (k *tokenKeeper) checkPlace() error {
	if k.out == "" {
		return nil
	}
	dir := filepath.Dir(k.out)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return cli.Usagef("make the directory, or mount it", "--out %s: there is no directory %s", k.out, dir)
	}
	if info, err := os.Stat(k.out); err == nil && !info.Mode().IsRegular() {
		return cli.Usagef("name a file", "--out %s: it is no regular file", k.out)
	}
	atomicfile.Sweep(k.out, time.Minute)
	return nil
}

// tolerance is how long after its end AWS still takes a token.
const tolerance = 5 * time.Minute

// renew gets a token, writes it, and tells how long it will live.
func (k *tokenKeeper) renew(ctx context.Context) (time.Duration, error) {
	t, err := k.from.Token(ctx)
	if err != nil {
		return 0, err
	}
	life := time.Until(t.Expires)
	if life < -tolerance {
		return 0, &cli.Error{Err: fmt.Errorf("the token that came ended at %s", t.Expires.Format(time.RFC3339)), Code: cli.Failed,
			Hint: "check that what renews it runs, and this machine's clock"}
	}
	text := t.Text.Reveal()
	if k.out == "" {
		_, err = io.WriteString(k.stdout, text)
	} else {
		err = atomicfile.Write(k.out, []byte(text), 0o600)
	}
	if err != nil {
		return 0, &cli.Error{Err: fmt.Errorf("writing the token: %w", err), Code: cli.Failed}
	}
	k.log.Info("token renewed", "file", k.out, "issuer", t.Issuer, "subject", t.Subject, "expires", t.Expires.Format(time.RFC3339))
	return life, nil
}
