package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"daypass.dev/reason"
)

// code is the text of all that a user runs: programs, packages and the chart,
// without their tests.
func code(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != root && strings.HasPrefix(name, ".") || name == "testdata" || name == "docs" || name == "e2e" || name == "bin" {
				return filepath.SkipDir
			}
			return nil
		}
		inChart := strings.HasPrefix(path, filepath.Join(root, "charts"))
		if inChart || strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			text, err := os.ReadFile(path)
			b.Write(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if b.Len() < 1_000_000 {
		t.Fatalf("%d bytes of code: where is the rest?", b.Len())
	}
	return b.String()
}

// Labels and annotations of ours that a page names are in the code, metrics and
// variables on the pages that the programs write.
func TestEveryNameOfOursExists(t *testing.T) {
	for kind, c := range map[string]struct {
		name  *regexp.Regexp
		least int
		in    string
	}{
		"label or annotation": {regexp.MustCompile(`(?:^|[^.a-z])((?:sandbox\.)?daypass\.dev/[a-z][a-z0-9-]*)`), 10, code(t)},
		"metric":              {regexp.MustCompile(`\b(daypass_[a-z_]+)`), 8, open(t, root+"/docs/metrics.md").text},
		"variable":            {regexp.MustCompile(`\b(DAYPASS_[A-Z0-9_]+)`), 6, open(t, root+"/docs/cli.md").text},
	} {
		found := map[string]bool{}
		for _, p := range pages(t) {
			if p.generated() || p.path == "CHANGELOG.md" {
				continue
			}
			for i, line := range strings.Split(p.text, "\n") {
				for _, m := range c.name.FindAllStringSubmatch(line, -1) {
					found[m[1]] = true
					whole := m[1]
					if kind != "label or annotation" { // is code on its page
						whole = "`" + whole + "`"
					}
					if !strings.Contains(c.in, whole) && !inParts(c.in, m[1]) {
						t.Errorf("%s:%d: there is no %s %s", p.path, i+1, kind, m[1])
					}
				}
			}
		}
		if len(found) < c.least {
			t.Errorf("the pages name %d of kind %s: %v", len(found), kind, found)
		}
	}
}

// inParts reports whether the code composes an annotation of prefix and name, or
// a package has that name.
func inParts(all, name string) bool {
	prefix, rest, ok := strings.Cut(name, "/")
	if _, err := os.Stat(filepath.Join(root, rest)); err == nil && prefix == "daypass.dev" {
		return true // a package
	}
	return ok && strings.Contains(all, `"`+prefix+`/"`) && strings.Contains(all, `"`+rest+`"`)
}

var (
	slug   = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`)
	region = regexp.MustCompile(`^[a-z]{2}-[a-z]+-[0-9]$`)
)

// What a page writes as a slug is one, or another word of ours or of the
// programs that the page is about.
func TestEverySlugExists(t *testing.T) {
	all := code(t)
	commands := readPrograms(t)
	slugs := 0
	for _, p := range pages(t) {
		if p.path == "CHANGELOG.md" {
			continue
		}
		p.code(func(line int, text string) {
			if !slug.MatchString(text) || region.MatchString(text) {
				return
			}
			if _, is := reason.Lookup(text); is {
				slugs++
				return
			}
			if commands["daypass "+text] != nil || commands["daypassctl "+text] != nil || strings.Contains(all, text) || strings.Contains(words[p.of()], " "+text+" ") {
				return
			}
			t.Errorf("%s:%d: %s is no slug, and not in the code", p.path, line, text)
		})
	}
	if slugs < 40 {
		t.Errorf("the pages name %d slugs", slugs)
	}
}

// words are those of other programs, and of its own examples, that a page has.
var words = map[string]string{
	"docs/migrate.md":                    " generate-gcp-id-token update-gcp-id-token gtoken-volume pod-id-link0 ",
	"docs/walkthroughs/01-kubernetes.md": " create-certificate-authority ",
	"docs/walkthroughs/03-secrets.md":    " service-account-b ",
}
