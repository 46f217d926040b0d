package main

import (
	"fmt"
	"log/slog"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"daypass.dev/internal/cli"
	"daypass.dev/proof"
)

// gtokenName is a program that daypass stands in for when it is called by that
// name: https://github.com/doitintl/gtoken
const gtokenName = "gtoken"

// gtokenAudience is in the trust policies that were written for it.
const gtokenAudience = "gtoken/sts/assume-role-with-web-identity"

// gtokenRoot is the program under that name. Its exit codes are 0 and 1 alone.
func gtokenRoot() *cobra.Command {
	var k tokenKeeper
	var again, version bool
	c := &cobra.Command{
		Use:   gtokenName,
		Short: "daypass in the place of gtoken",
		Long: `This is daypass under the name of gtoken: it writes an identity token of the
Google service account of this machine or pod. What differs is in docs/gtoken.md.`,
	}
	c.Flags().BoolVar(&again, "refresh", false, "renew the token before it ends")
	c.Flags().StringVar(&k.out, "file", "", "write the token into `FILE`, not to standard output")
	c.Flags().BoolVarP(&version, "version", "v", false, "print the version of daypass") // cobra's own brings in text/template
	c.RunE = func(c *cobra.Command, _ []string) error {
		if version {
			_, err := fmt.Fprintf(c.OutOrStdout(), "gtoken %s\n  Built with: %s\n", buildVersion(), runtime.Version())
			return err
		}
		if again && k.out == "" {
			return cli.Usagef("name a file with --file", "--refresh needs --file: tokens on standard output run together")
		}
		source := &proof.Google{Audience: gtokenAudience, MetadataHost: os.Getenv("GCE_METADATA_HOST")}
		if err := source.Check(); err != nil {
			return said(err)
		}
		k.from, k.once, k.stdout = source, !again, c.OutOrStdout()
		k.log = slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil))
		return k.run(c.Context())
	}
	return c
}
