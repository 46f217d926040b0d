package s3_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"daypass.dev/sandbox/sandboxtest"
)

// cli runs the AWS CLI against the sandbox and returns its output; the test
// is skipped by name where there is no CLI.
func cli(t *testing.T, s *sandboxtest.Sandbox) func(args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("no AWS CLI at PATH")
	}
	home := t.TempDir()
	return func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), path, args...)
		cmd.Env = append(s.Env(), "HOME="+home, "PATH="+os.Getenv("PATH"), "AWS_CONFIG_FILE="+filepath.Join(home, "none"), "AWS_PAGER=")
		if root := os.Getenv("PYENV_ROOT"); root != "" {
			cmd.Env = append(cmd.Env, "PYENV_ROOT="+root)
		}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
}

func TestAWSCLI(t *testing.T) {
	s := sandboxtest.Start(t, "")
	run := cli(t, s)
	dir := t.TempDir()
	here := filepath.Join(dir, "here.txt")
	if err := os.WriteFile(here, []byte("carried by the CLI"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		args []string
		want string // in the output
	}{
		{[]string{"s3", "mb", "s3://by-cli"}, "make_bucket: by-cli"},
		{[]string{"s3", "ls"}, "by-cli"},
		{[]string{"s3", "cp", here, "s3://by-cli/a dir/there.txt"}, "upload:"},
		{[]string{"s3", "ls", "s3://by-cli"}, "PRE a dir/"},
		{[]string{"s3", "cp", "s3://by-cli/a dir/there.txt", filepath.Join(dir, "back.txt")}, "download:"},
	} {
		out, err := run(step.args...)
		if !strings.Contains(out, step.want) {
			t.Fatalf("aws %s: %v\n%s\nwant %q", strings.Join(step.args, " "), err, out, step.want)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "back.txt")); err != nil || string(b) != "carried by the CLI" {
		t.Errorf("came back as %q, %v", b, err)
	}
}
