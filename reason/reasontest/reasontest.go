// Package reasontest finds the reasons for which a package refuses in its
// source, so that a test can walk them: none without a row, none without a case.
package reasontest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Slugs reads the source of the package in a folder and finds the reasons for
// which it refuses: the first arguments of the function call, and the values of
// the field in literals (empty: none), by slug. Files named in but are left out.
// A slug that is not written out where it stands fails the test, unless it is
// the name of a constant in but; so does a package that refuses nothing.
func Slugs(t testing.TB, dir, call, field string, but ...string) map[string]token.Position {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	found, fset := map[string]token.Position{}, token.NewFileSet()
	note := func(e ast.Expr) {
		if id, ok := e.(*ast.Ident); ok && slices.Contains(but, id.Name) {
			return
		}
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
		if strings.HasSuffix(name, "_test.go") || slices.Contains(but, filepath.Base(name)) {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && f.Name == call {
					note(n.Args[0])
				}
			case *ast.KeyValueExpr:
				if k, ok := n.Key.(*ast.Ident); ok && k.Name == field {
					note(n.Value)
				}
			}
			return true
		})
	}
	if len(found) == 0 {
		t.Fatalf("the package in %s refuses nothing by %s", dir, call)
	}
	return found
}
