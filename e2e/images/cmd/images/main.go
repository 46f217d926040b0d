// Command images makes daypass's container images, without an engine, and
// pushes them to a registry.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"daypass.dev/e2e/images"
	"daypass.dev/internal/cli"
)

func main() { os.Exit(cli.Main(command())) }

func command() *cobra.Command {
	var out, tag string
	root := &cobra.Command{Use: "images", Short: "daypass's container images", Args: cobra.NoArgs}
	root.PersistentFlags().StringVar(&tag, "tag", "dev", "tag of the images")
	build := &cobra.Command{
		Use:   "build",
		Short: "Write the images as tars of OCI layouts, for amd64 and arm64",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			source, err := checkout()
			if err != nil {
				return err
			}
			index, err := images.Published(cmd.Context(), source)
			if err != nil {
				return err
			}
			if err := os.MkdirAll(out, 0o755); err != nil {
				return err
			}
			file := filepath.Join(out, "daypass.tar")
			if err := images.Write(file, "daypass:"+tag, index); err != nil {
				return err
			}
			digest, err := index.Digest()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), file, digest)
			return err
		},
	}
	build.Flags().StringVar(&out, "out", "dist", "folder for the tars")
	root.AddCommand(build, &cobra.Command{
		Use:   "push REGISTRY",
		Short: "Push the images to REGISTRY (host, or host and path), with docker's credentials",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			source, err := checkout()
			if err != nil {
				return err
			}
			index, err := images.Published(cmd.Context(), source)
			if err != nil {
				return err
			}
			pushed, err := images.Push(cmd.Context(), args[0], "daypass:"+tag, index)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), pushed)
			return err
		},
	})
	return root
}

func checkout() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("finding the checkout: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
