package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const systemd = "../../docs/systemd/"

// The units are such as systemd takes without a word.
func TestUnitsAreTakenBySystemd(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("skipped: systemd-analyze is not installed")
	}
	for file, name := range map[string]string{
		"daypass-update@.service": "daypass-update@root.service", "daypass-serve.service": "daypass-serve.service",
	} {
		t.Run(file, func(t *testing.T) { verifyUnit(t, file, name) })
	}
}

func verifyUnit(t *testing.T, file, name string) {
	text, err := os.ReadFile(systemd + file)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const program = "/usr/local/bin/daypass"
	if !strings.Contains(string(text), "ExecStart="+program+" ") {
		t.Fatalf("the unit does not start %s", program)
	}
	verify := func(name, text string) (string, error) {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", path).CombinedOutput()
		var ours []string // it reads the units that ours names, too
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "daypass") || strings.Contains(line, path) {
				ours = append(ours, line)
			}
		}
		return strings.Join(ours, ""), err
	}
	here := strings.Replace(string(text), program, self, 1) // which is there to be run
	if said, err := verify(name, here); err != nil || said != "" {
		t.Errorf("systemd says: %v\n%s", err, said)
	}
	wrong := strings.Replace(here, "RestrictRealtime=yes", "RestrictRealtiem=yes", 1)
	if said, _ := verify(name, wrong); !strings.Contains(said, "RestrictRealtiem") {
		t.Errorf("a mistake passes: %s", said)
	}
}

// The file of settings names variables that update and serve read, and all that it
// cannot do without.
func TestEnvironmentFileIsUnderstood(t *testing.T) {
	text, err := os.ReadFile(systemd + "daypass.env")
	if err != nil {
		t.Fatal(err)
	}
	known := []string{"AWS_SHARED_CREDENTIALS_FILE"}
	u := &updater{}
	o := &options{}
	for _, s := range append(u.settings(), o.Table()...) {
		known = append(known, s.Names()...)
	}
	set := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		name, _, ok := strings.Cut(strings.TrimPrefix(line, "#"), "=")
		if strings.HasPrefix(line, "# ") || strings.TrimSpace(line) == "" {
			continue
		}
		if !ok || !slices.Contains(known, name) {
			t.Errorf("update does not know %q", line)
		}
		set[name] = !strings.HasPrefix(line, "#")
	}
	for _, name := range []string{"DAYPASS_CERTIFICATE", "DAYPASS_PRIVATE_KEY", "DAYPASS_ROLE_ARN", "DAYPASS_TRUST_ANCHOR_ARN", "DAYPASS_PROFILE_ARN"} {
		if !set[name] {
			t.Errorf("%s is not set", name)
		}
	}
}
