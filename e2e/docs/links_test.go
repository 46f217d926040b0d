package docs

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// Every link that is not to another site leads to a file of the repository,
// and its fragment to a heading there.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	anchors := map[string]map[string]bool{}
	all := pages(t)
	for _, p := range all {
		anchors[p.path] = p.anchors()
	}
	followed := 0
	for _, p := range all {
		for i, line := range p.prose {
			for _, m := range link.FindAllStringSubmatch(inlineCode.ReplaceAllString(line, ""), -1) {
				to, fragment, _ := strings.Cut(m[1], "#")
				if strings.Contains(to, "://") {
					continue
				}
				followed++
				target := p.path
				if to != "" {
					target = path.Join(path.Dir(p.path), to)
				}
				if _, err := os.Stat(filepath.Join(root, target)); err != nil {
					t.Errorf("%s:%d: %s leads nowhere", p.path, i+1, m[1])
				} else if fragment != "" && !anchors[target][fragment] {
					t.Errorf("%s:%d: %s has no heading #%s", p.path, i+1, target, fragment)
				}
			}
		}
	}
	if followed < 60 {
		t.Errorf("followed %d links", followed)
	}
}

// Every page is reached from the README by links, so that who reads finds it.
func TestEveryPageIsReached(t *testing.T) {
	texts := map[string]page{}
	for _, p := range pages(t) {
		texts[p.path] = p
	}
	reached := map[string]bool{}
	var visit func(string)
	visit = func(name string) {
		p, is := texts[name]
		if !is || reached[name] {
			return
		}
		reached[name] = true
		for _, m := range link.FindAllStringSubmatch(p.text, -1) {
			to, _, _ := strings.Cut(m[1], "#")
			visit(path.Join(path.Dir(name), to))
		}
	}
	visit("README.md")
	for name := range texts {
		if strings.HasPrefix(name, "docs/") && !reached[name] {
			t.Errorf("no link leads from README.md to %s", name)
		}
	}
}
