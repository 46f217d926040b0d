package docs

import (
	"path"
	"strings"
	"testing"

	"daypass.dev/internal/walk"
)

// shown are the pages with commands that nothing executes: how many blocks of
// "sh" they have, and why.
var shown = map[string]struct {
	blocks int
	why    string
}{
	"README.md":                          {2, "go install needs a released module, make test is what runs all of this"},
	"docs/private-ca.md":                 {1, "the private CA of a cluster; walkthrough 01 executes it"},
	"docs/secrets.md":                    {1, "needs a cluster; walkthrough 03 executes it with all values"},
	"docs/setup.md":                      {2, "needs an account and a registry; e2e/setup does the same on a cluster"},
	"docs/signer.md":                     {3, "needs a cluster; e2e/signer rotates the root"},
	"docs/walkthroughs/01-kubernetes.md": {1, "charts of others, from registries of others"},
	"docs/walkthroughs/03-secrets.md":    {1, "a chart of others"},
	"docs/walkthroughs/04-gke.md":        {1, "Google's cloud"},
}

// Commands are executed, or are on the list of those that cannot be. What
// e2e/walkthrough executes is every block of "console" on the README, in docs/
// and in docs/walkthroughs/.
func TestCommandsAreExecutedOrListed(t *testing.T) {
	executed, commands := 0, 0
	for _, p := range pages(t) {
		if p.generated() || p.path != p.of() {
			continue // translations have the same blocks
		}
		only, console := 0, false
		for _, b := range p.blocks {
			switch {
			case b.Kind == "console":
				console = true
			case b.Kind == "sh" && b.File == "", b.Kind == "bash", b.Kind == "shell":
				only++
			}
		}
		if listed := shown[p.path]; only != listed.blocks {
			t.Errorf("%s has %d blocks of commands that nothing executes; the list has %d", p.path, only, listed.blocks)
		}
		if !console {
			continue
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
			}
		}
	}
	t.Logf("%d pages with %d commands", executed, commands)
	if executed < 12 || commands < 300 {
		t.Errorf("%d pages with %d commands are executed", executed, commands)
	}
	for name, listed := range shown {
		if listed.blocks == 0 || strings.TrimSpace(listed.why) == "" {
			t.Errorf("%s is on the list without need or reason", name)
		}
	}
}
