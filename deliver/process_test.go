package deliver

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"daypass.dev"
)

func TestProcessDocument(t *testing.T) {
	var out strings.Builder
	if err := Process(&out, good()); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"Version": 1.0, "AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": secretKey, "SessionToken": secretToken,
		"Expiration": "2026-11-21T11:00:00Z", "AccountId": "111122223333",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if !strings.HasSuffix(out.String(), "}\n") || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("not one line: %q", out.String())
	}
}

func TestProcessLeavesOutAnUnknownAccount(t *testing.T) {
	var out strings.Builder
	c := good()
	c.AccountID = ""
	if err := Process(&out, c); err != nil || strings.Contains(out.String(), "AccountId") {
		t.Errorf("%s, %v", out.String(), err)
	}
}

// A shell must read back exactly what went in, whatever it is.
func TestEnvSurvivesAShell(t *testing.T) {
	for _, hostile := range []string{
		secretKey, "it's", `'; echo pwned; '`, "$(id)", "`id`", `a\b"c`, "two\nlines", " lead and trail ", "''", "–ü",
	} {
		c := good()
		c.SecretAccessKey = daypass.Secret(hostile)
		var script strings.Builder
		if err := Env(&script, c); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("sh", "-c", script.String()+`printf %s "$AWS_ACCESS_KEY_ID|$AWS_SESSION_TOKEN|$AWS_CREDENTIAL_EXPIRATION|$AWS_SECRET_ACCESS_KEY"`).CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		if want := "ASIAEXAMPLE|" + secretToken + "|2026-11-21T11:00:00Z|" + hostile; string(out) != want {
			t.Errorf("a shell reads %q, want %q", out, want)
		}
	}
}
