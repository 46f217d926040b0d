package signer

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"

	certs "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/pki"
)

// A podQuestion is a PodCertificateRequest with what the cluster says of it;
// nil is what is not there.
type podQuestion struct {
	request *certs.PodCertificateRequest
	stub    *x509.CertificateRequest
	pod     *corev1.Pod
	account *corev1.ServiceAccount
	node    *corev1.Node
}

// A podCheck refuses, with its slug, or is content. Slugs of package pki are
// told with them.
type podCheck struct {
	slugs []string
	by    func(*podQuestion) error
}

// podChecks are all that a PodCertificateRequest must pass, in this order.
func podChecks() []podCheck {
	return []podCheck{
		{[]string{"request-unreadable", "request-key", "request-signature", "request-asks-for-ca"}, checkStub},
		{[]string{"pod-request-names"}, checkStubNames},
		{[]string{"pod-request-annotations"}, checkAnnotations},
		{[]string{"pod-request-pod"}, checkPod},
		{[]string{"pod-request-node"}, checkNode},
		{[]string{"pod-request-account"}, checkAccount},
	}
}

// checkPodRequest returns the key to certify for the request's ServiceAccount.
func checkPodRequest(ctx context.Context, from client.Reader, r *certs.PodCertificateRequest) (crypto.PublicKey, error) {
	q := &podQuestion{request: r, pod: &corev1.Pod{}, account: &corev1.ServiceAccount{}, node: &corev1.Node{}}
	s := r.Spec
	for _, err := range []error{
		read(ctx, from, &q.pod, client.ObjectKey{Namespace: r.Namespace, Name: s.PodName}),
		read(ctx, from, &q.account, client.ObjectKey{Namespace: r.Namespace, Name: s.ServiceAccountName}),
		read(ctx, from, &q.node, client.ObjectKey{Name: string(s.NodeName)}),
	} {
		if err != nil {
			return nil, err
		}
	}
	for _, check := range podChecks() {
		if err := check.by(q); err != nil {
			return nil, err
		}
	}
	return q.stub.PublicKey, nil
}

// read fills *into, or makes it nil where there is no such object.
func read[T any, P interface {
	*T
	client.Object
}](ctx context.Context, from client.Reader, into *P, key client.ObjectKey) error {
	err := from.Get(ctx, key, *into)
	if apierrors.IsNotFound(err) {
		*into = nil
		return nil
	}
	return err
}

func checkStub(q *podQuestion) error {
	stub, err := x509.ParseCertificateRequest(q.request.Spec.StubPKCS10Request)
	if err != nil {
		return refuse("request-unreadable", "stubPKCS10Request of %d bytes is damaged", len(q.request.Spec.StubPKCS10Request))
	}
	q.stub = stub
	if err := pki.CheckRequest(stub); err != nil {
		return err
	}
	if k, ok := stub.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() < 3072 {
		return refuse("request-key", "the key is RSA of %d bits, which no volume asks for", k.N.BitLen())
	}
	return nil
}

// checkStubNames: a kubelet's stub is empty. What claims a name is no stub.
func checkStubNames(q *podQuestion) error {
	if s := q.stub; len(s.Subject.Names) > 0 || len(s.Extensions) > 0 {
		return refuse("pod-request-names", "the request's stub claims %s and %d extensions", pki.Printable(s.Subject.String()), len(s.Extensions))
	}
	return nil
}

func checkAnnotations(q *podQuestion) error {
	if n := len(q.request.Spec.UnverifiedUserAnnotations); n > 0 {
		return refuse("pod-request-annotations", "the volume has %d userAnnotations, and this signer knows none", n)
	}
	return nil
}

func checkPod(q *podQuestion) error {
	s := q.request.Spec
	switch {
	case q.pod == nil:
		return refuse("pod-request-pod", "there is no pod %s in namespace %s", s.PodName, q.request.Namespace)
	case q.pod.UID != s.PodUID:
		return refuse("pod-request-pod", "pod %s has UID %s, the request names %s", s.PodName, q.pod.UID, s.PodUID)
	}
	return nil
}

func checkNode(q *podQuestion) error {
	s := q.request.Spec
	switch {
	case q.pod.Spec.NodeName != string(s.NodeName):
		return refuse("pod-request-node", "pod %s runs on node %s, the request is node %s's", s.PodName, q.pod.Spec.NodeName, s.NodeName)
	case q.node == nil:
		return refuse("pod-request-node", "there is no node %s", s.NodeName)
	case q.node.UID != s.NodeUID:
		return refuse("pod-request-node", "node %s has UID %s, the request names %s", s.NodeName, q.node.UID, s.NodeUID)
	}
	return nil
}

func checkAccount(q *podQuestion) error {
	s := q.request.Spec
	switch {
	case q.pod.Spec.ServiceAccountName != s.ServiceAccountName:
		return refuse("pod-request-account", "pod %s runs as ServiceAccount %s, the request names %s", s.PodName, q.pod.Spec.ServiceAccountName, s.ServiceAccountName)
	case q.account == nil:
		return refuse("pod-request-account", "there is no ServiceAccount %s in namespace %s", s.ServiceAccountName, q.request.Namespace)
	case q.account.UID != s.ServiceAccountUID:
		return refuse("pod-request-account", "ServiceAccount %s has UID %s, the request names %s", s.ServiceAccountName, q.account.UID, s.ServiceAccountUID)
	}
	return nil
}
