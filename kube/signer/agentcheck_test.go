package signer

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"net"
	"net/url"
	"strings"
	"testing"

	certs "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"daypass.dev/kube/identity"
)

var (
	agentAccount = types.NamespacedName{Namespace: "daypass", Name: "daypass-node"}
	testCluster  = identity.Cluster{Name: "prod", TrustDomain: "example.org"}
)

// An agentScene is a scene in which the node's agent asks.
type agentScene struct {
	*scene
	agentPod *corev1.Pod
	key      crypto.Signer
	pkcs10   x509.CertificateRequest
	request  *certs.CertificateSigningRequest
	raw      []byte // in place of pkcs10, if not nil
}

// asked are the names of a ServiceAccount, as an agent would write them.
func asked(namespace, account string) x509.CertificateRequest {
	return x509.CertificateRequest{
		Subject: pkix.Name{CommonName: account + "@" + namespace, OrganizationalUnit: []string{namespace}, Organization: []string{"prod"}},
		URIs:    []*url.URL{{Scheme: "spiffe", Host: "example.org", Path: "/ns/" + namespace + "/sa/" + account}},
	}
}

func newAgentScene(t *testing.T) *agentScene {
	s := &agentScene{scene: newScene(t), key: p256(t), pkcs10: asked("shop", "web")}
	s.agentPod = &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "daypass", Name: "daypass-node-x", UID: "agent-uid"},
		Spec:       corev1.PodSpec{NodeName: "node1", ServiceAccountName: "daypass-node"},
	}
	s.request = &certs.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: "daypass-x"},
		Spec: certs.CertificateSigningRequestSpec{
			SignerName: SignerName, Usages: []certs.KeyUsage{certs.UsageDigitalSignature, certs.UsageClientAuth},
			Username: "system:serviceaccount:daypass:daypass-node",
			Extra: map[string]certs.ExtraValue{
				extraPodName: {"daypass-node-x"}, extraPodUID: {"agent-uid"}, extraNodeName: {"node1"}, extraNodeUID: {"node-uid"},
			},
		},
	}
	return s
}

func (s *agentScene) question(t *testing.T) *agentQuestion {
	der := s.raw
	if der == nil {
		der = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: stub(t, s.key, s.pkcs10)})
	}
	s.request.Spec.Request = der
	return &agentQuestion{ctx: t.Context(), from: s.cluster(s.agentPod), cluster: testCluster, agent: agentAccount, request: s.request}
}

type agentRow struct {
	name, slug string
	change     func(t *testing.T, s *agentScene)
}

