package daypass

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
)

const module = "daypass.dev"

// rooms says who may import whom, from top to bottom of the story. A name is a
// folder; the test files of a room are free. "sandbox/*" stands for a room of
// one AWS service.
var rooms = map[string][]string{
	".":                   {},
	"reason":              {},
	"reason/reasontest":   {},
	"policy":              {},
	"internal/atomicfile": {},
	"internal/cli":        {},
	"internal/walk":       {},
	"internal/page":       {"reason"},
	"internal/sdk":        {},
	"proof":               {"."},
	"exchange/sigv4x509":  {},
	"exchange":            {".", "proof", "reason", "exchange/sigv4x509", "pki"}, // which rule a refused certificate breaks
	"refresh":             {".", "internal/atomicfile"},
	"deliver":             {".", "internal/atomicfile"},
	"deliver/awssdk":      {".", "config", "refresh"},
	"config":              {".", "proof", "exchange", "refresh", "internal/cli"},
	"pki":                 {"reason"},
	"pki/cadir":           {"pki", "reason", "internal/atomicfile"},
	"sandbox/world":       {"policy", "reason"},
	"sandbox/sigv4":       {"sandbox/world", "reason"},
	"sandbox/wire":        {"sandbox/world", "sandbox/sigv4", "reason"},
	"sandbox/oidc":        {"sandbox/world"},
	"sandbox/page":        {"sandbox/world", "internal/page", "reason"},
	"sandbox/*":           {"sandbox/world", "sandbox/wire", "sandbox/sigv4", "sandbox/oidc", "policy", "reason"},
	"sandbox":             {"sandbox/**", "policy", "reason"},
	"sandbox/sandboxtest": {"sandbox", "sandbox/**", "policy", "reason", "internal/sdk"}, // a client of it
	"doctor":              {"reason", "proof", "pki", "policy"},
	"doctor/gather":       {"doctor", "reason", "proof", "pki", "policy", "config", "exchange", "internal/cli"},
	"setup":               {"policy", "pki", "reason"},
	"kube/survey":         {"kube/identity", "kube/inject", "kube/api/v1alpha1", "doctor", "pki", "reason"},
	"kube/page":           {"kube/survey", "internal/page", "reason"},
	"secrets":             {".", "reason", "internal/sdk"},
	"kube/secrets":        {".", "proof", "kube/api/v1alpha1", "kube/vend", "kube/identity", "secrets", "reason"},
	"kube/api/v1alpha1":   {},
	"kube/identity":       {"kube/api/v1alpha1"},
	"kube/vend":           {".", "proof", "exchange", "refresh", "kube/identity", "kube/api/v1alpha1"},
	"kube/agent":          {".", "deliver", "kube/vend", "kube/identity", "kube/api/v1alpha1", "reason"},
	"kube/inject":         {"kube/identity", "kube/api/v1alpha1", "config", "reason"},
	"kube/signer":         {"deliver", "kube/identity", "pki", "reason"},
	"cmd/daypass":         {"**"},
	"cmd/daypassctl":      {"**"},
	"cmd/daypass-kube":    {"**"},
	"e2e/**":              {"**"},

	"kube/api/awspca/v1beta1": {},
	"kube/privateca":          {"deliver", "kube/api/awspca/v1beta1", "pki", "reason"},
}

// walls are outside packages that only the named rooms may bring in.
var walls = map[string][]string{
	"github.com/aws/":                        {"secrets", "internal/sdk", "cmd/daypassctl", "cmd/daypass-kube", "kube/privateca", "deliver/awssdk", "doctor/gather", "setup", "e2e/**", "sandbox/sandboxtest"},
	"k8s.io/":                                {"kube/**", "cmd/daypass-kube", "e2e/**"},
	"sigs.k8s.io/":                           {"kube/**", "cmd/daypass-kube", "e2e/**"},
	"github.com/prometheus/":                 {"kube/**", "e2e/**"},
	"google.golang.org/grpc":                 {"kube/**"},
	"github.com/google/go-containerregistry": {"e2e/**"},
}

// shameful are package names that say nothing.
var shameful = []string{"util", "utils", "common", "helper", "helpers", "manager", "misc", "base", "pkg"}

type source struct {
	room string // folder, "." for the root
	path string
	file *ast.File
	fset *token.FileSet
	text int // lines
	test bool
}

// sources parses every Go file of this module.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			name := d.Name()
			if name == "testdata" || name == "node_modules" || p != "." && strings.HasPrefix(name, ".") {
				return filepath.SkipDir
			}
			if p == filepath.Join("e2e", "cluster") || p == "tools" {
				return filepath.SkipDir // modules of their own
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, p, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		all = append(all, source{
			room: path.Clean(filepath.ToSlash(filepath.Dir(p))), path: filepath.ToSlash(p), file: f, fset: fset,
			text: fset.File(f.Pos()).LineCount(), test: strings.HasSuffix(p, "_test.go"),
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found %d Go files: is the test run in the module's root?", len(all))
	}
	return all
}

// matches reports whether room is meant by pattern: itself, "x/**" (x and all
// below), "x/*" (one level below), or "**".
func matches(pattern, room string) bool {
	if pattern == "**" || pattern == room {
		return true
	}
	if below, ok := strings.CutSuffix(pattern, "/**"); ok {
		return room == below || strings.HasPrefix(room, below+"/")
	}
	ok, _ := path.Match(pattern, room)
	return ok
}

// allowed finds what a room may import; an exact name beats a pattern.
func allowed(room string) ([]string, bool) {
	if a, ok := rooms[room]; ok {
		return a, true
	}
	for pattern, a := range rooms {
		if strings.Contains(pattern, "*") && matches(pattern, room) {
			return a, true
		}
	}
	return nil, false
}

func anyMatches(patterns []string, room string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, room) })
}

