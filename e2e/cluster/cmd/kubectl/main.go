// Command kubectl is kubectl and no more: tests call it a thousand times, and
// what one binary of all of Kubernetes does before it knows its name takes three
// times as long as what they call it for.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
)

func main() {
	os.Exit(cli.Run(cmd.NewDefaultKubectlCommand()))
}
