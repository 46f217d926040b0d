package peers

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// MaySkip reports whether a peer may be absent: anywhere but in CI, and there
// if skips.txt names it.
func MaySkip(name string) bool {
	return os.Getenv("CI") != "true" || slices.Contains(strings.Fields(allowed), name)
}

// callsAWS finds a command of a page that calls the AWS CLI, wherever in the
// line it does.
var callsAWS = regexp.MustCompile(`(?m)^[$>] (.*[ (])?aws [a-z]`)

// Walk provides what a page of documentation uses, judged by the commands
// that its text names, and returns the environment to run it in: our programs
// first on PATH, a home of its own, and no AWS setting of the user's.
func Walk(ctx context.Context, text string, progress func(string)) ([]string, error) {
	progress("building daypass and daypassctl")
	programs, err := Daypass(ctx)
	if err != nil {
		return nil, err
	}
	path := []string{filepath.Dir(programs["daypass"]), filepath.Dir(programs["daypassctl"])}
	var env []string
	if callsAWS.MatchString(text) {
		cli, err := AWSCLI(ctx)
		if err != nil {
			return nil, err
		}
		path = append(path, filepath.Dir(cli))
	}
	tools := map[string]string{"openssl": "openssl"}
	for _, tool := range []string{"curl", "jq"} {
		if strings.Contains(text, tool+" ") {
			tools[tool] = tool
		}
	}
	if err := Packages(ctx, tools); err != nil {
		return nil, err
	}
	if strings.Contains(text, "$ podman ") {
		progress("looking for a container engine")
		engine, err := Podman(ctx, progress)
		if err != nil {
			return nil, err
		}
		if err := Works(ctx, engine); err != nil {
			return nil, err
		}
		env = append(env, engine...)
	}
	home, err := Cache("home")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	return append(env, "PATH="+strings.Join(append(path, os.Getenv("PATH")), ":"), "HOME="+home, "LANG=C.UTF-8"), nil
}
