package exchange

import (
	"strings"
	"testing"

	"daypass.dev/reason"
)

func TestWordsOfTheCatalogueHaveHints(t *testing.T) {
	tried := 0
	for _, r := range reason.All() {
		if r.Code == "" || r.Message == "" {
			continue
		}
		tried++
		got := hint(r.Code, strings.ReplaceAll(r.Message, "%s", "a thing"))
		if got == "" {
			t.Errorf("%s: no hint", r.Slug)
		}
		if !strings.Contains(got, "["+r.Slug+"]") {
			t.Errorf("%s: hint is %q, want its slug", r.Slug, got)
		}
		if hint("Other", r.Message) != "" {
			t.Errorf("%s: a hint whatever the code", r.Slug)
		}
	}
	if tried == 0 {
		t.Error("no row of the catalogue has AWS's words")
	}
	if got := hint("AccessDeniedException", "words that nobody knows"); got != "" {
		t.Errorf("hint for unknown words: %q", got)
	}
}

func TestSays(t *testing.T) {
	for _, c := range []struct {
		message, pattern string
		want             bool
	}{
		{"Unable to assume role for arn:x", "Unable to assume role for %s", true},
		{"a (b) c", "%s (b) %s", true},
		{"a b c", "a (b) c", false},
		{"Untrusted certificate", "Untrusted", false},
		{"Untrusted", "Untrusted certificate", false},
	} {
		if got := says(c.message, c.pattern); got != c.want {
			t.Errorf("says(%q, %q) = %t", c.message, c.pattern, got)
		}
	}
}
