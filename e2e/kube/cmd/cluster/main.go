// Command cluster starts and stops the Kubernetes of the tests.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/node"
	"daypass.dev/internal/cli"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == kube.NodeCommand {
		// The first process of a node: no terminal, no signals, no flags.
		fmt.Println("error:", node.Run(os.Args[2], os.Stdout))
		os.Exit(1)
	}
	os.Exit(cli.Main(command()))
}

func command() *cobra.Command {
	c := &kube.Cluster{}
	name := ""
	root := &cobra.Command{
		Use:   "cluster",
		Short: "A real Kubernetes for tests, in namespaces of its own",
		Args:  cobra.NoArgs,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return place(c, name, cmd.ErrOrStderr())
		},
	}
	flags := root.PersistentFlags()
	flags.StringVar(&name, "name", "tests", "name of the cluster; several can run beside each other")
	flags.IntVar(&c.Nodes, "nodes", 2, "1 or 2")
	flags.StringVar(&c.Version, "kubernetes", kube.Versions[0], "version: "+strings.Join(kube.Versions, " or "))
	flags.StringVar(&c.Issuer, "issuer", "", "URL of the issuer of tokens, if not the cluster's own address")
	root.AddCommand(
		&cobra.Command{Use: "build", Short: "Build what a start needs", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := c.Build(cmd.Context())
			return err
		}},
		&cobra.Command{Use: "up", Short: "Start the cluster, unless it runs", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.Up(cmd.Context()); err != nil {
				return err
			}
			return describe(cmd.OutOrStdout(), c)
		}},
		&cobra.Command{Use: "down", Short: "End the cluster and remove what it leaves", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			return c.Down(cmd.Context())
		}},
		&cobra.Command{Use: "status", Short: "Say whether the cluster runs, and how to enter it", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.Whole(); err != nil {
				return cli.Nof("start it: go run ./e2e/kube/cmd/cluster up", "the cluster does not run: %w", err)
			}
			return describe(cmd.OutOrStdout(), c)
		}},
	)
	return root
}

// place finds the checkout and the cache.
func place(c *kube.Cluster, name string, log io.Writer) error {
	if c.Nodes != 1 && c.Nodes != 2 {
		return cli.Usagef("", "--nodes is %d: a cluster has 1 or 2", c.Nodes)
	}
	if name == "" || strings.ContainsAny(name, "/.") {
		return cli.Usagef("", "--name %q is no plain name", name)
	}
	found, err := kube.Find(name)
	if err != nil {
		return err
	}
	c.Dir, c.Cache, c.Source = found.Dir, found.Cache, found.Source
	start := time.Now()
	c.Log = writer(func(line []byte) (int, error) {
		return fmt.Fprintf(log, "%6.1f s  %s", time.Since(start).Seconds(), line)
	})
	return nil
}

type writer func([]byte) (int, error)

func (w writer) Write(line []byte) (int, error) { return w(line) }

func describe(w io.Writer, c *kube.Cluster) error {
	enter, err := c.Enter()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "kubeconfig: %s\nenter:      %s\n", c.Kubeconfig(), enter)
	return err
}
