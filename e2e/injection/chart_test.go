package injection

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/kube/kubetest"
)

// values of the releases here: tokens of the cluster's, and nothing in reserve.
const values = "cluster: {name: e2e, method: web-identity, region: us-east-1}\n"

// role is of an account of nobody's: these pods ask AWS nothing.
const role = "arn:aws:iam::111122223333:role/shop"

// pause is a pod that does nothing.
func pause(name, account, labels string) string {
	return "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", labels: {" + labels + "}}\n" + pauseSpec("spec:", account)
}

func pauseSpec(head, account string) string {
	return head + "\n  serviceAccountName: " + account + "\n  terminationGracePeriodSeconds: 0\n  containers: [{name: pause, image: localhost/pause:1}]\n"
}

const labelled = "daypass.dev/inject: 'true'"

func annotated(n *kubetest.Namespace, name string) {
	n.Apply("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: " + name + ", annotations: {daypass.dev/role-arn: '" + role + "'}}\n")
}

func injected(n *kubetest.Namespace, pod string) string {
	return n.Kubectl("get", "pod", pod, `--output=jsonpath={.metadata.annotations.daypass\.dev/injected}`)
}

// TestUpgradeAndUninstallLeavePodsAlone goes through a release's life, with a
// pod beside it that was given its identity at first.
func TestUpgradeAndUninstallLeavePodsAlone(t *testing.T) {
	r, n := kubetest.Chart(t, values), kubetest.New(t)
	annotated(n, "web")
	n.Apply(pause("steady", "web", labelled))
	n.Wait("pod/steady", "Ready", time.Minute)
	if got := injected(n, "steady"); got != "cluster-token" {
		t.Fatalf("the pod is given %q", got)
	}
	const state = `--output=jsonpath={.metadata.uid} {.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount} {.spec}`
	before := n.Kubectl("get", "pod", "steady", state)
	leftovers(t, r)

	authority := r.Kubectl("get", "secret", "daypass-webhook-authority", "--output=jsonpath={.data}")
	pods := r.Kubectl("get", "pods", "--selector=app.kubernetes.io/component=webhook", "--output=jsonpath={.items[*].metadata.uid}")
	r.Upgrade(values + "webhook: {rotateAuthority: true}\n")
	if r.Kubectl("get", "secret", "daypass-webhook-authority", "--output=jsonpath={.data}") == authority {
		t.Error("the authority is the same")
	}
	if r.Kubectl("get", "pods", "--selector=app.kubernetes.io/component=webhook", "--output=jsonpath={.items[*].metadata.uid}") != pods {
		t.Error("the webhook was started anew for it")
	}
	leftovers(t, r)
	n.Apply(pause("later", "web", labelled))

	r.Upgrade(values + "webhook: {enabled: false}\n")
	if out := r.Kubectl("get", "mutatingwebhookconfigurations,deployments", "--output=name"); strings.Contains(out, "webhook") {
		t.Errorf("switched off, there is still %s", out)
	}
	n.Apply(pause("alone", "web", labelled)) // nobody is asked
	r.Upgrade(values)
	if out, err := r.Helm("uninstall", "daypass", "--wait", "--timeout=2m"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, kind := range []string{"all,secrets,serviceaccounts,roles,rolebindings,networkpolicies,poddisruptionbudgets", "clusterroles,clusterrolebindings,mutatingwebhookconfigurations,priorityclasses"} {
		r.Eventually(30*time.Second, "nothing of the release being left", func() error {
			if out := r.Kubectl("get", kind, "--output=name"); strings.Contains(out, "daypass") {
				return errors.New(out)
			}
			return nil
		})
	}
	if out := n.Kubectl("get", "crd", "podidentityassociations.daypass.dev", "--output=name"); out == "" {
		t.Error("the associations are gone, too")
	}
	n.Apply(pause("after", "web", labelled))
	if after := n.Kubectl("get", "pod", "steady", state); after != before {
		t.Errorf("the pod was\n%s\nand is\n%s", before, after)
	}
}

// leftovers: the rights to write webhook configurations are gone with the Job
// that needed them.
func leftovers(t *testing.T, r *kubetest.Release) {
	t.Helper()
	if out := r.Kubectl("get", "clusterroles,clusterrolebindings,roles,rolebindings,jobs,serviceaccounts", "--output=name"); strings.Contains(out, "install") {
		t.Errorf("there is still %s", out)
	}
}

// rights are all that a stolen credential of a program can do in the cluster.
// The threat model tells it to people.
var rights = map[string][]string{
	"webhook": {
		"events [create]", "podidentityassociations.daypass.dev [list watch]", "serviceaccounts [get list watch]",
	},
	"detector": {
		"events [create]", "namespaces [list watch]", "podidentityassociations.daypass.dev [list watch]", "podidentityassociations.daypass.dev/status [patch]",
		"pods [list watch]", "serviceaccounts [list watch]",
	},
}

// TestRelease looks at one release from all sides.
func TestRelease(t *testing.T) {
	r := kubetest.Chart(t, values)
	for _, side := range []struct {
		name string
		test func(*testing.T, *kubetest.Release, *kubetest.Namespace)
	}{
		{"stolen credentials", stolenCredentials}, {"status of associations", statuses}, {"refusals", refusals},
		{"cron jobs", cronJobs}, {"down and up", downAndUp},
	} {
		t.Run(side.name, func(t *testing.T) { side.test(t, r.For(t), kubetest.New(t)) })
	}
}

// stolenCredentials asks the API server for all rights of a program, beyond
// those of any ServiceAccount.
func stolenCredentials(t *testing.T, r *kubetest.Release, _ *kubetest.Namespace) {
	for program, want := range rights {
		for _, namespace := range []string{r.Name, "kube-system"} {
			anybody := may(r, namespace, "nobody")
			got := slices.DeleteFunc(may(r, namespace, "daypass-"+program), func(right string) bool { return slices.Contains(anybody, right) })
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("%s may in %s\n%s\nnot\n%s", program, namespace, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
}

// may lists what a ServiceAccount of the release may do in a namespace, as
// RESOURCE [VERBS].
func may(r *kubetest.Release, namespace, account string) (all []string) {
	out := r.Kubectl("auth", "can-i", "--list", "--no-headers", "--namespace="+namespace, "--as=system:serviceaccount:"+r.Name+":"+account)
	for line := range strings.Lines(out) {
		if i := strings.LastIndex(line, "["); i > 0 { // the last column is the verbs'
			all = append(all, strings.Fields(line)[0]+" "+strings.TrimSpace(line[i:]))
		}
	}
	return all
}

// downAndUp: without the webhook labelled pods wait, others start bare and
// are reported within a minute; once it is back, those that waited start.
func downAndUp(t *testing.T, r *kubetest.Release, n *kubetest.Namespace) {
	annotated(n, "web")
	r.Kubectl("scale", "deployment/daypass-webhook", "--replicas=0")
	r.Kubectl("wait", "--for=delete", "pod", "--selector=app.kubernetes.io/component=webhook", "--timeout=1m")

	if err := n.TryApply(pause("labelled", "web", labelled)); err == nil || !strings.Contains(err.Error(), "pods.inject.daypass.dev") {
		t.Errorf("a labelled pod without the webhook: %v", err)
	}
	n.Apply("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: waits}\nspec:\n selector: {matchLabels: {app: waits}}\n template:\n" +
		"  metadata: {labels: {app: waits, " + labelled + "}}\n" + strings.ReplaceAll(pauseSpec("  spec:", "web"), "\n  ", "\n   "))
	n.Apply(pause("plain", "default", ""))
	n.Apply(pause("bare", "web", ""))
	began := time.Now()
	n.Wait("pod/plain", "Ready", time.Minute)
	n.Wait("pod/bare", "Ready", time.Minute)
	if got := injected(n, "bare"); got != "" {
		t.Errorf("given by nobody: %s", got)
	}
	n.Eventually(time.Minute, "an Event on the bare pod", func() error {
		out, err := n.Try("get", "events", "--field-selector=involvedObject.kind=Pod,reason=IdentityMissed", `--output=jsonpath={range .items[*]}{.involvedObject.name}: {.message}{"\n"}{end}`)
		if err == nil && !strings.Contains(out, "bare: ") {
			err = errors.New(out)
		}
		if err == nil && (strings.Contains(out, "plain: ") || !strings.Contains(out, "(injection-missed)")) {
			t.Errorf("told: %s", out)
		}
		return err
	})
	t.Logf("reported after %s", time.Since(began).Round(time.Second))
	if out := n.Kubectl("get", "pods", "--selector=app=waits", "--output=name"); out != "" {
		t.Errorf("labelled, and started: %s", out)
	}

	r.Kubectl("scale", "deployment/daypass-webhook", "--replicas=2")
	r.Kubectl("rollout", "status", "deployment/daypass-webhook", "--timeout=2m")
	n.Wait("deployment/waits", "Available", 3*time.Minute)
	if out := n.Kubectl("get", "pods", "--selector=app=waits", `--output=jsonpath={.items[*].metadata.annotations.daypass\.dev/injected}`); out != "cluster-token" {
		t.Errorf("those that waited are given %q", out)
	}
}

// statuses: each association says whether it can be used, and why not.
func statuses(t *testing.T, r *kubetest.Release, _ *kubetest.Namespace) {
	for name, more := range map[string]string{"fine": "disableSessionTags: true", "tagged": "disableSessionTags: false", "eks": "method: eks"} {
		name := "e2e-" + name
		t.Cleanup(func() { _, _ = r.Try("delete", "pia", name, "--ignore-not-found") })
		r.Apply(fmt.Sprintf("apiVersion: daypass.dev/v1alpha1\nkind: PodIdentityAssociation\nmetadata: {name: %s}\nspec: {namespace: %s, serviceAccount: web, roleArn: '%s', %s}\n",
			name, name, role, more))
	}
	r.Eventually(time.Minute, "statuses", func() error {
		out, err := r.Try("get", "pia", "--no-headers")
		for name, want := range map[string]string{"fine": "web-identity True", "tagged": "web-identity False session-tags-untrusted", "eks": "eks True"} {
			found := false
			for line := range strings.Lines(out) {
				fields := strings.Join(strings.Fields(line), " ")
				found = found || strings.HasPrefix(fields, "e2e-"+name+" "+role+" "+want)
			}
			if !found {
				err = errors.Join(err, fmt.Errorf("%s is not %s in %s", name, want, out))
			}
		}
		return err
	})
}
