package main

import (
	"flag"
	"testing"

	"daypass.dev/internal/cli"
)

var update = flag.Bool("update", false, "write docs/cli.md anew")

func TestReferenceIsUpToDate(t *testing.T) {
	if err := cli.Document("../../docs/cli.md", root(all()...), *update); err != nil {
		t.Error(err)
	}
}
