// Daypass runs beside a workload and gives it short-lived AWS credentials.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"daypass.dev/internal/cli"
)

func main() {
	switch programName(os.Args[0]) {
	case helperName:
		os.Exit(min(cli.Main(helperRoot()), 1))
	case gtokenName:
		os.Exit(min(cli.Main(gtokenRoot()), 1))
	}
	os.Exit(cli.Main(root()))
}

func root() *cobra.Command {
	c := &cobra.Command{
		Use:   "daypass",
		Short: "short-lived AWS credentials for this workload",
		Long: `Daypass trades a certificate, through IAM Roles Anywhere, or an OIDC token,
through STS, for short-lived AWS credentials, and hands them to AWS SDKs: for
one program credential-process or run, for everything on this machine serve.`,
	}
	c.AddCommand(credentialProcess(), serve(), run(), env(), ready(), updateCommand(), tokenCommand(), checkCommand(),
		signString(), readCertificateData(), version())
	return c
}
