package reason

import (
	"regexp"
	"testing"
)

func TestEveryRowIsWholeAndUnique(t *testing.T) {
	all := All()
	if len(all) == 0 {
		t.Fatal("the catalogue is empty")
	}
	slug := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for _, r := range all {
		if !slug.MatchString(r.Slug) {
			t.Errorf("slug %q is not lower-case words joined by hyphens", r.Slug)
		}
		if seen[r.Slug] {
			t.Errorf("%s stands twice", r.Slug)
		}
		seen[r.Slug] = true
		if r.Cause == "" || r.Mend == "" {
			t.Errorf("%s lacks a cause or a mend", r.Slug)
		}
		if got, ok := Lookup(r.Slug); !ok || got != r {
			t.Errorf("Lookup(%q) = %v, %v", r.Slug, got, ok)
		}
	}
}
