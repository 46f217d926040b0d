package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"daypass.dev/internal/walk"
)

// translations are the pages in Simplified Chinese, by the page in English:
// the README and every walkthrough.
func translations(t *testing.T) map[string]string {
	t.Helper()
	walkthroughs, err := filepath.Glob(root + "/docs/walkthroughs/*.md")
	if err != nil || len(walkthroughs) < 5 {
		t.Fatalf("%d walkthroughs: %v", len(walkthroughs), err)
	}
	all := map[string]string{"README.md": "README.zh-CN.md"}
	for _, w := range walkthroughs {
		name := "docs/walkthroughs/" + filepath.Base(w)
		all[name] = strings.Replace(name, "docs/", "docs/zh-CN/", 1)
	}
	return all
}

// What is executed and shown is the same in both languages, character by
// character, so that who executes one page has executed both.
func TestBothLanguagesHaveTheSameBlocks(t *testing.T) {
	commands := 0
	for en, zh := range translations(t) {
		original, translated := open(t, root+"/"+en), open(t, root+"/"+zh)
		if len(original.blocks) != len(translated.blocks) {
			t.Errorf("%s has %d blocks, %s has %d", en, len(original.blocks), zh, len(translated.blocks))
			continue
		}
		for i, b := range original.blocks {
			c := translated.blocks[i]
			if b.Kind != c.Kind || b.File != c.File || !slices.Equal(b.Body, c.Body) {
				t.Errorf("%s:%d is not %s:%d", zh, c.Line, en, b.Line)
			}
		}
		page, err := walk.Parse(zh, translated.text)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, s := range page.Steps {
			if s.Command != "" {
				commands++
			}
		}
	}
	if commands < 200 {
		t.Errorf("%d commands were compared", commands)
	}
}

var settings = regexp.MustCompile(`(?m)^<!-- .* -->$`)

// A translation is whole: it has the sections of the original and their rank,
// what tests read on it, and no sentence that was left in English.
func TestTranslationsAreWhole(t *testing.T) {
	for en, zh := range translations(t) {
		original, translated := open(t, root+"/"+en), open(t, root+"/"+zh)
		if a, b := settings.FindAllString(original.text, -1), settings.FindAllString(translated.text, -1); !slices.Equal(a, b) {
			t.Errorf("%s has %q, %s has %q", en, a, zh, b)
		}
		if a, b := ranks(original), ranks(translated); en != "README.md" && a != b {
			t.Errorf("%s has headings %s, %s has %s", en, a, zh, b)
		}
		for i, line := range translated.prose {
			words := len(regexp.MustCompile(`[A-Za-z]{3,}`).FindAllString(inlineCode.ReplaceAllString(line, ""), -1))
			if words > 6 && !strings.ContainsFunc(line, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
				t.Errorf("%s:%d is not translated: %s", zh, i+1, line)
			}
		}
	}
	extra, err := filepath.Glob(root + "/docs/zh-CN/*/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range extra {
		if p := open(t, path); strings.HasPrefix(p.of(), "docs/zh-CN") {
			t.Errorf("%s translates nothing", p.path)
		} else if _, err := os.Stat(root + "/" + p.of()); err != nil {
			t.Errorf("%s is a translation of what is not there", p.path)
		}
	}
}

// ranks are the ranks of a page's headings, in order.
func ranks(p page) string {
	var b strings.Builder
	for _, line := range p.prose {
		if level := len(line) - len(strings.TrimLeft(line, "#")); level > 0 && strings.HasPrefix(line[level:], " ") {
			b.WriteByte(byte('0' + level))
		}
	}
	return b.String()
}
