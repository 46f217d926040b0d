//go:build unix

package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReplaceKeepsTheOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 65534, 65533); err != nil {
		t.Fatal(err)
	}
	old, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, []byte("new"), 0o400, old); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if is := info.Sys().(*syscall.Stat_t); is.Uid != 65534 || is.Gid != 65533 || info.Mode().Perm() != 0o400 {
		t.Errorf("owner %d, group %d, mode %v", is.Uid, is.Gid, info.Mode())
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "new" {
		t.Errorf("%q, %v", text, err)
	}
}

// Who owns the folder can put a link under the name of the file that is being
// written. It is the file that is given away, not what the link leads to.
func TestReplaceGivesAwayNothingElse(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	dir := t.TempDir()
	roots := filepath.Join(dir, "roots")
	if err := os.WriteFile(roots, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, ".f.1"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := errors.Join(os.Remove(f.Name()), os.Symlink(roots, f.Name())); err != nil {
		t.Fatal(err)
	}
	if err := keepOwner(f, nobody{}); err != nil {
		t.Fatal(err)
	}
	for what, file := range map[string]func() (fs.FileInfo, error){
		"0, the one beside":         func() (fs.FileInfo, error) { return os.Stat(roots) },
		"65534, the one written to": f.Stat,
	} {
		info, err := file()
		if err != nil {
			t.Fatal(err)
		}
		if is := fmt.Sprint(info.Sys().(*syscall.Stat_t).Uid); !strings.HasPrefix(what, is+",") {
			t.Errorf("the owner is %s, want %s", is, what)
		}
	}
}

func TestReplaceThatFailsChangesNothing(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may give a file to anybody")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, []byte("new"), 0o600, root{}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("giving a file to root: %v, want fs.ErrPermission", err)
	}
	left, err := os.ReadDir(dir)
	if text, _ := os.ReadFile(path); err != nil || string(text) != "old" || len(left) != 1 {
		t.Errorf("%q in %v, %v", text, left, err)
	}
}

// root describes a file of the user 0.
type root struct{ fs.FileInfo }

func (root) Sys() any { return &syscall.Stat_t{} }

// nobody describes a file of the user nobody.
type nobody struct{ fs.FileInfo }

func (nobody) Sys() any { return &syscall.Stat_t{Uid: 65534, Gid: 65534} }
