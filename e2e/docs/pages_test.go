package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"daypass.dev/internal/walk"
)

const root = "../.."

// A page is one file of the documentation, by its path from the root.
type page struct {
	path, text string
	blocks     []walk.Block
	prose      []string // line by line; empty where a block is
}

// pages reads all of the documentation: docs/ and the Markdown beside it.
func pages(t *testing.T) []page {
	t.Helper()
	paths, err := filepath.Glob(root + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root+"/docs", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []page
	for _, path := range paths {
		all = append(all, open(t, path))
	}
	if len(all) < 20 {
		t.Fatalf("%d pages: where is the documentation?", len(all))
	}
	return all
}

func open(t *testing.T, path string) page {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	name, err := filepath.Rel(root, path)
	if err != nil {
		t.Fatal(err)
	}
	p := page{path: filepath.ToSlash(name), text: string(text)}
	if p.blocks, err = walk.Blocks(p.path, p.text); err != nil {
		t.Fatal(err)
	}
	p.prose = strings.Split(p.text, "\n")
	for _, b := range p.blocks {
		for i := range len(b.Body) + 2 {
			p.prose[b.Line-1+i] = ""
		}
	}
	return p
}

// generated reports whether programs write the page, whose tests are beside them.
func (p page) generated() bool {
	return p.path == "docs/cli.md" || p.path == "docs/troubleshooting.md" || p.path == "docs/metrics.md"
}

// of is the path of the page in English, of which this one is a translation.
func (p page) of() string {
	return strings.Replace(strings.Replace(p.path, "docs/zh-CN/", "docs/", 1), ".zh-CN.md", ".md", 1)
}

var inlineCode = regexp.MustCompile("`([^`]+)`")

// code calls f with everything in the prose that is marked as code.
func (p page) code(f func(line int, text string)) {
	for i, line := range p.prose {
		for _, m := range inlineCode.FindAllStringSubmatch(line, -1) {
			f(i+1, m[1])
		}
	}
}

// anchors are the fragments by which a page's headings can be reached, as
// GitHub makes them.
func (p page) anchors() map[string]bool {
	all := map[string]bool{}
	for _, line := range p.prose {
		level := len(line) - len(strings.TrimLeft(line, "#"))
		if level == 0 || level > 6 || !strings.HasPrefix(line[level:], " ") {
			continue
		}
		slug := strings.Map(func(r rune) rune {
			switch r = unicode.ToLower(r); {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return r
			}
			return -1
		}, strings.TrimSpace(line[level:]))
		for n, free := 1, slug; ; n++ {
			if !all[free] {
				all[free] = true
				break
			}
			free = slug + "-" + string(rune('0'+n))
		}
	}
	return all
}
