package pki

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"daypass.dev/reason"
)

// catalogue reads the slugs of reason/certificates.go.
func catalogue(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../reason/certificates.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var slugs []string
	ast.Inspect(file, func(n ast.Node) bool {
		row, ok := n.(*ast.CompositeLit)
		if !ok || len(row.Elts) != 5 {
			return true
		}
		if first, ok := row.Elts[0].(*ast.BasicLit); ok && first.Kind == token.STRING {
			slugs = append(slugs, must(strconv.Unquote(first.Value)))
		}
		return true
	})
	for _, s := range slugs {
		if _, ok := reason.Lookup(s); !ok {
			t.Fatalf("%q was read from the catalogue's source and is not in it", s)
		}
	}
	if len(slugs) < 40 {
		t.Fatalf("read only %d slugs", len(slugs))
	}
	return slugs
}

// TestEveryReasonHasARowThatPassesAndOneThatDoesNot goes by the verdicts that
// the rows really yield, not by what they say they want.
func TestEveryReasonHasARowThatPassesAndOneThatDoesNot(t *testing.T) {
	passed, broken := map[string]bool{}, map[string]bool{}
	for _, row := range allRows() {
		for _, f := range Check(row.e, noon) {
			passed[f.Rule] = passed[f.Rule] || f.Verdict == Pass
			broken[f.Rule] = broken[f.Rule] || f.Verdict == Fail || f.Verdict == Warn
		}
	}
	granted := false
	for _, row := range requestRows() {
		broken[row.slug] = true
		granted = granted || row.slug == "" && row.ask() == nil
	}
	known := catalogue(t)
	for _, slug := range known {
		if !broken[slug] {
			t.Errorf("%s has no row in which it is broken", slug)
		}
		if !passed[slug] && !(granted && strings.HasPrefix(slug, "request-")) {
			t.Errorf("%s has no row in which it is kept", slug)
		}
	}
	for _, r := range rules() {
		if _, ok := reason.Lookup(r.slug); !ok {
			t.Errorf("the rule %s is not in the catalogue", r.slug)
		}
	}
	for _, slug := range slices.Sorted(maps.Keys(broken)) {
		if _, ok := reason.Lookup(slug); !ok && slug != "" {
			t.Errorf("a row is refused for %s, which is not in the catalogue", slug)
		}
	}
}
