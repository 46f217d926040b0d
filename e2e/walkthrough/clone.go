package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"daypass.dev/internal/walk"
)

// wantsClone reports whether a page installs daypass from a clone.
func wantsClone(text string) bool { return strings.Contains(text, "$ go install -C daypass ") }

// giveClone shows this checkout to the page as a clone called daypass. Go has its
// caches, and installs into the page's own home, which comes first in the PATH.
func giveClone(ctx context.Context, home string, runner *walk.Runner) error {
	checkout, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := os.Symlink(checkout, filepath.Join(runner.Dir, "daypass")); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "go", "env", "-json", "GOCACHE", "GOMODCACHE", "GOFLAGS", "CGO_ENABLED", "GOPROXY").Output()
	if err != nil {
		return fmt.Errorf("asking go for its settings: %w", err)
	}
	var settings map[string]string
	if err := json.Unmarshal(out, &settings); err != nil {
		return err
	}
	settings["GOFLAGS"] += " -buildvcs=false" // git may take the checkout for another user's
	for name, value := range settings {
		runner.Env = append(runner.Env, name+"="+value)
	}
	return toPath(runner, filepath.Join(home, "go", "bin"))
}

// toPath puts folders first in the PATH of a page.
func toPath(runner *walk.Runner, folders string) error {
	for i, v := range runner.Env {
		if rest, ok := strings.CutPrefix(v, "PATH="); ok {
			runner.Env[i] = "PATH=" + folders + ":" + rest
			return nil
		}
	}
	return errors.New("the page has no PATH")
}
