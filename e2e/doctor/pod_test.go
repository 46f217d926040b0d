package doctor

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/e2e/stage"
)

const podText = `
apiVersion: v1
kind: Pod
metadata: {name: NAME, labels: {LABELS}}
spec:
  serviceAccountName: ACCOUNT
  terminationGracePeriodSeconds: 0
  MORE
  containers: [{name: app, image: "IMAGE", imagePullPolicy: Never, COMMAND}]
`

// A podRow is a pod to which something was done.
type podRow struct {
	slug       string
	annotation string // of its ServiceAccount, from the beginning; empty: none
	said       string // what its container says; empty: it does nothing
	// What comes after the pod was made, so that nobody refused it at the door:
	// annotations, and associations.
	late         []string
	associations []string
}

func podRows(role string) map[string]podRow {
	const own = "daypass.dev/role-arn"
	annotated := own + ": '" + role + "'"
	anywhere := ", method: roles-anywhere, rolesAnywhere: {trustAnchorArn: 'arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/11111111-2222-4333-8444-555555555555'," +
		" profileArn: 'arn:aws:rolesanywhere:us-east-1:111122223333:profile/22222222-2222-4333-8444-555555555555'}"
	return map[string]podRow{
		"nobody":    {slug: "identity-none"},
		"late":      {slug: "injection-missed", late: []string{own + "=" + role}},
		"malformed": {slug: "role-arn-malformed", late: []string{own + "=reader"}},
		"two":       {slug: "identity-disagreement", late: []string{own + "=" + role, "eks.amazonaws.com/role-arn=" + role + "s"}},
		"expiry":    {slug: "annotation-malformed", late: []string{own + "=" + role, "eks.amazonaws.com/token-expiration=soon"}},
		"unset":     {slug: "roles-anywhere-unset", associations: []string{", method: roles-anywhere"}},
		"unnamed":   {slug: "cluster-unnamed", associations: []string{anywhere}},
		"unusable":  {slug: "policy-unusable", associations: []string{anywhere + ", disableSessionTags: true, policy: '{}'"}},
		"duplicate": {slug: "association-duplicate", associations: []string{", disableSessionTags: true", ", disableSessionTags: true, sessionName: other-{pod}"}},
		"given":     {slug: "injection-missed", associations: []string{", disableSessionTags: true"}},

		// What AWS has of them, doctor reads.
		"stranger": {slug: "policy-condition", annotation: annotated},
		"gone":     {slug: "role-not-found", annotation: own + ": 'arn:aws:iam::111122223333:role/no-such-role'"},

		// What containers say, doctor knows.
		"provider":    {slug: "provider-missing", annotation: own + ": 'arn:aws:iam::444455556666:role/elsewhere'", said: "InvalidIdentityToken: No OpenIDConnect provider found in your account for https://x"},
		"audience":    {slug: "token-audience", annotation: own + ": 'arn:aws:iam::444455556666:role/elsewhere'", said: "InvalidIdentityToken: Incorrect token audience"},
		"usage":       {slug: "AWS", annotation: own + ": 'arn:aws:iam::444455556666:role/elsewhere'", said: "AccessDeniedException: Untrusted certificate. Insufficient certificate"},
		"anchor":      {slug: "anchor-disabled", annotation: own + ": 'arn:aws:iam::444455556666:role/elsewhere'", said: "AccessDeniedException: Trust anchor is disabled"},
		"profile":     {slug: "profile-disabled", annotation: own + ": 'arn:aws:iam::444455556666:role/elsewhere'", said: "AccessDeniedException: Profile is disabled"},
		"list":        {slug: "profile-role", annotation: own + ": 'arn:aws:iam::444455556666:role/elsewhere'", said: "AccessDeniedException: Requested Role isn't one of those listed in the Profile"},
		"empty":       {slug: "empty-credentials", annotation: own + ": 'arn:aws:iam::444455556666:role/elsewhere'", said: "OverflowError: date value out of range"},
		"profilename": {slug: "environment-profile", annotation: own + ": 'arn:aws:iam::444455556666:role/elsewhere'", said: "botocore.exceptions.ProfileNotFound: The config profile (x) could not be found"},
		"revoked":     {slug: "certificate-revoked", annotation: own + ": 'arn:aws:iam::444455556666:role/elsewhere'", said: "AccessDeniedException: Certificate revoked"},
	}
}

