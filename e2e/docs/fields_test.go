package docs

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The page on associations tells of every field that the custom resource has, and
// no page's example has another.
func TestEveryFieldOfAnAssociationIsExplained(t *testing.T) {
	text, err := os.ReadFile(root + "/charts/daypass/files/daypass.dev_podidentityassociations.yaml")
	if err != nil {
		t.Fatal(err)
	}
	page := open(t, root+"/docs/associations.md").text
	shown := 0
	// Fields of spec and status, and of an object in them: by their depth in
	// the schema.
	_, schema, _ := strings.Cut(string(text), "\n          spec:\n")
	fields := regexp.MustCompile(`(?m)^ {14}(?: {4})?([a-z][A-Za-z]+):$`).FindAllStringSubmatch(schema, -1)
	seen := map[string]bool{}
	for _, m := range fields {
		switch name := m[1]; name {
		case "additionalProperties", "items", "properties", "required", "enum":
		default:
			if seen[name] = true; !strings.Contains(page, "`"+name+"`") {
				t.Errorf("docs/associations.md does not tell of %s", name)
			}
		}
	}
	if len(seen) < 14 {
		t.Errorf("the schema has %d fields: %v", len(seen), seen)
	}
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			for _, one := range strings.Split(strings.ReplaceAll(strings.Join(b.Body, "\n"), "\n> ", "\n"), "kind: PodIdentityAssociation\n")[1:] {
				_, spec, _ := strings.Cut(one, "\nspec:\n")
				for _, line := range strings.Split(spec, "\n") {
					name, _, ok := strings.Cut(strings.TrimPrefix(line, "  "), ":")
					if !ok || !strings.HasPrefix(line, "  ") {
						break
					}
					if shown++; !seen[name] {
						t.Errorf("%s:%d: an association has no field %s", p.path, b.Line, name)
					}
				}
			}
		}
	}
	if shown < 30 {
		t.Errorf("the pages show %d fields", shown)
	}
}
