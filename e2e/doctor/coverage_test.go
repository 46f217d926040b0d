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
	for _, r := range slices.Concat(certificateRows(), accountRows(), workloadRows(), proxyRows()) {
		all = append(all, r.slug)
	}
	for _, w := range warnings() {
		all = append(all, w.slug)
	}
	for _, r := range webRows() {
		all = append(all, r.slug)
	}
	for _, r := range requestRows() {
		all = append(all, r.slug)
	}
	for _, rows := range phases() {
		for _, r := range rows {
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
		"crl-unreadable":       "the sandbox takes no such list, nor may AWS",
		"anchor-crl-fetch":     "the sandbox's trust anchors do not have the setting",
		"anchor-notifications": "TestAHealthyCertificateIsLeftAlone meets it; the sandbox has AWS's own settings alone, which nobody can mend there",
		"profile-propagation":  "the sandbox has no trusted identity propagation, and no API of AWS's writes it",
		"issuer-slow":          "takes as long as AWS waits",
		"policy-malformed":     "IAM takes no such policy",
	}
}

// others are reasons that no workload without credentials meets, by the
// beginning of their slugs: what doctor knows of them, it knows by the words of
// whoever refuses, or by the sandbox's record, as doctor's TestEveryReasonIsKnown
// has it of each.
func others() map[string]string {
	const (
		call     = "a refusal of a call that the workload makes with its credentials, or of a client that signs wrongly"
		admin    = "a refusal of who administers"
		check    = "daypass check and daypassctl pki say it before there is a workload"
		endpoint = "a refusal of daypass's own endpoints, whose callers are told"
		agent    = "a refusal of the agent, whose callers are told; an Event on the pod names it where it is the pod's"
		program  = "a program of the cluster says it of itself, in its readiness or its object's status"
	)
	return map[string]string{
		"access-key-": call, "algorithm-": call, "authentication-": call, "authorization-": call, "body-": call, "checksum": call, "chunk": call,
		"credential-": call, "date-": call, "decoded-": call, "duration-over-chained": call, "header": call, "host-": call, "kms-": call,
		"packed-": call, "parameter-": call, "payload-": call, "policy-cross-account": call, "presign-": call, "query-": call, "s3-": call,
		"scope-": call, "secret-": call, "secrets-": "the mount's Event says it, and pods do not start", "session-": call, "signature-": call, "signed-": call,
		"sns-": call, "source-identity-fixed": call, "ssm-": call, "topic-": call, "trailer-": call, "transitive-": call, "x509-": call,
		"fault": "the world of a sandbox asked for it", "internal-failure": "the sandbox itself failed", "operation-not-built": "the sandbox lacks it", "throttled": call,
		"anywhere-": admin, "crl-signature": admin, "delete-": admin, "entity-": admin, "input-": admin, "pass-role-": admin,
		"policy-not-attachable": admin, "policy-of-aws": admin, "quota-": admin, "setup-": admin, "pca-": admin, "eks-": admin,
		"request-": check,
		"caller-":  endpoint, "imds-": endpoint, "role-not-named": endpoint, "container-": endpoint, "listen-": endpoint, "live-exchange": check,
		"agent-": agent, "pod-gone": agent, "pod-other-": agent, "pod-request-": "the signer's, which doctor tells as pod-certificate-refused", "credentials-none": agent,
		"token-issuer-other": agent, "token-unbound": agent, "issuer-": "the Private CA issuer says it in its objects' status",
		"google-": "Google's refusal of a token, before AWS is asked", "provider-": "OAuth tokens, which no workload of ours has, and thumbprints, which AWS no longer asks for",
		"empty-credentials": "aws_signing_helper's, which is not here", "image-pull-": "the kubelet's, for a registry that is not here",
		"method-unknown":  "the API server takes no such association, and the chart no such value",
		"cluster-unnamed": "chart values without a name or a trust domain: unit tests of kube/identity and kube/inject have it", "windows-unsupported": "there is no node of Windows", "image-unset": "the chart names one always",
		"review-": program,
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