func TestRoomsImportOnlyWhatTheMapAllows(t *testing.T) {
	for _, s := range sources(t) {
		may, known := allowed(s.room)
		if !known {
			t.Errorf("%s: folder %s is not on the map in house_test.go", s.path, s.room)
			continue
		}
		for _, spec := range s.file.Imports {
			p := strings.Trim(spec.Path.Value, `"`)
			for wall, behind := range walls {
				if strings.HasPrefix(p, wall) && !s.test && !anyMatches(behind, s.room) {
					t.Errorf("%s imports %s, which only %v may", s.path, p, behind)
				}
			}
			if p == "testing" && !s.test && s.room != "sandbox/sandboxtest" && s.room != "reason/reasontest" && !strings.HasPrefix(s.room, "e2e") && s.room != "internal/walk" {
				t.Errorf("%s imports testing outside a test", s.path)
			}
			ours, inside := strings.CutPrefix(p, module)
			if !inside || s.test {
				continue
			}
			room := strings.TrimPrefix(ours, "/")
			if room == "" {
				room = "."
			}
			if !anyMatches(may, room) {
				t.Errorf("%s imports %s; the map allows %v", s.path, p, may)
			}
		}
	}
}

// The sandbox and what it tests are written by two hands, tests included,
// except where a test joins them from outside.
func TestSandboxAndClientShareNothing(t *testing.T) {
	client := []string{"proof", "exchange/**", "refresh", "deliver", "config", "pki/**"}
	for _, s := range sources(t) {
		for _, spec := range s.file.Imports {
			p := strings.TrimPrefix(strings.TrimPrefix(strings.Trim(spec.Path.Value, `"`), module), "/")
			if strings.HasPrefix(s.room, "sandbox") && anyMatches(client, p) {
				t.Errorf("%s imports %s: the sandbox must not know its clients", s.path, p)
			}
			if !s.test && anyMatches(client, s.room) && strings.HasPrefix(p, "sandbox") {
				t.Errorf("%s imports %s: a client must not know the sandbox", s.path, p)
			}
		}
	}
}

func TestEveryPackageIsNamedAndDocumented(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		if slices.Contains(shameful, s.file.Name.Name) {
			t.Errorf("%s: package %s says nothing", s.path, s.file.Name.Name)
		}
		documented[s.room] = documented[s.room] || s.file.Doc != nil
	}
	for room, ok := range documented {
		if !ok {
			t.Errorf("%s has no package comment", room)
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, d := range s.file.Decls {
			for _, name := range undocumented(d) {
				t.Errorf("%s: %s has no comment", s.path, name)
			}
		}
	}
}

func undocumented(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && receiverExported(d) && !standardMethod(d.Name.Name) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil {
					names = append(names, spec.Name.Name)
				}
			case *ast.ValueSpec:
				for _, n := range spec.Names {
					if n.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
						names = append(names, n.Name)
					}
				}
			}
		}
	}
	return names
}

func receiverExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if index, ok := typ.(*ast.IndexExpr); ok {
		typ = index.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}

// standardMethod names methods whose contract is the interface's.
func standardMethod(name string) bool {
	return slices.Contains([]string{"Error", "Unwrap", "String", "ServeHTTP", "Is", "Close", "Len", "Less", "Swap"}, name)
}

func TestLibrariesNeverExitAndReadNoEnvironment(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		main := s.file.Name.Name == "main"
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			if !ok {
				return true
			}
			at := s.fset.Position(n.Pos())
			switch call := pkg.Name + "." + sel.Sel.Name; {
			case !main && (call == "os.Exit" || call == "log.Fatal" || call == "log.Fatalf"):
				t.Errorf("%s: %s outside a main", at, call)
			case !main && s.room != "config" && s.room != "internal/cli" && !strings.HasPrefix(s.room, "e2e") &&
				(call == "os.Getenv" || call == "os.LookupEnv" || call == "os.Environ"):
				t.Errorf("%s: %s below cmd and config", at, call)
			}
			return true
		})
	}
}

func TestFilesAreSmall(t *testing.T) {
	const most, median = 700, 150
	var lengths []int
	for _, s := range sources(t) {
		if s.text > most {
			t.Errorf("%s has %d lines, more than %d", s.path, s.text, most)
		}
		if !s.test {
			lengths = append(lengths, s.text)
		}
	}
	sort.Ints(lengths)
	if m := lengths[len(lengths)/2]; m > median {
		t.Errorf("the median file has %d lines, more than %d", m, median)
	}
}
