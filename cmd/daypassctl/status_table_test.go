package main

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"daypass.dev/kube/survey"
)

// Whoever makes pods, Events or programs writes what is printed: none of it
// reaches the terminal's controls, or makes a row of its own.
func TestStatusIsPlain(t *testing.T) {
	const bad = "x\x1b[2J\x1b]0;owned\x07\nkube-system\tfake\u009b1m"
	now := time.Now()
	w := survey.Workload{
		Namespace: bad, Pod: bad, ServiceAccount: bad, Node: bad, Method: bad, Role: bad, Rule: bad, Association: bad, Delivery: bad, Detail: bad,
		LastRefusal: &survey.Refusal{Reason: bad, Detail: bad, At: now},
	}
	lacks := w
	lacks.Reason = bad
	s := &survey.Status{
		At: now, Workloads: []survey.Workload{w, lacks}, Programs: []survey.Program{{Name: bad}}, Unseen: []string{bad},
		Agents: []survey.Agent{{Node: bad, Upstream: map[string]bool{bad: true}, Unseen: bad}},
	}
	var b strings.Builder
	if err := statusTable(&b, s); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(b.String()), "\n"); len(lines) != 7 { // a head, two rows, an empty line, three below
		t.Errorf("%d lines: %q", len(lines), lines)
	}
	for _, r := range b.String() + lacking(s).Error() {
		if unicode.IsControl(r) && r != '\n' {
			t.Fatalf("%q reaches the terminal: %q", r, b.String())
		}
	}
}
