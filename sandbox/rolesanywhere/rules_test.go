package rolesanywhere_test

import (
	"slices"
	"testing"

	"daypass.dev/reason"
	"daypass.dev/reason/reasontest"
	"daypass.dev/sandbox/rolesanywhere"
)

// controlSlugs are the faults that only the control plane can have.
func controlSlugs() []string {
	return []string{
		"anywhere-body", "anywhere-parameter", "anywhere-missing", "anywhere-tags", "anywhere-limit",
		"pass-role-elsewhere", "operation-not-built",
	}
}

// TestFaultsAreRules reads the package's source: a fault that names a slug
// which is no rule of CreateSession and none of the control plane would have
// no row in any test.
func TestFaultsAreRules(t *testing.T) {
	slugs := reasontest.Slugs(t, ".", "faultf", "slug", "fault.go", "revoked")
	if len(slugs) < len(rolesanywhere.Rules())/2 {
		t.Fatalf("only %d faults were found in the source", len(slugs))
	}
	for slug, where := range slugs {
		if !slices.Contains(rolesanywhere.Rules(), slug) && !slices.Contains(controlSlugs(), slug) {
			t.Errorf("%s: %s is in no list of rules", where, slug)
		}
	}
	for _, slug := range append(rolesanywhere.Rules(), controlSlugs()...) {
		if _, ok := reason.Lookup(slug); !ok {
			t.Errorf("%s is not in the catalogue", slug)
		}
	}
}
