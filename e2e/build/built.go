package build

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"time"
)

// BuiltVariable names a folder that Built has filled: processes below take
// programs from there, without asking the Go toolchain each time.
const BuiltVariable = "DAYPASS_BUILT"

// Built fills a folder with programs of the checkout and returns it. Its name
// changes with what is in it, so that a test's result that Go has kept is not
// taken for that of other programs.
func Built(ctx context.Context, pkgs ...string) (dir string, err error) {
	files, key := map[string]string{}, sha256.New()
	for _, pkg := range pkgs {
		if files[path.Base(pkg)], err = ours(ctx, "", pkg); err != nil {
			return "", err
		}
		fmt.Fprintln(key, files[path.Base(pkg)])
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	all := filepath.Join(cache, "daypass", "built")
	dir = filepath.Join(all, fmt.Sprintf("%x", key.Sum(nil))[:16])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	now := time.Now()
	if err := os.Chtimes(dir, now, now); err != nil { // it is in use
		return "", err
	}
	for name, file := range files {
		if err := os.Symlink(file, filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
	}
	return dir, forget(all, dir)
}

// forget removes the folders of last week.
func forget(all, but string) error {
	dirs, err := os.ReadDir(all)
	if err != nil {
		return err
	}
	for _, d := range dirs {
		if info, err := d.Info(); err == nil && d.Name() != filepath.Base(but) && time.Since(info.ModTime()) > 7*24*time.Hour {
			if err := os.RemoveAll(filepath.Join(all, d.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// built is the program's file if BuiltVariable's folder has it, or "".
func built(source, pkg string, environ []string) string {
	dir := os.Getenv(BuiltVariable)
	if dir == "" || slices.ContainsFunc(environ, func(v string) bool { return v != "GOOS="+runtime.GOOS && v != "GOARCH="+runtime.GOARCH }) {
		return ""
	}
	if source != "" {
		here, err := Checkout()
		if there, bad := filepath.Abs(source); err != nil || bad != nil || here != there {
			return ""
		}
	}
	file, err := filepath.EvalSymlinks(filepath.Join(dir, path.Base(pkg)))
	if err != nil {
		return ""
	}
	return file
}

// Checkout is the root of the module that the working directory is in.
func Checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("finding the checkout: no go.mod in %s or above", dir)
		}
	}
}
