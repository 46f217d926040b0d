package doctor

import (
	"slices"
	"strings"
	"testing"

	"daypass.dev/doctor"
	"daypass.dev/reason"
)

// broken are the reasons that tests of this folder break for real, with doctor
// naming them.
func broken() []string {
	var all []string
	for _, r := range slices.Concat(certificateRows(), accountRows(), workloadRows(), proxyRows(), furtherRows()) {
		all = append(all, r.slug)
	}
	for _, w := range warnings() {
		all = append(all, w.slug)
	}
	for _, r := range webRows() {
		all = append(all, r.slug)
	}
	for _, r := range slices.Concat(refusals(), anywhereRefusals(), providerRefusals()) {
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
		"iam-propagation":      "the sandbox's IAM knows changes at once",
		"anchor-crl-fetch":     "the sandbox's trust anchors do not have the setting",
		"anchor-notifications": "TestAHealthyCertificateIsLeftAlone meets it; the sandbox has AWS's own settings alone, which nobody can mend there",
		"profile-propagation":  "the sandbox has no trusted identity propagation, and no API of AWS's writes it",
	}
}

// others are reasons that are not broken here, by the beginning of their slugs.
// What doctor knows of them, it knows by the words of whoever refuses, or by the
// sandbox's record, as doctor's TestEveryReasonIsKnown has it of each.
func others() map[string]string {
	const (
		admin   = "a refusal of who administers, who reads AWS's words at once"
		request = "daypass check and daypassctl pki say it before there is a workload"
		agent   = "a token or a pod that the agent takes for another's; an Event on the pod names it where it is the pod's, and kube/agent's attacks break each"
		asks    = "a request to the signer that no kubelet and no agent of ours makes"
		mount   = "the mount's Event names it as it names those that are broken here; kube/secrets' tests break each"
		program = "a program of the cluster says it of itself, in its readiness or its object's status"
	)
	return map[string]string{
		"pca-unreachable": "the Private CA issuer says it in its objects' status",
		"setup-":          admin,
		"request-":        request, "live-exchange": "daypass check's word for whatever AWS says",
		"caller-remote": "needs a kernel with route_localnet", "imds-address": "needs an address of the machine's that others reach", "listen-": "daypass does not start; its own tests break it",
		"agent-request-": asks, "pod-request-": asks, "pod-certificate-refused": "of a signer that is not ours, which names no reason",
		"agent-port": program, "agent-address": program, "agent-filter": program, "agent-": agent, "pod-gone": agent, "pod-other-": agent, "credentials-none": agent,
		"token-issuer-other": agent, "token-unbound": agent,
		"secrets-": mount, "issuer-": "the Private CA issuer says it in its objects' status", "review-": program,
		"empty-credentials": "aws_signing_helper's, which is not here", "image-pull-": "the kubelet's, for a registry that is not here",
		"method-unknown":  "the API server takes no such association, and the chart no such value",
		"cluster-unnamed": "chart values without a name or a trust domain: unit tests of kube/identity and kube/inject have it", "windows-unsupported": "there is no node of Windows", "image-unset": "the chart names one always",
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
