package agent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/setup"
)

// attacks show a pod's real token to agents that must not take it. The tokens
// are those of the cluster; package agent's own test has a row for each rule.
func attacks(s *stage) {
	role := s.role("victim", s.rights(), setup.Token{
		ProviderARN: s.provider(), Subject: "system:serviceaccount:" + s.Name + ":victim", Audience: audience,
	})
	s.account("victim", "daypass.dev/role-arn="+role)
	s.account("thief")
	s.cli("victim", "victim", "node1")
	s.is("victim", role)
	s.cli("neighbour", "thief", "node1")
	s.cli("far", "thief", "node2")
	token, err := s.Exec("victim", "workload", "cat", "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token")
	s.must(err)
	made := func(args ...string) string {
		return strings.TrimSpace(s.Kubectl(append([]string{"create", "token", "victim", "--duration=10m"}, args...)...))
	}
	for _, row := range []struct{ what, pod, token, slug string }{
		{"by a neighbour", "neighbour", token, "pod-other-address"},
		{"on another node", "far", token, "agent-token-node"},
		{"made by hand", "victim", made("--audience=" + audience), "agent-token-unbound"},
		{"for the API server", "victim", made("--bound-object-kind=Pod", "--bound-object-name=victim"), "agent-token-audience"},
		{"for STS", "victim", made("--audience=sts.amazonaws.com", "--bound-object-kind=Pod", "--bound-object-name=victim"), "agent-token-audience"},
		{"cut", "victim", token[:len(token)-20] + "AAAAAAAAAAAAAAAAAAAA", "agent-token-signature"},
	} {
		out, err := s.with(row.pod, row.token)
		if err == nil || !strings.Contains(out+err.Error(), "("+row.slug+"): ") {
			s.t.Errorf("%s: %q, %v, not %s", row.what, out, err, row.slug)
		}
	}
	s.Kubectl("delete", "pod", "victim", "--now")
	s.Eventually(30*time.Second, "the token of a deleted pod being refused", func() error {
		if out, err := s.with("neighbour", token); err == nil || !strings.Contains(err.Error(), "(pod-gone): ") {
			return fmt.Errorf("%s %w", out, err)
		}
		return nil
	})
	if out := s.Kubectl("get", "events", "--field-selector=involvedObject.kind=Pod,reason=IdentityRefused"); strings.Contains(out, "victim") {
		s.t.Errorf("the victim is told of what others did: %s", out)
	}
	s.cli("bare", "thief", "node1")
	if _, err := s.caller("bare"); err == nil || !strings.Contains(err.Error(), "(identity-none): ") {
		s.t.Errorf("without a role: %v", err)
	}
	for range 3 {
		_, _ = s.caller("bare")
	}
	s.Eventually(20*time.Second, "one Event on the pod", func() error {
		out := s.Kubectl("get", "events", "--field-selector=involvedObject.name=bare,reason=IdentityRefused", "--output=name")
		if n := strings.Count(out, "event/"); n != 1 {
			return fmt.Errorf("%d events", n)
		}
		return nil
	})
}

// with asks the agent of a pod's node with a token that the pod has got hold of.
func (s *stage) with(pod, token string) (string, error) {
	return s.Exec(pod, "workload", "env", "-u", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN="+token,
		"aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text")
}

// stolen: what somebody with the agent's token can do, and cannot; the list is
// the threat model's.
func stolen(s *stage, release *kubetest.Release) {
	for _, row := range []struct {
		verb, group, resource, namespace, name string
		want                                   bool
	}{
		{"list", "", "pods", "", "", true},
		{"list", "", "serviceaccounts", "", "", true},
		{"get", "", "nodes", "", "node1", true},
		{"list", "daypass.dev", "podidentityassociations", "", "", true},
		{"create", "certificates.k8s.io", "certificatesigningrequests", "", "", true},
		{"get", "certificates.k8s.io", "certificatesigningrequests", "", "", true},
		{"create", "", "events", "shop", "", true},
		{"patch", "", "nodes", "", "node1", true}, // of which the policy leaves one taint, see below
		{"get", "apps", "daemonsets", kubetest.ChartNamespace, "daypass-node", true},
		{"get", "apps", "daemonsets", kubetest.ChartNamespace, "other", false},
		{"create", "", "serviceaccounts/token", "shop", "", false},
		{"create", "", "serviceaccounts/token", kubetest.ChartNamespace, "daypass-node", false},
		{"get", "", "secrets", kubetest.ChartNamespace, "daypass-signer-root", false},
		{"list", "", "configmaps", "shop", "", false},
		{"create", "", "pods", "shop", "", false},
		{"create", "", "pods/exec", "shop", "", false},
		{"get", "", "nodes/proxy", "", "node1", false},
		{"patch", "", "nodes/status", "", "node1", false},
		{"update", "certificates.k8s.io", "certificatesigningrequests/approval", "", "", false},
		{"approve", "certificates.k8s.io", "signers", "", "daypass.dev/workload", false},
		{"sign", "certificates.k8s.io", "signers", "", "daypass.dev/workload", false},
		{"update", "daypass.dev", "podidentityassociations", "", "x", false},
		{"patch", "daypass.dev", "podidentityassociations", "", "x", false},
		{"patch", "daypass.dev", "podidentityassociations/status", "", "x", true}, // of which the policy leaves lastOK, see below
		{"update", "", "serviceaccounts", "shop", "x", false},
		{"impersonate", "", "serviceaccounts", "shop", "", false},
		{"bind", "rbac.authorization.k8s.io", "clusterroles", "", "cluster-admin", false},
		{"delete", "admissionregistration.k8s.io", "validatingadmissionpolicies", "", "daypass-node", false},
	} {
		resource, sub, _ := strings.Cut(row.resource, "/")
		review, err := json.Marshal(map[string]any{
			"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
			"spec": map[string]any{
				"user":   "system:serviceaccount:" + kubetest.ChartNamespace + ":daypass-node",
				"groups": []string{"system:serviceaccounts", "system:authenticated"},
				"resourceAttributes": map[string]string{
					"verb": row.verb, "group": row.group, "resource": resource, "subresource": sub, "namespace": row.namespace, "name": row.name,
				},
			},
		})
		s.must(err)
		out, err := s.Cluster.Kubectl(s.t.Context(), bytes.NewReader(review), "create", "--filename=-", "--output=jsonpath={.status.allowed}")
		if err != nil || out != fmt.Sprint(row.want) {
			s.t.Errorf("%s %s %s %s: %q, %v; want %v", row.verb, row.group, row.resource, row.name, out, err, row.want)
		}
	}
	nodes(s, release)
	associations(s, release)
}

