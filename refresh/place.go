package refresh

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

var (
	errBusy    = errors.New("another process is renewing them")
	errNotHere = errors.New("this system does not tell whose a directory is")
)

// shared are directories that are everybody's, and outlive their users'
// sessions.
var shared = []string{"/tmp", "/var/tmp"}

// fits says why credentials must not be remembered in dir; nil if they may. It
// makes the last element where only that is missing, and never in another
// user's directory, as XDG_RUNTIME_DIR is after sudo. Who owns a directory
// above could exchange dir after this look, and gains nothing: what is read is
// looked at again, what is written is made anew with mode 0600.
func fits(dir string, homes []string) error {
	if !private {
		return errNotHere
	}
	if !filepath.IsAbs(dir) {
		return errors.New("it is not an absolute path")
	}
	dir = filepath.Clean(dir) // a slash at its end would follow a link
	parent, err := filepath.EvalSymlinks(filepath.Dir(dir))
	if err != nil {
		return err
	}
	real := filepath.Join(parent, filepath.Base(dir))
	for _, root := range shared {
		if within(real, root) {
			return fmt.Errorf("it is in %s", root)
		}
	}
	for _, home := range homes {
		if h := filepath.Clean(home); h != "/" && h != "." && within(real, home) {
			return fmt.Errorf("it is in the home directory %s", home)
		}
	}
	if info, err := os.Stat(parent); err != nil || !mine(info) && !roots(info) {
		return errors.Join(err, errors.New("what it is in belongs to another user"))
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return errors.New("it is a symbolic link")
	case !info.IsDir():
		return errors.New("it is not a directory")
	case !mine(info):
		return errors.New("it belongs to another user")
	case info.Mode().Perm() != 0o700:
		return fmt.Errorf("its mode is %#o, not 0700", info.Mode().Perm())
	}
	return nil
}

// within tells whether path, without links, is root or below it.
func within(path, root string) bool {
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		real = filepath.Clean(root)
	}
	return path == real || strings.HasPrefix(path, real+"/")
}

func mine(info fs.FileInfo) bool { return owner(info) == os.Geteuid() }

func roots(info fs.FileInfo) bool { return owner(info) == 0 }

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
