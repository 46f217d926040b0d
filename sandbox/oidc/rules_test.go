package oidc_test

import (
	"slices"
	"testing"

	"daypass.dev/reason"
	"daypass.dev/reason/reasontest"
	"daypass.dev/sandbox/oidc"
)

// TestRefusalsAreRules reads the package's source: a refusal whose slug is no
// rule would have no row in any test.
func TestRefusalsAreRules(t *testing.T) {
	slugs := reasontest.Slugs(t, ".", "invalid", "Slug", "oidc.go")
	if len(slugs) < len(oidc.Rules())/2 {
		t.Fatalf("only %d refusals were found in the source", len(slugs))
	}
	for slug, where := range slugs {
		// Of Thumbprint, which IAM calls.
		if !slices.Contains(oidc.Rules(), slug) && slug != "provider-unreachable" {
			t.Errorf("%s: %s is no rule", where, slug)
		}
	}
	for _, slug := range oidc.Rules() {
		if _, ok := slugs[slug]; !ok {
			t.Errorf("nothing is refused for %s", slug)
		}
		if _, ok := reason.Lookup(slug); !ok {
			t.Errorf("%s is not in the catalogue", slug)
		}
	}
}
