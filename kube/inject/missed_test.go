package inject

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"daypass.dev/kube/identity"
)

// Of every golden pod it is known whether it would have escaped: as its author
// wrote it, if something was added or it was refused, and as it came out, never.
func TestMissed(t *testing.T) {
	missed, fine := 0, 0
	for _, g := range goldens(t) {
		read := func(text []byte) *corev1.Pod {
			p := &corev1.Pod{}
			if err := json.Unmarshal(text, p); err != nil {
				t.Fatal(err)
			}
			p.Namespace = "shop"
			return p
		}
		result, err := g.run(g.pod)
		var refusal *identity.Refusal
		got := Missed(read(g.pod), &g.account, g.all, g.settings)
		switch refused := errors.As(err, &refusal); {
		case refused && strings.HasSuffix(g.name, "+skip-containers-malformed"): // lacks what it was refused
			missed++
			continue
		case refused:
			if got == nil || *got != *refusal {
				t.Errorf("%s: %v, want %v", g.name, got, refusal)
			}
			missed++
			continue
		case strings.Contains(strings.Join(result.Warnings, "\n"), "added volume"):
			if got == nil || got.Slug != "injection-missed" || !strings.Contains(got.Detail, "volume ") {
				t.Errorf("%s: %v", g.name, got)
			}
			missed++
		default:
			if got != nil && !strings.Contains(g.name, "own-volume") {
				t.Errorf("%s: %v", g.name, got)
			}
			fine++
			continue
		}
		if got := Missed(read(apply(t, g.pod, result.Patch)), &g.account, g.all, g.settings); got != nil {
			t.Errorf("%s, given what it needs: %v", g.name, got)
		}
		if got := Missed(read(g.pod), nil, g.all, g.settings); got != nil {
			t.Errorf("%s, without a ServiceAccount: %v", g.name, got)
		}
	}
	if missed < 80 || fine < 3 {
		t.Errorf("%d missed, %d fine", missed, fine)
	}
}

func TestWhoseAbsenceIsMissed(t *testing.T) {
	asks := Registration{Namespace: "daypass", Service: "daypass-webhook"}.Asks()
	in := func(name string, more ...string) map[string]string {
		m := map[string]string{"kubernetes.io/metadata.name": name}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	for _, test := range []struct {
		namespace, pod map[string]string
		want           bool
	}{
		{in("shop"), nil, true},
		{in("shop"), map[string]string{Label: "false"}, false},
		{in("shop", Label, "false"), nil, false},
		{in("shop", Label, "false"), map[string]string{Label: "true"}, true},
		{in("shop", gtokenOptOut, "x"), nil, false},
		{in("kube-system"), nil, false},
		{in("daypass"), map[string]string{Label: "true"}, false},
	} {
		if got := asks(test.namespace, test.pod); got != test.want {
			t.Errorf("namespace %v, pod %v: %v", test.namespace, test.pod, got)
		}
	}
}
