// Daypass runs beside a workload and gives it short-lived AWS credentials.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"daypass.dev/internal/cli"
)

func main() { os.Exit(cli.Main(root())) }

func root() *cobra.Command {
	c := &cobra.Command{
		Use:   "daypass",
		Short: "short-lived AWS credentials for this workload",
	}
	c.AddCommand(credentialProcess(), serve(), run(), env(), ready(), checkCommand(), version())
	return c
}
