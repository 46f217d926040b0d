package signer

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"slices"
	"strings"

	certs "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/kube/identity"
	"daypass.dev/pki"
)

// What the API server writes into spec.extra of whoever shows a token that is
// bound to a pod; nobody else can.
const (
	extraPodName  = "authentication.kubernetes.io/pod-name"
	extraPodUID   = "authentication.kubernetes.io/pod-uid"
	extraNodeName = "authentication.kubernetes.io/node-name"
	extraNodeUID  = "authentication.kubernetes.io/node-uid"
)

// An agentQuestion is an agent's CertificateSigningRequest with what the
// checks before have found in it.
type agentQuestion struct {
	ctx     context.Context
	from    client.Reader
	cluster identity.Cluster
	agent   types.NamespacedName // the agents' ServiceAccount
	request *certs.CertificateSigningRequest

	pkcs10             *x509.CertificateRequest
	node               string
	namespace, account string // that are asked for
}

// An agentCheck refuses, with its slug, or is content.
type agentCheck struct {
	slugs []string
	by    func(*agentQuestion) error
}

// agentChecks are all that a CertificateSigningRequest must pass, in this
// order: who asks, then what for.
func agentChecks() []agentCheck {
	return []agentCheck{
		{[]string{"agent-request-author"}, checkAuthor},
		{[]string{"agent-request-unbound"}, checkBound},
		{[]string{"agent-request-pod"}, checkAgentPod},
		{[]string{"agent-request-usages"}, checkUsages},
		{[]string{"request-unreadable", "request-key", "request-signature", "request-asks-for-ca"}, checkPKCS10},
		{[]string{"agent-request-names"}, checkNames},
		{[]string{"agent-request-workload"}, checkWorkload},
	}
}

// check runs all of them; q then says who is asked for, and with which key.
func (q *agentQuestion) check() error {
	for _, check := range agentChecks() {
		if err := check.by(q); err != nil {
			return err
		}
	}
	return nil
}

func checkAuthor(q *agentQuestion) error {
	if q.agent.Name == "" {
		return refuse("agent-request-author", "this signer knows no agents, so %s is none", q.request.Spec.Username)
	}
	if want := "system:serviceaccount:" + q.agent.Namespace + ":" + q.agent.Name; q.request.Spec.Username != want {
		return refuse("agent-request-author", "%s is not %s", q.request.Spec.Username, want)
	}
	return nil
}

func (q *agentQuestion) extra(key string) string {
	if v := q.request.Spec.Extra[key]; len(v) == 1 {
		return v[0]
	}
	return ""
}

func checkBound(q *agentQuestion) error {
	for _, key := range []string{extraPodName, extraPodUID, extraNodeName, extraNodeUID} {
		if q.extra(key) == "" {
			return refuse("agent-request-unbound", "the author's token names no %s", strings.TrimPrefix(key, "authentication.kubernetes.io/"))
		}
	}
	q.node = q.extra(extraNodeName)
	return nil
}

func checkAgentPod(q *agentQuestion) error {
	pod, node := &corev1.Pod{}, &corev1.Node{}
	name := q.extra(extraPodName)
	if err := read(q.ctx, q.from, &pod, client.ObjectKey{Namespace: q.agent.Namespace, Name: name}); err != nil {
		return err
	}
	if err := read(q.ctx, q.from, &node, client.ObjectKey{Name: q.node}); err != nil {
		return err
	}
	switch {
	case pod == nil || string(pod.UID) != q.extra(extraPodUID):
		return refuse("agent-request-pod", "there is no pod %s with UID %s", name, q.extra(extraPodUID))
	case pod.Spec.ServiceAccountName != q.agent.Name:
		return refuse("agent-request-pod", "pod %s runs as ServiceAccount %s", name, pod.Spec.ServiceAccountName)
	case finished(pod):
		return refuse("agent-request-pod", "pod %s is finished", name)
	case pod.Spec.NodeName != q.node:
		return refuse("agent-request-pod", "pod %s runs on node %s, not on %s", name, pod.Spec.NodeName, q.node)
	case node == nil || string(node.UID) != q.extra(extraNodeUID):
		return refuse("agent-request-pod", "there is no node %s with UID %s", q.node, q.extra(extraNodeUID))
	}
	return nil
}

func finished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func checkUsages(q *agentQuestion) error {
	got := slices.Compact(slices.Sorted(slices.Values(q.request.Spec.Usages)))
	if want := []certs.KeyUsage{certs.UsageClientAuth, certs.UsageDigitalSignature}; !slices.Equal(got, want) {
		return refuse("agent-request-usages", "the usages are %q", got)
	}
	return nil
}

func checkPKCS10(q *agentQuestion) (err error) {
	if q.pkcs10, err = pki.ParseRequest(q.request.Spec.Request); err != nil {
		return err
	}
	return pki.CheckRequest(q.pkcs10)
}

// checkNames finds by the URI who is asked for, and then wants every name that
// belongs to it, and no other.
func checkNames(q *agentQuestion) error {
	r := q.pkcs10
	if len(r.URIs) != 1 || len(r.DNSNames)+len(r.EmailAddresses)+len(r.IPAddresses) > 0 || len(r.Extensions) != 1 {
		return refuse("agent-request-names", "the request has %d URIs, %d DNS names, %d addresses and %d extensions",
			len(r.URIs), len(r.DNSNames), len(r.EmailAddresses)+len(r.IPAddresses), len(r.Extensions))
	}
	uri := r.URIs[0].String()
	parts := strings.Split(uri, "/") // spiffe: "" DOMAIN ns NAMESPACE sa ACCOUNT
	if len(parts) != 7 || parts[3] != "ns" || parts[5] != "sa" || parts[4] == "" || parts[6] == "" {
		return refuse("agent-request-names", "%s is no ServiceAccount's", pki.Printable(uri))
	}
	names, err := q.cluster.Names(parts[4], parts[6])
	if err != nil {
		return err
	}
	if uri != names.URI {
		return refuse("agent-request-names", "the URI is %s, not %s", pki.Printable(uri), names.URI)
	}
	sequence := subject(names).ToRDNSequence()
	var want pkix.Name
	want.FillFromRDNSequence(&sequence)
	if !slices.Equal(attributes(r.Subject), attributes(want)) {
		return refuse("agent-request-names", "the Subject is %s, not %s", pki.Printable(r.Subject.String()), want)
	}
	q.namespace, q.account = parts[4], parts[6]
	return nil
}

// attributes are a Subject's, in order of their names, since only the order is
// the asker's to choose.
func attributes(n pkix.Name) []string {
	var all []string
	for _, a := range n.Names {
		all = append(all, fmt.Sprintf("%s=%v", a.Type, a.Value))
	}
	slices.Sort(all)
	return all
}

func checkWorkload(q *agentQuestion) error {
	var pods corev1.PodList
	if err := q.from.List(q.ctx, &pods, client.InNamespace(q.namespace), client.MatchingFields{nodeField: q.node}); err != nil {
		return err
	}
	for i := range pods.Items {
		if p := &pods.Items[i]; p.Spec.ServiceAccountName == q.account && !finished(p) {
			return nil
		}
	}
	return refuse("agent-request-workload", "node %s runs no pod of ServiceAccount %s in namespace %s", q.node, q.account, q.namespace)
}

// nodeField is by what pods are found.
const nodeField = "spec.nodeName"
