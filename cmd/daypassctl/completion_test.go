package main

import (
	"testing"

	"daypass.dev/e2e/shells"
)

// Real shells complete commands, flags, slugs and the few words that a flag may
// have.
func TestCompletion(t *testing.T) {
	shells.Completes(t, "daypassctl", map[string]string{
		"daypassctl statu": "status", "daypassctl status --all-n": "--all-namespaces",
		"daypassctl explain policy-condition-m": "policy-condition-multivalued", "daypassctl status --output ": "json",
	})
}
