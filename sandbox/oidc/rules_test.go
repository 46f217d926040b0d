package oidc

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"daypass.dev/reason"
)

// TestRefusalsAreRules reads the package's source: a refusal whose slug is no
// rule would have no row in any test.
func TestRefusalsAreRules(t *testing.T) {
	slugs := slugsInSource(t)
	if len(slugs) < len(Rules())/2 {
		t.Fatalf("only %d refusals were found in the source", len(slugs))
	}
	for slug, where := range slugs {
		// Of Thumbprint, which IAM calls.
		if !slices.Contains(Rules(), slug) && slug != "provider-unreachable" {
			t.Errorf("%s: %s is no rule", where, slug)
		}
	}
	for _, slug := range Rules() {
		if _, ok := slugs[slug]; !ok {
			t.Errorf("nothing is refused for %s", slug)
		}
		if _, ok := reason.Lookup(slug); !ok {
			t.Errorf("%s is not in the catalogue", slug)
		}
	}
}

// slugsInSource finds the first arguments of invalid and the slugs of Refusal
// literals.
func slugsInSource(t *testing.T) map[string]token.Position {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found, fset := map[string]token.Position{}, token.NewFileSet()
	note := func(e ast.Expr) {
		lit, ok := e.(*ast.BasicLit)
		if !ok {
			t.Errorf("%s: the slug is not written out", fset.Position(e.Pos()))
			return
		}
		slug, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		found[slug] = fset.Position(lit.Pos())
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || name == "oidc.go" {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "invalid" {
					note(n.Args[0])
				}
			case *ast.KeyValueExpr:
				if k, ok := n.Key.(*ast.Ident); ok && k.Name == "Slug" {
					note(n.Value)
				}
			}
			return true
		})
	}
	return found
}
