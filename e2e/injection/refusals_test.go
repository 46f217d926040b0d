package injection

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/kube/kubetest"
)

// refusals: whoever makes a pod that cannot be given its identity is told
// why and what to do, and so is whoever looks at its ServiceAccount. The webhook
// goes on.
func refusals(t *testing.T, r *kubetest.Release, n *kubetest.Namespace) {
	// The account's annotations, what the pod has beside, and what is said.
	for name, c := range map[string]struct{ annotations, labels, slug, mend string }{
		"torn":      {"daypass.dev/role-arn: '" + role + "', eks.amazonaws.com/role-arn: '" + role + "-2'", labelled, "identity-disagreement", "let them name the same role"},
		"malformed": {"daypass.dev/role-arn: shop-web", labelled, "role-arn-malformed", "write it as arn:aws:iam::ACCOUNT:role/NAME"},
		"seconds":   {"daypass.dev/role-arn: '" + role + "', daypass.dev/token-expiration: soon", "", "annotation-malformed", "a number of seconds"},
		"node":      {"amazonaws.com/role-arn: '" + role + "'", "", "annotation-node-credentials", "PodIdentityAssociation"},
	} {
		n.Apply("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: " + name + ", annotations: {" + c.annotations + "}}\n")
		err := n.TryApply(pause(name, name, c.labels))
		if err == nil || !strings.Contains(err.Error(), "denied the request") || !strings.Contains(err.Error(), "("+c.slug+"): ") || !strings.Contains(err.Error(), c.mend) {
			t.Errorf("%s: %v", name, err)
		}
		n.Eventually(20*time.Second, "an Event on "+name, func() error {
			out, err := n.Try("get", "events", "--field-selector=involvedObject.kind=ServiceAccount,reason=IdentityRefused,involvedObject.name="+name)
			if err == nil && !strings.Contains(out, c.slug) {
				err = errors.New(out)
			}
			return err
		})
	}
	// The API server itself knows of no such account, and takes no such pod.
	if err := n.TryApply(pause("stranger", "nobody", labelled)); err == nil || !strings.Contains(err.Error(), `serviceaccount "nobody" not found`) {
		t.Errorf("without a ServiceAccount: %v", err)
	}
	annotated(n, "web")
	large := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "large", "labels": {"daypass.dev/inject": "true"}},
		"spec": {"serviceAccountName": "web", "containers": [{"name": "c", "image": "i", "env": [{"name": "LARGE", "value": %q}]}]}}`, strings.Repeat("x", 2_999_000))
	if _, err := n.Cluster.Kubectl(t.Context(), strings.NewReader(large), "--namespace="+n.Name, "create", "--filename=-"); err == nil || !strings.Contains(err.Error(), "large") {
		t.Errorf("a pod of 3 MB: %.300v", err)
	} else {
		t.Logf("a pod of 3 MB: %.300v", err)
	}
	n.Apply(pause("fine", "web", labelled))
	if got := injected(n, "fine"); got != "cluster-token" {
		t.Errorf("after all that a pod is given %q", got)
	}
	if out := r.Kubectl("get", "pods", "--selector=app.kubernetes.io/component=webhook", "--output=jsonpath={.items[*].status.containerStatuses[0].restartCount}"); out != "0 0" {
		t.Errorf("restarts: %s", out)
	}
}
