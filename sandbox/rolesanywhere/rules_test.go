package rolesanywhere

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
	slugs := slugsInSource(t)
	if len(slugs) < len(Rules())/2 {
		t.Fatalf("only %d faults were found in the source", len(slugs))
	}
	for slug, where := range slugs {
		if !slices.Contains(Rules(), slug) && !slices.Contains(controlSlugs(), slug) {
			t.Errorf("%s: %s is in no list of rules", where, slug)
		}
	}
	for _, slug := range append(Rules(), controlSlugs()...) {
		if _, ok := reason.Lookup(slug); !ok {
			t.Errorf("%s is not in the catalogue", slug)
		}
	}
}

// slugsInSource finds the first arguments of faultf and the slugs of fault
// literals, by slug.
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
			if id, isName := e.(*ast.Ident); !isName || id.Name != "revoked" {
				t.Errorf("%s: the slug is not written out", fset.Position(e.Pos()))
			}
			return
		}
		slug, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		found[slug] = fset.Position(lit.Pos())
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || name == "fault.go" {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "faultf" {
					note(n.Args[0])
				}
			case *ast.KeyValueExpr:
				if k, ok := n.Key.(*ast.Ident); ok && k.Name == "slug" {
					note(n.Value)
				}
			}
			return true
		})
	}
	return found
}
