package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := ReadFile(path, 5); err != nil || string(text) != "12345" {
		t.Errorf("%q, %v", text, err)
	}
	for name, c := range map[string]struct {
		path, want string
	}{
		"too long":    {path, "read " + path + ": more than 4 bytes"},
		"absent":      {path + "2", "open " + path + "2: "},
		"a directory": {dir, "read " + dir + ": "},
		"endless":     {"/dev/zero", "read /dev/zero: more than 4 bytes"},
	} {
		if _, err := ReadFile(c.path, 4); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
