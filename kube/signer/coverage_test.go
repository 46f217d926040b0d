package signer

import (
	"slices"
	"strings"
	"testing"

	"daypass.dev/doctor"
	"daypass.dev/reason"
)

// Every slug that a check may refuse with has rows of its own in the tests, and
// a row in the catalogue.
func TestEveryRefusalIsTested(t *testing.T) {
	told := map[string][]string{"pod": nil, "agent": nil}
	for _, c := range podChecks() {
		told["pod"] = append(told["pod"], c.slugs...)
	}
	for _, c := range agentChecks() {
		told["agent"] = append(told["agent"], c.slugs...)
	}
	tested := map[string][]string{}
	for _, r := range podRows() {
		tested["pod"] = append(tested["pod"], r.slug)
	}
	for _, r := range agentRows() {
		tested["agent"] = append(tested["agent"], r.slug)
	}
	for _, row := range reason.All() {
		for kind, slugs := range told {
			if strings.HasPrefix(row.Slug, kind+"-request-") && !slices.Contains(slugs, row.Slug) {
				t.Errorf("%s: no check refuses with %s", kind, row.Slug)
			}
		}
	}
	for kind, slugs := range told {
		if len(slugs) < 5 {
			t.Errorf("%s: %d slugs", kind, len(slugs))
		}
		for _, slug := range slugs {
			if _, ok := reason.Lookup(slug); !ok {
				t.Errorf("%s: %s has no row in the catalogue", kind, slug)
			}
			if found := doctor.Recognise(explain(slug, "detail")); !slices.Equal(found, []string{slug}) {
				t.Errorf("%s: doctor reads %v in what is told of %s", kind, found, slug)
			}
			if !slices.Contains(tested[kind], slug) {
				t.Errorf("%s: no row of the tests ends in %s", kind, slug)
			}
		}
		for _, slug := range tested[kind] {
			if slug != "" && slug != "certificate-uri-long" && !slices.Contains(slugs, slug) {
				t.Errorf("%s: no check lists %s", kind, slug)
			}
		}
	}
}
