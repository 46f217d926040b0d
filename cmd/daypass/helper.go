package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"daypass.dev/config"
	"daypass.dev/deliver"
	"daypass.dev/internal/cli"
)

// helperName is the program of AWS that daypass stands in for when it is
// called by that name: https://github.com/aws/rolesanywhere-credential-helper
const helperName = "aws_signing_helper"

// programName is the name by which a process was called, from argv[0].
func programName(name string) string {
	name = filepath.Base(name)
	if ext := filepath.Ext(name); strings.EqualFold(ext, ".exe") {
		name = strings.TrimSuffix(name, ext)
	}
	return name
}

// A helper is what the subcommands under that name are told. Only flags count,
// and what of the environment AWS's SDKs have in common: no variable of
// daypass's own, and nothing is remembered between calls.
type helper struct {
	options
	updater
	testSignature
	seconds, port, hopLimit int
	withProxy               bool
	selector                string
}

// helperRoot is the program under that name. Its exit codes are 0 and 1 alone.
func helperRoot() *cobra.Command {
	c := &cobra.Command{
		Use:   helperName,
		Short: "daypass in the place of AWS's helper",
		Long: `This is daypass under the name of AWS's helper for IAM Roles Anywhere: it takes
the helper's subcommands and flags. What differs is in docs/aws-signing-helper.md.`,
	}
	for _, build := range []func(*helper) *cobra.Command{
		(*helper).credentialProcess, (*helper).serve, (*helper).update, (*helper).signString, (*helper).readCertificateData,
	} {
		c.AddCommand(build(newHelper()))
	}
	c.AddCommand(&cobra.Command{
		Use:   "version",
		Short: "print the version of daypass",
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), buildVersion())
			return err
		},
	})
	return c
}

func newHelper() *helper {
	return &helper{
		options:       options{Settings: config.Defaults(), logFormat: "text"},
		updater:       updater{profiles: profiles{names: []string{"default"}}},
		testSignature: testSignature{digest: "SHA256", format: "json"},
		seconds:       3600, port: 9911, hopLimit: 64,
	}
}

// command makes a subcommand with the flags that the helper gives it. level is
// what it logs without --debug.
func (h *helper) command(name, short string, level slog.Level, run func(context.Context, *cobra.Command, *slog.Logger) error) *cobra.Command {
	c := &cobra.Command{Use: name, Short: short}
	c.Flags().SortFlags = false
	for _, f := range h.flags() {
		if slices.Contains(f.on, name) {
			f.bind(c.Flags())
		}
	}
	for _, pair := range exclusive() {
		if c.Flags().Lookup(pair[0]) != nil && c.Flags().Lookup(pair[1]) != nil {
			c.MarkFlagsMutuallyExclusive(pair[0], pair[1])
		}
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		log, err := h.logger(c.ErrOrStderr(), level)
		if err == nil {
			err = h.refuse(c)
		}
		if err == nil {
			h.settle(c.ErrOrStderr())
			err = run(c.Context(), c, log)
		}
		return withoutTwins(err)
	}
	return c
}

// settle makes settings of what the flags left to the environment.
func (h *helper) settle(stderr io.Writer) {
	h.SessionDuration = time.Duration(h.seconds) * time.Second
	h.WithoutProxy = !h.withProxy
	for _, name := range []string{"AWS_ENDPOINT_URL_ROLESANYWHERE", "AWS_ENDPOINT_URL"} {
		if h.Endpoint == "" {
			h.Endpoint = os.Getenv(name)
		}
	}
	h.FIPS = strings.EqualFold(os.Getenv("AWS_USE_FIPS_ENDPOINT"), "true")
	h.DualStack = strings.EqualFold(os.Getenv("AWS_USE_DUALSTACK_ENDPOINT"), "true")
	h.CABundle = os.Getenv("AWS_CA_BUNDLE")
	h.path = os.Getenv("AWS_SHARED_CREDENTIALS_FILE")
	if h.Unverified {
		fmt.Fprintf(stderr, "%s: WARNING: --no-verify-ssl: whoever stands between this machine and AWS can take the credentials; "+
			"trust the proxy's own CA with AWS_CA_BUNDLE instead\n", helperName)
	}
}

// withoutTwins leaves out a hint that tells of variables, which do not count
// here.
func withoutTwins(err error) error {
	if told := (*cli.Error)(nil); errors.As(err, &told) && strings.Contains(told.Hint, "DAYPASS_") {
		return &cli.Error{Err: err, Code: told.Code}
	}
	return err
}

func (h *helper) credentialProcess() *cobra.Command {
	return h.command("credential-process", "print credentials for credential_process in ~/.aws/config", slog.LevelWarn,
		func(ctx context.Context, c *cobra.Command, log *slog.Logger) error {
			call, _, err := h.exchange(log)
			if err != nil {
				return err
			}
			got, err := once(ctx, call)
			if err != nil {
				return err
			}
			got.AccountID = "" // which the helper does not tell
			var document bytes.Buffer
			if err := deliver.Process(&document, got); err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(bytes.TrimSpace(document.Bytes()))
			return err
		})
}

func (h *helper) serve() *cobra.Command {
	return h.command("serve", "serve credentials to the SDKs on this machine, as IMDSv2 does", slog.LevelInfo,
		func(ctx context.Context, c *cobra.Command, log *slog.Logger) error {
			if h.port < 0 || h.port > 65535 {
				return cli.Usagef("", "--port: %d is not a port", h.port)
			}
			listen := &serveFlags{listen: "127.0.0.1:" + strconv.Itoa(h.port)}
			return serving(ctx, &h.options, listen, c.ErrOrStderr(), log)
		})
}

func (h *helper) update() *cobra.Command {
	return h.command("update", "keep a profile of ~/.aws/credentials fresh", slog.LevelInfo,
		func(ctx context.Context, _ *cobra.Command, log *slog.Logger) error {
			call, shows, err := h.exchange(log)
			if err != nil {
				return err
			}
			return h.updater.run(ctx, call, shows.Changed, log)
		})
}

func (h *helper) signString() *cobra.Command {
	return h.command("sign-string", "sign a test text with the private key", slog.LevelWarn,
		func(ctx context.Context, c *cobra.Command, log *slog.Logger) error {
			return h.testSignature.run(ctx, &h.options, c.OutOrStdout(), log)
		})
}

func (h *helper) readCertificateData() *cobra.Command {
	return h.command("read-certificate-data", "print what a request to Roles Anywhere tells of a certificate", slog.LevelWarn,
		func(_ context.Context, c *cobra.Command, _ *slog.Logger) error {
			if strings.HasPrefix(h.Certificate, "pkcs11:") {
				return cli.Usagef("name a PEM file", "--certificate: daypass cannot use %s", noTokens)
			}
			return certificateData(c.OutOrStdout(), h.Certificate)
		})
}
