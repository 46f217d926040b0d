package doctor

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"daypass.dev/doctor"
	"daypass.dev/reason"
)

// broken are the reasons that tests of this folder break for real, with doctor
// naming them.
func broken() []string {
	all := []string{noisy, emptyAnswer}
	for _, r := range slices.Concat(certificateRows(), accountRows(), workloadRows(), proxyRows(), furtherRows()) {
		all = append(all, r.slug)
	}
	for _, w := range warnings() {
		all = append(all, w.slug)
	}
	for _, r := range webRows() {
		all = append(all, r.slug)
	}
	for _, r := range slices.Concat(refusals(), anywhereRefusals(), providerRefusals(), programRefusals()) {
		all = append(all, r.slug)
	}
	for _, v := range visits() {
		all = append(all, v.slug)
	}
	for _, r := range requestRows() {
		all = append(all, r.slug)
	}
	for _, p := range phases() {
		for _, r := range p.rows {
			if r.slug != "" {
				all = append(all, r.slug)
			}
		}
	}
	return all
}

// heldUp are found from evidence that package doctor's own test makes up, for
// nothing here can break them.
func heldUp() map[string]string {
	return map[string]string{
		"profile-propagation": "the sandbox has no trusted identity propagation, and AWS's SDKs do not write it",
	}
}

// walked are reasons of programs in the cluster that are broken where they are
// told, by the beginning of their slugs: a test there ends in each, and has doctor
// read what is told; for the signer's, that is in its own words around a made-up
// detail.
func walked() map[string]string {
	const (
		attacks = "kube/agent TestAttacks"
		trouble = "kube/agent TestTroubleIsNamed"
		signer  = "kube/signer TestEveryRefusalIsTested"
		mount   = "kube/secrets TestRefusals"
		issuer  = "kube/privateca TestEveryRefusalIsTold"
		golden  = "kube/inject TestWebhookAgreesWithMutate"
	)
	return map[string]string{
		"agent-": attacks, "pod-gone": attacks, "pod-other-": attacks, "agent-filter": trouble, "agent-address": trouble,
		"token-issuer-other": "kube/agent TestEKSRefusals", "token-unbound": "kube/agent TestEKSOfAnUnboundToken",
		"agent-request-": signer, "pod-request-": signer, "secrets-": mount, "issuer-": issuer, "pca-unreachable": issuer,
		"review-": "kube/inject TestPodsThatAreRefused", "windows-unsupported": golden, "image-unset": golden, "cluster-unnamed": golden,
	}
}

// others are reasons that are not broken here, by the beginning of their slugs.
// What doctor knows of them, it knows by the words of whoever refuses, or by the
// sandbox's record, as doctor's TestEveryReasonIsKnown has it of each.
func others() map[string]string {
	all := map[string]string{
		"image-pull-":             "the kubelet's, for a registry that is not here",
		"method-unknown":          "the API server takes no such association, and the chart no such value",
		"live-exchange":           "daypass check's word for whatever AWS says, and never the cause: TestWhatCheckSays",
		"agent-token-missing":     "no caller without a token comes so far as the check: kube/agent's TestWithoutAToken leaves out what is before it",
		"credentials-none":        "the console's, of an agent's figures; kube/survey's TestRows makes them up",
		"pod-certificate-refused": "of a signer that is not ours, which names no reason; kube/survey's TestRequestsForCertificates makes up its answer",
	}
	maps.Copy(all, walked())
	return all
}

// Where a test is said to walk reasons, there is one, which asks doctor; and the
// reasons stand in its room.
func TestTheWalksAreThere(t *testing.T) {
	for begin, where := range walked() {
		room, name, _ := strings.Cut(where, " ")
		var tests, data string
		for _, pattern := range []string{"*_test.go", "testdata/*"} {
			files, err := filepath.Glob(filepath.Join("..", "..", room, pattern))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					continue // a folder
				}
				if data += string(text); pattern == "*_test.go" {
					tests += string(text)
				}
			}
		}
		_, body, found := strings.Cut(tests, "\nfunc "+name+"(t *testing.T) {\n")
		body, _, _ = strings.Cut(body, "\n}\n")
		switch {
		case !found:
			t.Errorf("%s: %s has no %s", begin, room, name)
		case !strings.Contains(body, "doctor.Recognise("):
			t.Errorf("%s: doctor reads nothing in %s", begin, where)
		case !strings.Contains(data, begin):
			t.Errorf("%s: %s has no such case", begin, room)
		}
	}
}

// Every reason of the catalogue is broken here for real, or it is said why not;
// and nothing is said for nothing.
func TestEveryReasonIsBroken(t *testing.T) {
	here, held, rest := broken(), heldUp(), others()
	used := map[string]bool{}
	for _, r := range reason.All() {
		if slices.Contains(here, r.Slug) {
			continue
		}
		if held[r.Slug] != "" {
			used[r.Slug] = true
			continue
		}
		found := false
		for begin, why := range rest {
			if strings.HasPrefix(r.Slug, begin) && why != "" {
				used[begin], found = true, true
			}
		}
		if !found || slices.Contains(doctor.Reasons(), r.Slug) {
			t.Errorf("nothing breaks %s", r.Slug)
		}
	}
	for slug := range held {
		if !used[slug] {
			t.Errorf("%s is broken, or is no reason", slug)
		}
	}
	for begin := range rest {
		if !used[begin] {
			t.Errorf("no reason that is not broken begins with %s", begin)
		}
	}
}
