package main

import (
	"slices"
	"testing"

	"daypass.dev/e2e/shells"
)

// Real shells complete commands, flags, slugs and the few words that a flag may
// have.
func TestCompletion(t *testing.T) {
	dir := shells.Link(t, "daypassctl")
	for _, shell := range shells.All() {
		t.Run(shell, func(t *testing.T) {
			for line, want := range map[string]string{
				"daypassctl statu": "status", "daypassctl status --all-n": "--all-namespaces",
				"daypassctl explain policy-condition-m": "policy-condition-multivalued", "daypassctl status --output ": "json",
			} {
				if got := shells.Complete(t, shell, dir, "daypassctl", line); !slices.Contains(got, want) {
					t.Errorf("%q: %v", line, got)
				}
			}
		})
	}
}
