package sts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The AWS CLI brings a token by itself, as it does in pods; skipped by name
// where there is none.
func TestAWSCLIWithWebIdentity(t *testing.T) {
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("no AWS CLI at PATH")
	}
	s := newStage(t)
	home := t.TempDir()
	file := filepath.Join(home, "token")
	if err := os.WriteFile(file, []byte(s.compact()), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), path, args...)
		cmd.Env = []string{
			"HOME=" + home, "PATH=" + os.Getenv("PATH"), "AWS_CONFIG_FILE=" + filepath.Join(home, "none"), "AWS_PAGER=",
			"AWS_ENDPOINT_URL=" + s.s.URL, "AWS_CA_BUNDLE=" + s.s.CAFile, "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
			"AWS_ROLE_ARN=" + *s.in.RoleArn, "AWS_WEB_IDENTITY_TOKEN_FILE=" + file, "AWS_ROLE_SESSION_NAME=by-cli",
		}
		if root := os.Getenv("PYENV_ROOT"); root != "" {
			cmd.Env = append(cmd.Env, "PYENV_ROOT="+root)
		}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("sts", "get-caller-identity", "--query", "Arn", "--output", "text")
	if want := "arn:aws:sts::111122223333:assumed-role/bearer/by-cli"; err != nil || strings.TrimSpace(out) != want {
		t.Errorf("get-caller-identity: %v, %s", err, out)
	}
	out, err = run("sts", "assume-role-with-web-identity", "--role-arn", *s.in.RoleArn, "--role-session-name", "by-cli",
		"--web-identity-token", s.compact(), "--query", "[Provider,Audience,SubjectFromWebIdentityToken]", "--output", "text")
	if want := providerARN + "\tclient-a\tsubject"; err != nil || strings.TrimSpace(out) != want {
		t.Errorf("assume-role-with-web-identity: %v, %s", err, out)
	}
	s.claim("sub", "changed")
	s.by = signers()["other RSA"]
	out, err = run("sts", "assume-role-with-web-identity", "--role-arn", *s.in.RoleArn, "--role-session-name", "by-cli", "--web-identity-token", s.compact())
	if err == nil || !strings.Contains(out, "(InvalidIdentityToken)") {
		t.Errorf("a forged token: %v, %s", err, out)
	}
}
