package signer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/url"
	"testing"

	certs "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// A scene is a cluster with one pod, as the kubelet of its node asks for a
// certificate.
type scene struct {
	pod     *corev1.Pod
	account *corev1.ServiceAccount
	node    *corev1.Node
	request *certs.PodCertificateRequest
	key     crypto.Signer
}

func p256(t *testing.T) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func stub(t *testing.T, key crypto.Signer, r x509.CertificateRequest) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &r, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func newScene(t *testing.T) *scene {
	s := &scene{
		pod: &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", UID: "pod-uid"},
			Spec:       corev1.PodSpec{NodeName: "node1", ServiceAccountName: "web"},
		},
		account: &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "account-uid"}},
		node:    &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node1", UID: "node-uid"}},
		key:     p256(t),
	}
	most := int32(86400)
	s.request = &certs.PodCertificateRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "req-1"},
		Spec: certs.PodCertificateRequestSpec{
			SignerName: SignerName, PodName: "web-1", PodUID: "pod-uid", ServiceAccountName: "web", ServiceAccountUID: "account-uid",
			NodeName: "node1", NodeUID: "node-uid", MaxExpirationSeconds: &most, StubPKCS10Request: stub(t, s.key, x509.CertificateRequest{}),
		},
	}
	return s
}

func (s *scene) cluster(more ...client.Object) client.WithWatch {
	objects := more
	for _, o := range []client.Object{s.pod, s.account, s.node} {
		if o.GetName() != "" {
			objects = append(objects, o)
		}
	}
	return fake.NewClientBuilder().WithScheme(served{pods: certs.SchemeGroupVersion}.scheme()).WithObjects(objects...).
		WithStatusSubresource(&certs.PodCertificateRequest{}, &certs.CertificateSigningRequest{}).
		WithIndex(&corev1.Pod{}, nodeField, func(o client.Object) []string { return []string{o.(*corev1.Pod).Spec.NodeName} }).
		Build()
}

type podRow struct {
	name, slug string
	change     func(t *testing.T, s *scene)
}

func podRows() []podRow {
	newStub := func(key func(t *testing.T) crypto.Signer, r x509.CertificateRequest) func(*testing.T, *scene) {
		return func(t *testing.T, s *scene) { s.request.Spec.StubPKCS10Request = stub(t, key(t), r) }
	}
	rsaKey := func(bits int) func(t *testing.T) crypto.Signer {
		return func(t *testing.T) crypto.Signer {
			k, err := rsa.GenerateKey(rand.Reader, bits)
			if err != nil {
				t.Fatal(err)
			}
			return k
		}
	}
	edwards := func(t *testing.T) crypto.Signer {
		_, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	return []podRow{
		{"as a kubelet asks", "", func(*testing.T, *scene) {}},
		{"RSA of 3072 bits", "", func(t *testing.T, s *scene) {
			s.key = rsaKey(3072)(t)
			s.request.Spec.StubPKCS10Request = stub(t, s.key, x509.CertificateRequest{})
		}},
		{"no stub", "request-unreadable", func(_ *testing.T, s *scene) { s.request.Spec.StubPKCS10Request = nil }},
		{"half a stub", "request-unreadable", func(_ *testing.T, s *scene) {
			s.request.Spec.StubPKCS10Request = s.request.Spec.StubPKCS10Request[:60]
		}},
		{"tampered stub", "request-signature", func(_ *testing.T, s *scene) {
			b := s.request.Spec.StubPKCS10Request
			b[len(b)-1] ^= 1
		}},
		{"Ed25519", "request-key", newStub(edwards, x509.CertificateRequest{})},
		{"RSA of 2048 bits", "request-key", newStub(rsaKey(2048), x509.CertificateRequest{})},
		{"P-224", "request-key", newStub(func(t *testing.T) crypto.Signer {
			k, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			return k
		}, x509.CertificateRequest{})},
		{"CA:TRUE", "request-asks-for-ca", newStub(p256, x509.CertificateRequest{
			ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Value: []byte{0x30, 0x03, 0x01, 0x01, 0xff}}},
		})},
		{"another's CN", "pod-request-names", newStub(p256, x509.CertificateRequest{Subject: pkix.Name{CommonName: "admin@bank"}})},
		{"another's URI", "pod-request-names", newStub(p256, x509.CertificateRequest{
			URIs: []*url.URL{{Scheme: "spiffe", Host: "example.org", Path: "/ns/bank/sa/admin"}},
		})},
		{"user annotations", "pod-request-annotations", func(_ *testing.T, s *scene) {
			s.request.Spec.UnverifiedUserAnnotations = map[string]string{"example.org/cn": "admin"}
		}},
		{"no pod", "pod-request-pod", func(_ *testing.T, s *scene) { s.pod.Name = "web-2" }},
		{"pod made anew", "pod-request-pod", func(_ *testing.T, s *scene) { s.pod.UID = "other" }},
		{"pod of another namespace", "pod-request-pod", func(_ *testing.T, s *scene) { s.pod.Namespace = "bank" }},
		{"pod of another node", "pod-request-node", func(_ *testing.T, s *scene) { s.pod.Spec.NodeName = "node2" }},
		{"pod not scheduled", "pod-request-node", func(_ *testing.T, s *scene) { s.pod.Spec.NodeName = "" }},
		{"no node", "pod-request-node", func(_ *testing.T, s *scene) { s.node.Name = "node2" }},
		{"node made anew", "pod-request-node", func(_ *testing.T, s *scene) { s.node.UID = "other" }},
		{"another ServiceAccount than the pod's", "pod-request-account", func(_ *testing.T, s *scene) { s.pod.Spec.ServiceAccountName = "admin" }},
		{"no ServiceAccount", "pod-request-account", func(_ *testing.T, s *scene) { s.account.Name = "other" }},
		{"ServiceAccount made anew", "pod-request-account", func(_ *testing.T, s *scene) { s.account.UID = "other" }},
	}
}

func TestPodRequests(t *testing.T) {
	for _, row := range podRows() {
		t.Run(row.name, func(t *testing.T) {
			s := newScene(t)
			row.change(t, s)
			key, err := checkPodRequest(t.Context(), s.cluster(), s.request)
			slug, detail, refused := asRefusal(err)
			switch {
			case row.slug != "":
				if !refused || slug != row.slug || detail == "" || key != nil {
					t.Errorf("%v (%s), want %s", err, slug, row.slug)
				}
			case err != nil:
				t.Error(err)
			case !s.key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(key):
				t.Error("another key")
			}
		})
	}
}

func FuzzPodRequestStub(f *testing.F) {
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, der []byte) {
		q := &podQuestion{request: &certs.PodCertificateRequest{Spec: certs.PodCertificateRequestSpec{StubPKCS10Request: der}}}
		if err := checkStub(q); err == nil && checkStubNames(q) == nil && len(q.stub.Subject.Names) > 0 {
			t.Error("a stub with a name is let through")
		}
	})
}
