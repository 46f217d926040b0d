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
	all := []string{noisy, liveExchange, emptyAnswer}
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
// told, by the beginning of their slugs: a test there walks them all, against the
// real program and the sandbox, and has doctor read what is told.
func walked() map[string]string {
	return map[string]string{
		"agent-": "kube/agent TestAttacks", "agent-filter": "kube/agent TestTroubleIsNamed", "agent-address": "kube/agent TestTroubleIsNamed",
		"pod-gone": "kube/agent TestAttacks", "pod-other-": "kube/agent TestAttacks", "token-issuer-other": "kube/agent TestEKSRefusals", "token-unbound": "kube/agent TestEKSOfAnUnboundToken",
		"agent-request-": "kube/signer TestEveryRefusalIsTested", "pod-request-": "kube/signer TestEveryRefusalIsTested",
		"secrets-": "kube/secrets TestRefusals", "issuer-": "kube/privateca TestEveryRefusalIsTold", "pca-unreachable": "kube/privateca TestEveryRefusalIsTold",
		"review-": "kube/inject TestPodsThatAreRefused", "windows-unsupported": "kube/inject TestEveryRefusalHasARowAndACase", "image-unset": "kube/inject TestEveryRefusalHasARowAndACase",
		"cluster-unnamed": "kube/identity TestCertificateNames", "credentials-none": "kube/survey TestRows", "pod-certificate-refused": "kube/survey TestRequestsForCertificates",
	}
}

// others are reasons that are not broken here, by the beginning of their slugs.
// What doctor knows of them, it knows by the words of whoever refuses, or by the
// sandbox's record, as doctor's TestEveryReasonIsKnown has it of each.
func others() map[string]string {
	all := map[string]string{
		"image-pull-":    "the kubelet's, for a registry that is not here",
		"method-unknown": "the API server takes no such association, and the chart no such value",
	}
	maps.Copy(all, walked())
	return all
}

// Where a test is said to walk reasons, there is one.
func TestTheWalksAreThere(t *testing.T) {
	for begin, where := range walked() {
		room, name, _ := strings.Cut(where, " ")
		files, err := filepath.Glob(filepath.Join("..", "..", room, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(files, func(file string) bool {
			text, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(text), "\nfunc "+name+"(t *testing.T) {")
		}) {
			t.Errorf("%s: %s has no %s", begin, room, name)
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