func agentRows() []agentRow {
	names := func(change func(r *x509.CertificateRequest)) func(*testing.T, *agentScene) {
		return func(_ *testing.T, s *agentScene) { change(&s.pkcs10) }
	}
	extra := func(key string, values ...string) func(*testing.T, *agentScene) {
		return func(_ *testing.T, s *agentScene) { s.request.Spec.Extra[key] = values }
	}
	return []agentRow{
		{"as an agent asks", "", func(*testing.T, *agentScene) {}},
		{"names in another order", "", names(func(r *x509.CertificateRequest) {
			sequence := r.Subject.ToRDNSequence()
			sequence[0], sequence[2] = sequence[2], sequence[0]
			r.RawSubject = mustDER(sequence)
		})},
		{"a workload itself", "agent-request-author", func(_ *testing.T, s *agentScene) {
			s.request.Spec.Username = "system:serviceaccount:shop:web"
		}},
		{"the agent's name in another namespace", "agent-request-author", func(_ *testing.T, s *agentScene) {
			s.request.Spec.Username = "system:serviceaccount:shop:daypass-node"
		}},
		{"an administrator", "agent-request-author", func(_ *testing.T, s *agentScene) { s.request.Spec.Username = "kubernetes-admin" }},
		{"a node", "agent-request-author", func(_ *testing.T, s *agentScene) { s.request.Spec.Username = "system:node:node1" }},
		{"a token of no pod", "agent-request-unbound", func(_ *testing.T, s *agentScene) {
			delete(s.request.Spec.Extra, extraPodName)
			delete(s.request.Spec.Extra, extraPodUID)
		}},
		{"a token of no node", "agent-request-unbound", func(_ *testing.T, s *agentScene) { delete(s.request.Spec.Extra, extraNodeUID) }},
		{"two nodes", "agent-request-unbound", extra(extraNodeName, "node1", "node2")},
		{"an agent that is gone", "agent-request-pod", func(_ *testing.T, s *agentScene) { s.agentPod.UID = "other" }},
		{"no such agent", "agent-request-pod", extra(extraPodName, "daypass-node-y")},
		{"an agent of another ServiceAccount", "agent-request-pod", func(_ *testing.T, s *agentScene) { s.agentPod.Spec.ServiceAccountName = "other" }},
		{"an agent that is finished", "agent-request-pod", func(_ *testing.T, s *agentScene) { s.agentPod.Status.Phase = corev1.PodFailed }},
		{"an agent of another node", "agent-request-pod", func(_ *testing.T, s *agentScene) { s.agentPod.Spec.NodeName = "node2" }},
		{"a node made anew", "agent-request-pod", func(_ *testing.T, s *agentScene) { s.node.UID = "other" }},
		{"server auth, too", "agent-request-usages", func(_ *testing.T, s *agentScene) {
			s.request.Spec.Usages = append(s.request.Spec.Usages, certs.UsageServerAuth)
		}},
		{"client auth alone", "agent-request-usages", func(_ *testing.T, s *agentScene) {
			s.request.Spec.Usages = []certs.KeyUsage{certs.UsageClientAuth}
		}},
		{"no PEM", "request-unreadable", func(_ *testing.T, s *agentScene) { s.raw = []byte("hello") }},
		{"Ed25519", "request-key", func(t *testing.T, s *agentScene) {
			_, k, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			s.key = k
		}},
		{"tampered", "request-signature", func(t *testing.T, s *agentScene) {
			der := stub(t, s.key, s.pkcs10)
			der[len(der)-1] ^= 1
			s.raw = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
		}},
		{"CA:TRUE", "request-asks-for-ca", names(func(r *x509.CertificateRequest) {
			r.ExtraExtensions = []pkix.Extension{{Id: []int{2, 5, 29, 19}, Value: []byte{0x30, 0x03, 0x01, 0x01, 0xff}}}
		})},
		{"empty Subject", "agent-request-names", names(func(r *x509.CertificateRequest) { r.Subject = pkix.Name{} })},
		{"another's CN", "agent-request-names", names(func(r *x509.CertificateRequest) { r.Subject.CommonName = "admin@bank" })},
		{"CN twice", "agent-request-names", names(func(r *x509.CertificateRequest) {
			r.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: []int{2, 5, 4, 3}, Value: "admin@bank"}}
		})},
		{"another cluster", "agent-request-names", names(func(r *x509.CertificateRequest) { r.Subject.Organization = []string{"test"} })},
		{"another's OU", "agent-request-names", names(func(r *x509.CertificateRequest) { r.Subject.OrganizationalUnit = []string{"bank"} })},
		{"no URI", "agent-request-names", names(func(r *x509.CertificateRequest) { r.URIs = nil })},
		{"two URIs", "agent-request-names", names(func(r *x509.CertificateRequest) {
			r.URIs = append(r.URIs, asked("bank", "admin").URIs...)
		})},
		{"a URI of another domain", "agent-request-names", names(func(r *x509.CertificateRequest) { r.URIs[0].Host = "evil.example" })},
		{"a URI of no ServiceAccount", "agent-request-names", names(func(r *x509.CertificateRequest) { r.URIs[0].Path = "/ns/shop" })},
		{"a URI with a query", "agent-request-names", names(func(r *x509.CertificateRequest) { r.URIs[0].RawQuery = "x" })},
		{"a DNS name", "agent-request-names", names(func(r *x509.CertificateRequest) { r.DNSNames = []string{"example.org"} })},
		{"an address", "agent-request-names", names(func(r *x509.CertificateRequest) { r.IPAddresses = []net.IP{{10, 0, 0, 1}} })},
		{"a further extension", "agent-request-names", names(func(r *x509.CertificateRequest) {
			r.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3}, Value: []byte{5, 0}}}
		})},
		{"a namespace too long", "certificate-uri-long", func(_ *testing.T, s *agentScene) { s.pkcs10 = asked("shop", strings.Repeat("a", 250)) }},
		{"a ServiceAccount without a pod", "agent-request-workload", func(_ *testing.T, s *agentScene) { s.pkcs10 = asked("shop", "admin") }},
		{"a ServiceAccount of another namespace", "agent-request-workload", func(_ *testing.T, s *agentScene) { s.pkcs10 = asked("bank", "web") }},
		{"a pod of another node", "agent-request-workload", func(_ *testing.T, s *agentScene) { s.pod.Spec.NodeName = "node2" }},
		{"a pod that is finished", "agent-request-workload", func(_ *testing.T, s *agentScene) { s.pod.Status.Phase = corev1.PodSucceeded }},
	}
}

func TestAgentRequests(t *testing.T) {
	for _, row := range agentRows() {
		t.Run(row.name, func(t *testing.T) {
			s := newAgentScene(t)
			row.change(t, s)
			q := s.question(t)
			err := q.check()
			slug, detail, refused := asRefusal(err)
			switch {
			case row.slug != "":
				if !refused || slug != row.slug || detail == "" {
					t.Errorf("%v (%s), want %s", err, slug, row.slug)
				}
			case err != nil || q.namespace != "shop" || q.account != "web":
				t.Errorf("%s/%s: %v", q.namespace, q.account, err)
			}
		})
	}
	t.Run("no agents", func(t *testing.T) {
		q := newAgentScene(t).question(t)
		q.agent = types.NamespacedName{}
		q.request.Spec.Username = "system:serviceaccount::"
		if slug, _, _ := asRefusal(q.check()); slug != "agent-request-author" {
			t.Errorf("%q", slug)
		}
	})
}

func mustDER(sequence pkix.RDNSequence) []byte {
	der, err := asn1.Marshal(sequence)
	if err != nil {
		panic(err)
	}
	return der
}

func FuzzAgentNames(f *testing.F) {
	f.Add("spiffe://example.org/ns/shop/sa/web", "web@shop")
	f.Fuzz(func(t *testing.T, uri, cn string) {
		u, err := url.Parse(uri)
		if err != nil {
			return
		}
		q := &agentQuestion{cluster: testCluster, pkcs10: &x509.CertificateRequest{
			URIs: []*url.URL{u}, Subject: pkix.Name{CommonName: cn}, Extensions: make([]pkix.Extension, 1),
		}}
		if checkNames(q) == nil {
			t.Errorf("%s: names without OU and O are let through", uri)
		}
	})
}
