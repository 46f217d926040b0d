// Command addon brings other projects' software into the running cluster of the
// tests, or only builds it.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/addons"
	"daypass.dev/internal/cli"
)

func main() { os.Exit(cli.Main(command())) }

func command() *cobra.Command {
	root := &cobra.Command{Use: "addon", Short: "Software of others for the cluster of the tests", Args: cobra.NoArgs}
	root.PersistentFlags().String("name", "tests", "name of the cluster")
	root.AddCommand(
		&cobra.Command{
			Use: "install NAME...", Short: "Install " + strings.Join(addons.Names(), ", "), Args: cobra.MinimumNArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error { return each(cmd, args, addons.Install) },
		},
		&cobra.Command{
			Use: "build [NAME...]", Short: "Build what these, or all, need", Args: cobra.ArbitraryArgs,
			RunE: func(cmd *cobra.Command, args []string) error {
				if len(args) == 0 {
					args = addons.Names()
				}
				return each(cmd, args, addons.Build)
			},
		},
	)
	return root
}

func each(cmd *cobra.Command, names []string, do func(context.Context, *kube.Cluster, string) error) error {
	cluster, err := cmd.Flags().GetString("name")
	if err != nil {
		return err
	}
	c, err := kube.Find(cluster)
	if err != nil {
		return err
	}
	c.Nodes, c.Log = 2, cmd.ErrOrStderr()
	for _, name := range names {
		if err := do(cmd.Context(), c, name); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), name, "done")
	}
	return nil
}