// Pods of a real cluster, each with something wrong: doctor names it, with the
// rights of somebody who may only read, and says what it may not.
func TestPods(t *testing.T) {
	cloud := kubetest.Sandbox(t)
	kubetest.Provide(t, cloud, kubetest.AWSCLI)
	kubetest.Chart(t, "cluster: {name: e2e, method: web-identity, region: us-east-1}\nwebhook: {replicas: 1}\ndetector: {enabled: false}\n")
	n := kubetest.New(t)
	role := cloud.Role(t, n, "healthy")
	dir := t.TempDir()
	ca := filepath.Join(dir, "aws-ca.pem")
	if err := os.WriteFile(ca, cloud.CA, 0o600); err != nil {
		t.Fatal(err)
	}
	program := stage.Binary(t, "daypassctl")
	examine := func(args ...string) string {
		t.Helper()
		within, err := n.Cluster.Within(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), within[0], slices.Concat(within[1:], []string{program, "doctor"}, args, []string{"-n", n.Name})...)
		cmd.Env = append(cloud.Environment(ca), "PATH="+os.Getenv("PATH"), "HOME="+dir, "KUBECONFIG="+n.Cluster.Kubeconfig())
		out, _ := cmd.CombinedOutput() // exit code 3 where something is wrong
		return string(out)
	}
	rows := podRows(role)
	if len(rows) < 20 {
		t.Fatalf("%d rows", len(rows))
	}
	fill := func(text, name string, more ...string) string {
		return strings.NewReplacer(append([]string{"NAME", name, "LABELS", "", "  MORE\n", ""}, more...)...).Replace(text)
	}
	for name, row := range rows {
		n.Apply("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: " + name + ", annotations: {" + row.annotation + "}}\n")
		image, command := "localhost/pause:1", ""
		if row.said != "" {
			image, command = "localhost/aws-cli:e2e", fmt.Sprintf("command: [sh, -c, 'echo \"$0\"; sleep 3600', %q]", row.said)
		}
		n.Apply(fill(podText, name, "IMAGE", image, "COMMAND", command, "ACCOUNT", name))
	}
	for name, row := range rows {
		if len(row.late) > 0 {
			n.Kubectl(append([]string{"annotate", "serviceaccount", name}, row.late...)...)
		}
		for i, more := range row.associations {
			called := fmt.Sprintf("%s-%s-%d", n.Name, name, i)
			n.Apply("apiVersion: daypass.dev/v1alpha1\nkind: PodIdentityAssociation\nmetadata: {name: " + called + "}\nspec: {namespace: " + n.Name +
				", serviceAccount: " + name + ", roleArn: '" + role + "'" + more + "}\n")
			t.Cleanup(func() { _, _ = n.Try("delete", "podidentityassociation", called) })
		}
	}
	n.Apply("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: healthy, annotations: {daypass.dev/role-arn: '" + role + "'}}\n")
	n.Apply(fill(podText, "healthy", "ACCOUNT", "healthy", "IMAGE", "localhost/pause:1", "COMMAND", ""))
	n.Wait("pod/healthy", "Ready", 2*time.Minute)
	for name, row := range rows {
		n.Eventually(2*time.Minute, "doctor naming "+row.slug+" for "+name, func() error {
			want := "the likeliest cause is " + row.slug
			if row.slug == "AWS" { // whose words stand for several
				want = "AWS refuses for one of these: leaf-key-usage"
			}
			if out := examine("pod/" + name); !strings.Contains(out, want) {
				return fmt.Errorf("%s", out)
			}
			return nil
		})
	}
	if out := examine("pod/healthy"); !strings.Contains(out, "nothing is wrong") {
		t.Errorf("a false alarm: %s", out)
	}
}
