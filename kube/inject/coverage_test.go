package inject

import (
	"strings"
	"testing"

	"daypass.dev/reason"
	"daypass.dev/reason/reasontest"
)

// meets lists, for every feature of pods and settings, the deliveries with
// which it meets. Each pair is a golden pod, DELIVERY+FEATURE; "" is a delivery
// with a plain pod.
var meets = map[string][]string{
	"":                          {"cluster-token", "agent", "google-token", "sidecar-pod-certificate", "sidecar-csi", "sidecar-secret"},
	"init-containers":           {"cluster-token", "agent", "google-token", "sidecar-pod-certificate"},
	"native-sidecar":            {"cluster-token", "agent", "google-token", "sidecar-pod-certificate"},
	"own-variables":             {"cluster-token", "agent", "google-token", "sidecar-pod-certificate"},
	"own-volume":                {"cluster-token", "agent", "google-token", "sidecar-pod-certificate", "sidecar-csi", "sidecar-secret"},
	"name-taken":                {"cluster-token", "agent", "google-token", "sidecar-pod-certificate", "sidecar-csi", "sidecar-secret"},
	"skip-containers":           {"cluster-token", "agent", "google-token", "sidecar-pod-certificate"},
	"skip-containers-malformed": {"cluster-token"},
	"generated-name":            {"cluster-token", "google-token"},
	"long-name":                 {"cluster-token", "google-token"},
	"session-name":              {"cluster-token", "google-token", "sidecar-secret"},
	"session-name-generated":    {"cluster-token", "google-token", "sidecar-secret"},
	"token-expiration-account":  {"cluster-token", "agent"},
	"token-expiration-pod":      {"cluster-token", "agent"},
	"token-expiration-settings": {"cluster-token", "agent"},
	"audience":                  {"cluster-token", "agent", "google-token"},
	"regional":                  {"cluster-token", "google-token"},
	"regional-settings":         {"cluster-token", "google-token"},
	"regional-off":              {"cluster-token"},
	"region":                    {"cluster-token", "agent", "google-token", "sidecar-pod-certificate", "sidecar-csi", "sidecar-secret"},
	"host-network":              {"cluster-token", "agent", "sidecar-pod-certificate", "sidecar-csi", "sidecar-secret", "google-token"},
	"windows":                   {"cluster-token", "agent", "google-token", "sidecar-pod-certificate"},
	"windows-node":              {"cluster-token", "agent"},
	"guaranteed":                {"google-token", "sidecar-pod-certificate", "sidecar-csi", "sidecar-secret"},
	"root":                      {"google-token", "sidecar-pod-certificate", "sidecar-csi", "sidecar-secret"},
	"pod-user":                  {"google-token", "sidecar-pod-certificate", "sidecar-csi", "sidecar-secret"},
	"job":                       {"cluster-token", "agent", "google-token", "sidecar-pod-certificate"},
	"louder":                    {"cluster-token", "agent", "google-token", "sidecar-pod-certificate"},
	"no-automount":              {"cluster-token", "agent"},
	"volumes":                   {"cluster-token", "agent", "google-token", "sidecar-pod-certificate"},
	"chain":                     {"cluster-token", "google-token", "sidecar-pod-certificate", "agent"},
	"policy":                    {"cluster-token"},
	"roles-anywhere":            {"agent"},
	"ipv6":                      {"agent"},
	"policy-chain":              {"sidecar-pod-certificate"},
	"port-taken":                {"sidecar-pod-certificate", "sidecar-csi", "sidecar-secret"},
	"no-image":                  {"google-token", "sidecar-secret"},
	"no-source":                 {"sidecar-secret"},
	"cluster-unnamed":           {"sidecar-csi"},
	"mirror":                    {"cluster-token"},
	"nobody":                    {"cluster-token"},
	"irsa":                      {"cluster-token"},
	"disagreement":              {"cluster-token"},
	"by-hand":                   {"sidecar-secret"},
	"one-user":                  {"google-token"},
	"two-users":                 {"google-token"},
	"long-account":              {"sidecar-csi", "sidecar-secret"},
}

func TestEveryFeatureHasItsGoldenPods(t *testing.T) {
	if len(meets) == 0 {
		t.Fatal("no features")
	}
	there := map[string]bool{}
	for _, g := range goldens(t) {
		there[g.name] = true
	}
	for feature, deliveries := range meets {
		for _, d := range deliveries {
			name := d
			if feature != "" {
				name += "+" + feature
			}
			if !there[name] {
				t.Errorf("testdata lacks %s.txtar", name)
			}
			delete(there, name)
		}
	}
	for name := range there {
		t.Errorf("%s.txtar belongs to no feature", name)
	}
}

func TestEveryRefusalHasARowAndACase(t *testing.T) {
	cases := map[string]bool{}
	for _, g := range goldens(t) {
		for _, f := range g.archive.Files {
			if slug, _, ok := strings.Cut(string(f.Data), ": "); ok && f.Name == outRefused {
				cases[slug] = true
			}
		}
	}
	for slug := range reasontest.Slugs(t, ".", "refuse", "") {
		if _, ok := reason.Lookup(slug); !ok {
			t.Errorf("%s has no row in package reason", slug)
		}
		elsewhere := slug == "method-unknown" || // which Resolve refuses before
			slug == "injection-missed" // TestMissed
		if !cases[slug] && !elsewhere {
			t.Errorf("no golden pod is refused for %s", slug)
		}
	}
}
