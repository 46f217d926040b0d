// Daypass runs beside a workload and gives it short-lived AWS credentials.
package main

import (
	"context"
	"maps"
	"os"
	"slices"

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
	// SDKs start credential-process again and again: only the command that is
	// called is made, with its flags.
	if len(os.Args) > 1 {
		if os.Args[1] == "credential-process" {
			os.Exit(cli.MainUncaught(context.Background(), root(credentialProcess)))
		}
		if command := commands()[os.Args[1]]; command != nil {
			os.Exit(cli.Main(root(command)))
		}
	}
	os.Exit(cli.Main(root(all()...)))
}

// commands are what makes each command, by its name.
func commands() map[string]func() *cobra.Command {
	return map[string]func() *cobra.Command{
		"credential-process": credentialProcess, "serve": serve, "run": run, "env": env, "ready": ready,
		"update": updateCommand, "token": tokenCommand, "check": checkCommand,
		"sign-string": signString, "read-certificate-data": readCertificateData, "version": version,
	}
}

func all() []func() *cobra.Command { return slices.Collect(maps.Values(commands())) }

func root(commands ...func() *cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use:   "daypass",
		Short: "short-lived AWS credentials for this workload",
		Long: `Daypass trades a certificate, through IAM Roles Anywhere, or an OIDC token,
through STS, for short-lived AWS credentials, and hands them to AWS SDKs: for
one program credential-process or run, for everything on this machine serve.`,
	}
	for _, command := range commands {
		c.AddCommand(command())
	}
	return c
}
