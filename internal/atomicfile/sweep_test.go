package atomicfile

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestSweepTakesWhatKilledWritersLeft(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{"token", ".token.123", ".token.bak", ".token.", ".other.123", "token.123", ".token.456"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if name != ".token.456" { // which somebody writes right now
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Mkdir(filepath.Join(dir, ".token.789"), 0o700); err != nil {
		t.Fatal(err)
	}
	Sweep(filepath.Join(dir, "token"), time.Minute)
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range all {
		left = append(left, e.Name())
	}
	if want := []string{".other.123", ".token.", ".token.456", ".token.789", ".token.bak", "token", "token.123"}; !slices.Equal(left, want) {
		t.Errorf("left %q, want %q", left, want)
	}
	Sweep(filepath.Join(dir, "token"), 0)
	if _, err := os.Stat(filepath.Join(dir, ".token.456")); err == nil {
		t.Error("what nobody else can be writing is left")
	}
}
