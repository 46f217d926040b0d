// Daypass runs beside a workload and gives it short-lived AWS credentials.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"daypass.dev/internal/cli"
)

func main() {
	if calledHelper(os.Args[0]) {
		os.Exit(min(cli.Main(helperRoot()), 1))
	}
	os.Exit(cli.Main(root()))
}

func root() *cobra.Command {
	c := &cobra.Command{
		Use:   "daypass",
		Short: "short-lived AWS credentials for this workload",
		Long: `Daypass trades a certificate for short-lived AWS credentials, through IAM Roles
Anywhere, and hands them to AWS SDKs: for one program credential-process or
run, for everything on this machine serve.`,
	}
	c.AddCommand(credentialProcess(), serve(), run(), env(), ready(), updateCommand(), checkCommand(),
		signString(), readCertificateData(), version())
	return c
}
