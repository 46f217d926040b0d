package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"daypass.dev/doctor"
	"daypass.dev/reason"
)

const troubleshootingHead = `# Troubleshooting

Written by ` + "`go test ./cmd/... -update`" + ` from the catalogue of reasons; do not edit.

Every way to be refused has a slug. It is the same in the sandbox's decisions, in
hints, in Events, in the status of associations, and here. Start with what you
have:

| you have | run |
|---|---|
| a workload with a certificate or token that gets no credentials | ` + "`daypassctl doctor`" + ` with the flags or variables of ` + "`daypass`" + ` |
| a pod | ` + "`daypassctl doctor pod/NAME -n NAMESPACE`" + ` |
| a line of a log | ` + "`daypassctl doctor --said 'TEXT'`" + ` |
| files alone | ` + "`daypassctl doctor --offline --certificate tls.crt --trust-anchor-file ca.pem --trust-policy role.json`" + ` |
| a sandbox | ` + "`daypassctl doctor --decisions FILE`" + `, or the last line that it printed |
| a slug | ` + "`daypassctl explain SLUG`" + `, or this page |

Reasons marked * doctor finds by itself, from evidence; the others it knows by
what AWS, a program or a sandbox's record says.

`

// TestTroubleshootingIsUpToDate compares docs/troubleshooting.md with the
// catalogue.
func TestTroubleshootingIsUpToDate(t *testing.T) {
	const path = "../../docs/troubleshooting.md"
	now := troubleshooting()
	if *update {
		if err := os.WriteFile(path, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(old) != now {
		t.Errorf("%s is not what the catalogue says: run go test ./cmd/... -update", path)
	}
}

func troubleshooting() string {
	rows := reason.All()
	slices.SortFunc(rows, func(a, b reason.Reason) int { return strings.Compare(a.Slug, b.Slug) })
	found := doctor.Reasons()
	var b strings.Builder
	b.WriteString(troubleshootingHead)
	for _, r := range rows {
		mark := ""
		if slices.Contains(found, r.Slug) {
			mark = " *"
		}
		fmt.Fprintf(&b, "## %s%s\n\n", r.Slug, mark)
		if r.Code != "" {
			b.WriteString("`" + r.Code + "`")
			if r.Message != "" {
				b.WriteString(": " + inCode(strings.ReplaceAll(r.Message, "%s", "…")))
			}
			b.WriteString("\n\n")
		}
		fmt.Fprintf(&b, "%s.\n\n**Mend:** %s.\n\n", sentence(r.Cause), r.Mend)
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func inCode(s string) string {
	if strings.Contains(s, "`") {
		return "`` " + s + " ``"
	}
	return "`" + s + "`"
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
