// Daypassctl stands at the operator's desk and in CI: the sandbox, a small
// certificate authority, and answers to "why was I refused?".
package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"daypass.dev/internal/cli"
)

func main() {
	c := root()
	if called, args := plugin(os.Args); called {
		c.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl daypass"}
		c.SetArgs(args)
	}
	os.Exit(cli.Main(c))
}

// plugin tells whether this is kubectl's: kubectl runs kubectl-daypass for
// kubectl daypass, and kubectl_complete-daypass to complete its words.
func plugin(args []string) (bool, []string) {
	switch strings.TrimSuffix(filepath.Base(args[0]), ".exe") {
	case "kubectl-daypass":
		return true, args[1:]
	case "kubectl_complete-daypass":
		return true, append([]string{cobra.ShellCompRequestCmd}, args[1:]...)
	}
	return false, nil
}

func root() *cobra.Command {
	c := &cobra.Command{
		Use:   "daypassctl",
		Short: "try, check and explain AWS access without a long-term key",
	}
	c.AddCommand(associationsCommand(), demoCommand(), doctorCommand(), explainCommand(), oidcCommand(), pkiCommand(), revokeCommand(), sandboxCommand(), secretsCommand(), setupCommand(), statusCommand(), trustPolicyCommand())
	return c
}
