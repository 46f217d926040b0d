package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"daypass.dev/e2e/shells"
)

// By its own name the tests' binary is the program.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"daypass-kube": main})
}

// Real shells complete commands and flags.
func TestCompletion(t *testing.T) {
	shells.Completes(t, "daypass-kube", map[string]string{
		"daypass-kube dete": "detector", "daypass-kube signer --root-c": "--root-certificate", "daypass-kube webhook inst": "install",
	})
}
