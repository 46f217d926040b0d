// Command images makes daypass's container images, without an engine, and
// pushes them to a registry.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"daypass.dev/e2e/build"
	"daypass.dev/e2e/images"
	"daypass.dev/internal/cli"
)

func main() { os.Exit(cli.Main(command())) }

func command() *cobra.Command {
	var out, tag string
	var architectures []string
	root := &cobra.Command{Use: "images", Short: "daypass's container images", Args: cobra.NoArgs}
	root.PersistentFlags().StringVar(&tag, "tag", "dev", "tag of the images")
	root.PersistentFlags().StringSliceVar(&architectures, "architecture", images.Architectures(), "of the images")
	build := &cobra.Command{
		Use:   "build",
		Short: "Write the images as tars of OCI layouts",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := os.MkdirAll(out, 0o755); err != nil {
				return err
			}
			return each(cmd, architectures, func(name string, index v1.ImageIndex) (string, error) {
				file := filepath.Join(out, name+".tar")
				if err := images.Write(file, name+":"+tag, index); err != nil {
					return "", err
				}
				digest, err := index.Digest()
				return file + " " + digest.String(), err
			})
		},
	}
	build.Flags().StringVar(&out, "out", "dist", "folder for the tars")
	root.AddCommand(build, &cobra.Command{
		Use:   "push REGISTRY",
		Short: "Push the images to REGISTRY (host, or host and path), with docker's credentials",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return each(cmd, architectures, func(name string, index v1.ImageIndex) (string, error) {
				return images.Push(cmd.Context(), args[0], name+":"+tag, index)
			})
		},
	})
	return root
}

// each makes every image and prints what is said of it.
func each(cmd *cobra.Command, architectures []string, use func(name string, index v1.ImageIndex) (string, error)) error {
	source, err := build.Checkout()
	if err != nil {
		return err
	}
	products := images.Products()
	for _, name := range slices.Sorted(maps.Keys(products)) {
		index, err := images.Published(cmd.Context(), source, products[name], architectures...)
		if err != nil {
			return err
		}
		said, err := use(name, index)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), said); err != nil {
			return err
		}
	}
	return nil
}
