package signer

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net/url"
	"strings"
	"testing"
	"time"

	stable "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/e2e/kube/kubetest"
)

const agentManifest = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: agent}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NAMESPACE}
rules: [{apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests], verbs: [create, get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: NAMESPACE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: NAMESPACE}
subjects: [{kind: ServiceAccount, name: agent, namespace: NAMESPACE}, {kind: ServiceAccount, name: here, namespace: NAMESPACE}]
`

// holding is a client with a token of a ServiceAccount, as its kubelet would
// give it to a pod, or bound to nothing.
func holding(t *testing.T, n *kubetest.Namespace, account, pod string) client.Client {
	t.Helper()
	args := []string{"create", "token", account, "--duration=10m"}
	if pod != "" {
		args = append(args, "--bound-object-kind=Pod", "--bound-object-name="+pod)
	}
	admins, err := clientcmd.BuildConfigFromFlags("", n.Cluster.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	config := rest.AnonymousClientConfig(admins)
	config.BearerToken, config.Dial = strings.TrimSpace(n.Kubectl(args...)), n.Cluster.Dial
	scheme := as(t, n.Cluster, admin).Scheme()
	if err := stable.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	to, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// wish is a request for the certificate of a ServiceAccount.
func wish(t *testing.T, namespace, account string, key crypto.Signer) *stable.CertificateSigningRequest {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: account + "@" + namespace, OrganizationalUnit: []string{namespace}, Organization: []string{"e2e"}},
		URIs:    []*url.URL{{Scheme: "spiffe", Host: "e2e.example.org", Path: "/ns/" + namespace + "/sa/" + account}},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	life := int32(3600)
	return &stable.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "daypass-"},
		Spec: stable.CertificateSigningRequestSpec{
			SignerName: "daypass.dev/workload", ExpirationSeconds: &life,
			Usages:  []stable.KeyUsage{stable.UsageDigitalSignature, stable.UsageClientAuth},
			Request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
		},
	}
}

// agents: one that asks for pods of its node is answered; whoever else asks, or
// for whatever else, is denied with the reason.
func agents(t *testing.T, r *kubetest.Release) {
	n := kubetest.New(t)
	n.Apply(strings.ReplaceAll(agentManifest, "NAMESPACE", n.Name))
	t.Cleanup(func() {
		if _, err := n.Try("delete", "clusterrole/"+n.Name, "clusterrolebinding/"+n.Name); err != nil {
			t.Log(err)
		}
	})
	r.Kubectl("set", "env", "deployment/daypass-signer", "DAYPASS_AGENT_SERVICE_ACCOUNT="+n.Name+"/agent")
	r.Kubectl("rollout", "status", "deployment/daypass-signer", "--timeout=2m")
	bound(t, n, "node1", "agent")
	bound(t, n, "node1", "here")
	bound(t, n, "node2", "there")
	agent := holding(t, n, "agent", "agent")
	for _, row := range []struct {
		what    string
		by      client.Client
		account string
		change  func(*stable.CertificateSigningRequest)
		denied  string // empty: issued
	}{
		{what: "for a pod of its node", by: agent, account: "here"},
		{what: "for a pod of another node", by: agent, account: "there", denied: "(agent-request-workload): "},
		{what: "for a ServiceAccount without pods", by: agent, account: "default", denied: "(agent-request-workload): "},
		{what: "with a token bound to no pod", by: holding(t, n, "agent", ""), account: "here", denied: "(agent-request-unbound): "},
		{what: "a workload for itself", by: holding(t, n, "here", "here"), account: "here", denied: "(agent-request-author): "},
		{what: "with forged claims", by: holding(t, n, "here", "here"), account: "here", denied: "(agent-request-author): ",
			change: func(r *stable.CertificateSigningRequest) {
				r.Spec.Username = "system:serviceaccount:" + n.Name + ":agent"
			}},
		{what: "for server authentication", by: agent, account: "here", denied: "(agent-request-usages): ",
			change: func(r *stable.CertificateSigningRequest) {
				r.Spec.Usages = append(r.Spec.Usages, stable.UsageServerAuth)
			}},
	} {
		t.Run(row.what, func(t *testing.T) {
			request := wish(t, n.Name, row.account, p256(t))
			if row.change != nil {
				row.change(request)
			}
			if err := row.by.Create(t.Context(), request); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { n.Kubectl("delete", "csr", request.Name) })
			status := decided(t, row.by, request)
			if row.denied == "" {
				good(t, n, string(status.Certificate), row.account)
				return
			}
			if c := status.Conditions[0]; c.Type != stable.CertificateDenied || !strings.Contains(c.Message, row.denied) || status.Certificate != nil {
				t.Errorf("%s: %s", c.Type, c.Message)
			}
		})
	}
}

// decided waits until the request is denied, failed, or has its certificate.
func decided(t *testing.T, by client.Client, r *stable.CertificateSigningRequest) stable.CertificateSigningRequestStatus {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err := by.Get(t.Context(), client.ObjectKeyFromObject(r), r); err != nil {
			t.Fatal(err)
		}
		if c := r.Status.Conditions; len(r.Status.Certificate) > 0 || len(c) > 0 && c[0].Type != stable.CertificateApproved {
			return r.Status
		}
	}
	t.Fatalf("%s is not answered", r.Name)
	return stable.CertificateSigningRequestStatus{}
}
