package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Ours is a program of this module, static and as it is shipped: pkg is its
// package, source a folder of the module or "" for this one, environ is set
// beside this process' (GOARCH=arm64, say). It lies in the Go toolchain's
// cache, under its package's name: of equal sources it is linked once, by
// whoever comes first, in any checkout. It is not to be written to.
func Ours(ctx context.Context, source, pkg string, environ ...string) (file string, err error) {
	if file := built(source, pkg, environ); file != "" {
		return file, nil
	}
	return ours(ctx, source, pkg, environ...)
}

func ours(ctx context.Context, source, pkg string, environ ...string) (file string, err error) {
	for range 3 { // the one that links it runs it from a folder that goes
		cmd := exec.CommandContext(ctx, "go", "run", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-exec=echo", pkg)
		cmd.Dir = source
		cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS="), environ...)
		out, err := cmd.Output()
		if err != nil {
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				err = fmt.Errorf("%w: %s", err, exit.Stderr)
			}
			return "", fmt.Errorf("building %s: %w", pkg, err)
		}
		file = strings.TrimSpace(string(out))
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("building %s: the Go toolchain does not keep %s", pkg, file)
}
