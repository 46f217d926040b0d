// Package peers finds the real programs that daypass is tried against: AWS's
// clients and a container engine. What can be installed (npm, pip, apt-get as
// root on Debian) is installed once, into a folder of the project's cache; what
// cannot is named, and tests that want it say that they were skipped.
package peers

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ErrAbsent is wrapped by every error that says that a peer is not to be had.
var ErrAbsent = errors.New("not to be had on this machine")

//go:embed skips.txt
var allowed string

// Need ends a test that wants a peer which is not there: it is skipped with the
// peer's name and reason. With CI=true only the peers in skips.txt may be
// absent; any other failure fails the test.
func Need(t testing.TB, name string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if !errors.Is(err, ErrAbsent) || !MaySkip(name) {
		t.Fatalf("%s: %v", name, err)
	}
	t.Skipf("skipped without %s: %v", name, err)
}

// Cache is a folder of the project's cache, named after what it holds and that
// thing's version.
func Cache(name string) (string, error) {
	base := os.Getenv("XDG_CACHE_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		base = filepath.Join(home, ".cache")
	}
	dir := filepath.Join(base, "daypass", name)
	return dir, os.MkdirAll(filepath.Dir(dir), 0o700)
}

// Packages installs Debian packages that lack; commands are what they bring.
// Not being root, or not on Debian, is ErrAbsent.
func Packages(ctx context.Context, commands map[string]string) error {
	var missing []string
	for command, pkg := range commands {
		if _, err := exec.LookPath(command); err != nil {
			missing = append(missing, pkg)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("%s: %w", strings.Join(missing, ", "), ErrAbsent)
	}
	install := append([]string{"install", "-y", "--no-install-recommends"}, slices.Compact(missing)...)
	if quiet(ctx, "apt-get", install...) == nil {
		return nil
	}
	if err := quiet(ctx, "apt-get", "update"); err != nil {
		return err
	}
	return quiet(ctx, "apt-get", install...)
}

// quiet runs a command and shows its output only in the error.
func quiet(ctx context.Context, name string, args ...string) error {
	return quietIn(ctx, "", name, args...)
}

func quietIn(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, tail(string(out)))
	}
	return nil
}

func tail(s string) string {
	if len(s) > 2000 {
		return "…" + s[len(s)-2000:]
	}
	return s
}
