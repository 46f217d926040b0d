package docs

import (
	"path"
	"slices"
	"strings"
	"testing"

	"daypass.dev/internal/walk"
)

// shown are the pages with commands that e2e/walkthrough does not execute: how
// many, and why.
var shown = map[string]struct { // never changed
	commands int
	why      string
}{
	"docs/setup.md":                      {4, "they need a registry; e2e/setup reads them off the page and runs them with one of its own"},
	"docs/walkthroughs/01-kubernetes.md": {3, "charts of others, from their registry"},
	"docs/walkthroughs/03-secrets.md":    {1, "a chart of others, from their registry"},
	"docs/walkthroughs/04-gke.md":        {2, "they make a cluster in Google's cloud"},
}

// commandsOf are the commands of a block that is shown, each as one line.
func commandsOf(b walk.Block) (all []string) {
	for _, line := range strings.Split(joined(strings.Join(b.Body, "\n")), "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all
}

// joined has a command's lines as one.
func joined(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "\\\n  ", ""), "\\\n", "")
}

// Commands are executed: those in a block of "console" by e2e/walkthrough, on the
// README, in docs/ and in docs/walkthroughs/; those in another block because they
// stand, word for word, in a command that is executed. All others are on the list.
// Examples in what programs write are held to the flags that there are.
func TestCommandsAreExecutedOrListed(t *testing.T) {
	executed, commands, run := 0, 0, ""
	all := pages(t)
	for _, p := range all {
		console := slices.ContainsFunc(p.blocks, func(b walk.Block) bool { return b.Kind == "console" })
		if !console || p.generated() || p.path != p.of() {
			continue // translations have the same blocks
		}
		if dir := path.Dir(p.path); p.path != "README.md" && dir != "docs" && dir != "docs/walkthroughs" {
			t.Errorf("%s has commands, and nothing executes pages of its folder", p.path)
		}
		page, err := walk.Parse(p.path, p.text)
		if err != nil {
			t.Error(err)
			continue
		}
		executed++
		for _, s := range page.Steps {
			if s.Command != "" {
				commands++
				run += joined(s.Command) + "\n"
			}
		}
	}
	if executed < 12 || commands < 300 {
		t.Errorf("%d pages with %d commands are executed", executed, commands)
	}
	elsewhere := 0
	for _, p := range all {
		if p.generated() || p.path != p.of() {
			continue
		}
		var left []string
		for _, b := range p.blocks {
			if b.Kind != "sh" || b.File != "" {
				if b.Kind != "console" && b.File == "" && !slices.Contains([]string{"", "json", "yaml"}, b.Kind) {
					t.Errorf("%s:%d: nobody knows whether %s is to be executed", p.path, b.Line, b.Kind)
				}
				continue
			}
			for _, command := range commandsOf(b) {
				if strings.Contains(run, command) {
					elsewhere++
				} else {
					left = append(left, command)
				}
			}
		}
		if listed := shown[p.path]; len(left) != listed.commands {
			t.Errorf("%s has %d commands that nothing executes, the list %d:\n%s", p.path, len(left), listed.commands, strings.Join(left, "\n"))
		}
	}
	t.Logf("%d pages with %d commands, and %d that other blocks repeat", executed, commands, elsewhere)
	for name, listed := range shown {
		if listed.commands == 0 || strings.TrimSpace(listed.why) == "" {
			t.Errorf("%s is on the list without need or reason", name)
		}
	}
}
