package main

import (
	"slices"
	"testing"

	"daypass.dev/e2e/shells"
)

// Real shells complete commands and flags.
func TestCompletion(t *testing.T) {
	dir := shells.Link(t, "daypass")
	for _, shell := range shells.All() {
		t.Run(shell, func(t *testing.T) {
			for line, want := range map[string]string{
				"daypass cred": "credential-process", "daypass serve --authorization": "--authorization-token-file",
			} {
				if got := shells.Complete(t, shell, dir, "daypass", line); !slices.Contains(got, want) {
					t.Errorf("%q: %v", line, got)
				}
			}
		})
	}
}
