// Daypassctl stands at the operator's desk and in CI: the sandbox, a small
// certificate authority, and answers to "why was I refused?".
package main

import (
	"os"

	"github.com/spf13/cobra"

	"daypass.dev/internal/cli"
)

func main() { os.Exit(cli.Main(root())) }

func root() *cobra.Command {
	c := &cobra.Command{
		Use:   "daypassctl",
		Short: "try, check and explain AWS access without a long-term key",
	}
	c.AddCommand(associationsCommand(), demoCommand(), doctorCommand(), explainCommand(), oidcCommand(), pkiCommand(), revokeCommand(), sandboxCommand(), secretsCommand(), setupCommand(), statusCommand(), trustPolicyCommand())
	return c
}
