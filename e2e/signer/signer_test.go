package signer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/kube/kubetest"
)

// values of the chart: the signer, and with an account the webhook, too.
func values(a account) string {
	return fmt.Sprintf(`
cluster: {name: e2e, trustDomain: e2e.example.org, method: roles-anywhere, region: us-east-1, trustAnchorARN: %q, profileARN: %q}
webhook: {enabled: %t, replicas: 1}
signer: {enabled: true}
`, a.anchor, a.profile, a.anchor != "")
}

// roots are those that the cluster is told to trust.
func roots(n *kubetest.Namespace) string {
	return n.Kubectl("get", "clustertrustbundle", "daypass.dev:workload:roots", "--output=jsonpath={.spec.trustBundle}")
}

const annotated = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: workload, annotations: {daypass.dev/role-arn: "ROLE-ARN"}}
---
apiVersion: v1
kind: Pod
metadata: {name: workload, labels: {daypass.dev/inject: "true"}}
spec:
  serviceAccountName: workload
  terminationGracePeriodSeconds: 1
  containers: [{name: aws-cli, image: "localhost/aws-cli:e2e"}]
`

// install installs the chart, with a root that no test before has left.
func install(t *testing.T, values string) *kubetest.Release {
	t.Helper()
	if _, err := kubetest.Cluster(t).Kubectl(t.Context(), nil, "delete", "secret", "daypass-signer-root", "--namespace="+kubetest.ChartNamespace, "--ignore-not-found"); err != nil {
		t.Fatal(err)
	}
	return kubetest.Chart(t, values)
}

// TestSigner installs the chart once for all that goes on in a cluster with a
// signer.
func TestSigner(t *testing.T) {
	sandbox := kubetest.Sandbox(t)
	r := install(t, values(account{}))
	t.Run("one annotation", func(t *testing.T) { oneAnnotation(t, sandbox, r) })
	t.Run("who may ask", whoMayAsk)
	t.Run("many at once", manyAtOnce)
	t.Run("a replica is killed", func(t *testing.T) { killed(t, r) })
	t.Run("agents", func(t *testing.T) { agents(t, r) })
	t.Run("no key is kept", func(t *testing.T) { noKeyIsKept(t, r) })
	t.Run("a stolen token", func(t *testing.T) { stolen(t, r) })
	t.Run("the root is changed", func(t *testing.T) { rootChanged(t, sandbox, r) })
}

// oneAnnotation: chart, trust anchor, annotation; then a pod calls AWS with
// AWS's own CLI, by a certificate that the cluster's signer has given it.
func oneAnnotation(t *testing.T, sandbox *kubetest.AWS, r *kubetest.Release) {
	kubetest.Provide(t, sandbox, kubetest.AWSCLI)
	n := kubetest.New(t)
	trusted := roots(n)
	if fromSecret := r.Kubectl("get", "secret", "daypass-signer-root", `--output=go-template={{index .data "trust.pem" | base64decode}}`); trusted != fromSecret || strings.Count(trusted, "BEGIN") != 1 {
		t.Fatalf("the bundle has %q, the Secret %q", trusted, fromSecret)
	}
	a := newAccount(t, sandbox, trusted, n.Name, n.Name, "workload")
	r.Upgrade(values(a))
	if now := roots(n); now != trusted {
		t.Fatal("an upgrade changes the root")
	}

	n.Apply(strings.ReplaceAll(annotated, "ROLE-ARN", a.role))
	n.Wait("pod/workload", "Ready", 2*time.Minute)
	out, err := n.Exec("workload", "aws-cli", "aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text")
	if err != nil || !strings.Contains(out, ":assumed-role/"+n.Name) {
		t.Fatalf("the caller is %q: %v", out, err)
	}
	if out, err := n.Exec("workload", "aws-cli", "aws", "s3", "cp", "/etc/hostname", "s3://"+a.bucket+"/from-annotated.txt"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