const taint = "daypass.dev/agent-not-ready"

// nodes: of them the agent of node1 may take one taint, of its own node.
func nodes(s *stage, release *kubetest.Release) {
	pod := release.Kubectl("get", "pods", "--selector=app.kubernetes.io/component=node", "--field-selector=spec.nodeName=node1", "--output=jsonpath={.items[0].metadata.name}")
	bound := s.as(release, "--bound-object-kind=Pod", "--bound-object-name="+pod)
	for _, name := range []string{"node1", "node2"} {
		release.Kubectl("taint", "node", name, taint+"=:NoSchedule", "example.org/other=:PreferNoSchedule", "--overwrite")
		s.t.Cleanup(func() {
			for _, key := range []string{taint, "example.org/other"} {
				_, _ = release.Try("taint", "node", name, key+"-")
			}
		})
	}
	const other = `[{"key":"example.org/other","effect":"PreferNoSchedule"}]`
	for _, row := range []struct {
		what, node, patch string
		by                client.Client
		refused           string
	}{
		{"a label", "node1", `{"metadata":{"labels":{"a":"b"}}}`, bound, "changes nothing else"},
		{"all taints", "node1", `{"spec":{"taints":null}}`, bound, "changes nothing else"},
		{"unschedulable", "node1", `{"spec":{"unschedulable":true}}`, bound, "changes nothing else"},
		{"another node", "node2", `{"spec":{"taints":` + other + `}}`, bound, "its own node only"},
		{"by a token that is bound to no pod", "node1", `{"spec":{"taints":` + other + `}}`, s.as(release), "its own node only"},
		{"its taint", "node1", `{"spec":{"taints":` + other + `}}`, bound, ""},
	} {
		err := row.by.Patch(s.t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: row.node}}, client.RawPatch(types.MergePatchType, []byte(row.patch)))
		if row.refused == "" && err != nil || row.refused != "" && (err == nil || !strings.Contains(err.Error(), row.refused)) {
			s.t.Errorf("%s: %v", row.what, err)
		}
	}
	release.Kubectl("taint", "node", "node2", taint+"-", "example.org/other-")
}

// as is a client with a token of the agent's ServiceAccount.
func (s *stage) as(release *kubetest.Release, bound ...string) client.Client {
	s.t.Helper()
	admin, err := clientcmd.BuildConfigFromFlags("", s.Cluster.Kubeconfig())
	s.must(err)
	config := rest.AnonymousClientConfig(admin)
	config.Dial = s.Cluster.Dial
	config.BearerToken = strings.TrimSpace(release.Kubectl(append([]string{"create", "token", "daypass-node", "--duration=10m"}, bound...)...))
	scheme := runtime.NewScheme()
	s.must(corev1.AddToScheme(scheme))
	s.must(v1alpha1.AddToScheme(scheme))
	to, err := client.New(config, client.Options{Scheme: scheme})
	s.must(err)
	return to
}

// tainted: a node that comes with the taint loses it once its agent is ready.
func tainted(t *testing.T, release *kubetest.Release) {
	release.Kubectl("taint", "node", "node2", taint+"=:NoSchedule")
	pod := release.Kubectl("get", "pods", "--selector=app.kubernetes.io/component=node", "--field-selector=spec.nodeName=node2", "--output=jsonpath={.items[0].metadata.name}")
	release.Kubectl("delete", "pod", pod)
	release.Eventually(2*time.Minute, "node2 without its taint", func() error {
		if out := release.Kubectl("get", "node", "node2", "--output=jsonpath={.spec.taints[*].key}"); strings.Contains(out, taint) {
			return fmt.Errorf("it has %s", out)
		}
		return nil
	})
}
