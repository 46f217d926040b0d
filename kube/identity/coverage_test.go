package identity

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"daypass.dev/reason"
)

// slugs finds every slug with which this package refuses, in its sources.
func slugs(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if f, ok := call.Fun.(*ast.Ident); !ok || f.Name != "refuse" {
				return true
			}
			slug, ok := call.Args[0].(*ast.BasicLit)
			if !ok {
				t.Fatalf("%s: write the slug where it is used", name)
			}
			all[strings.Trim(slug.Value, `"`)] = true
			return true
		})
	}
	if len(all) == 0 {
		t.Fatal("no refusal found")
	}
	return all
}

func TestEveryRefusalHasARowAndACase(t *testing.T) {
	cases := map[string]bool{"cluster-unnamed": true, "certificate-uri-long": true} // TestCertificateNames
	for _, r := range rows() {
		cases[r.slug] = true
	}
	for slug := range slugs(t) {
		if _, ok := reason.Lookup(slug); !ok {
			t.Errorf("%s has no row in package reason", slug)
		}
		if !cases[slug] {
			t.Errorf("%s has no case", slug)
		}
	}
	for _, c := range checks() {
		if !cases[c.slug] {
			t.Errorf("check %s has no case", c.slug)
		}
	}
	gives := map[string]bool{}
	for _, r := range rows() {
		gives[r.want.Rule] = true
	}
	for _, rule := range Rules() {
		if !gives[rule] {
			t.Errorf("no case is decided by %s", rule)
		}
	}
}
