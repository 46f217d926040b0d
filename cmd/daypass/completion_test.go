package main

import (
	"testing"

	"daypass.dev/e2e/shells"
)

// Real shells complete commands and flags.
func TestCompletion(t *testing.T) {
	shells.Completes(t, "daypass", map[string]string{
		"daypass cred": "credential-process", "daypass serve --authorization": "--authorization-token-file",
	})
}
