package docs

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "draw docs/house.svg anew")

// The diagram of concepts.md is what the map of house_test.go says.
func TestDiagramIsFresh(t *testing.T) {
	source, err := os.ReadFile(root + "/house_test.go")
	if err != nil {
		t.Fatal(err)
	}
	rooms, err := Rooms(source)
	if err != nil {
		t.Fatal(err)
	}
	drawn, err := Diagram(rooms)
	if err != nil {
		t.Fatal(err)
	}
	const file = root + "/docs/house.svg"
	if *update {
		if err := os.WriteFile(file, []byte(drawn), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(committed) != drawn {
		t.Error("docs/house.svg is not what the map says: run go test ./e2e/docs -update")
	}
}
