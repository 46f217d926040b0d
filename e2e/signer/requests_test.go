package signer

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	certs "k8s.io/api/certificates/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/kubetest"
)

// as is a client with the identity of a kubeconfig in the cluster's folder.
func as(t testing.TB, c *kube.Cluster, kubeconfig string) client.WithWatch {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(c.Dir, kubeconfig))
	if err != nil {
		t.Fatal(err)
	}
	config.Dial, config.QPS = c.Dial, -1
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, certs.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	to, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

const (
	kubelet1 = "node1/kubelet.conf" // system:node:node1
	admin    = "admin.conf"
)

func stub(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func p256(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// bound makes a pod of a ServiceAccount of its own on a node.
func bound(t testing.TB, n *kubetest.Namespace, node, account string) *corev1.Pod {
	t.Helper()
	n.Apply(fmt.Sprintf(`
apiVersion: v1
kind: ServiceAccount
metadata: {name: %[1]s}
---
apiVersion: v1
kind: Pod
metadata: {name: %[1]s}
spec: {serviceAccountName: %[1]s, nodeName: %[2]s, terminationGracePeriodSeconds: 0, containers: [{name: pause, image: "localhost/pause:1"}]}
`, account, node))
	pod := &corev1.Pod{}
	if err := as(t, n.Cluster, admin).Get(t.Context(), client.ObjectKey{Namespace: n.Name, Name: account}, pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

// asking is what the kubelet of the pod's node would ask.
func asking(t testing.TB, to client.Client, pod *corev1.Pod, key crypto.Signer) *certs.PodCertificateRequest {
	t.Helper()
	get := func(name, namespace string, o client.Object) types.UID {
		if err := to.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, o); err != nil {
			t.Fatal(err)
		}
		return o.GetUID()
	}
	return &certs.PodCertificateRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, GenerateName: "req-"},
		Spec: certs.PodCertificateRequestSpec{
			SignerName: "daypass.dev/workload", PodName: pod.Name, PodUID: pod.UID,
			ServiceAccountName: pod.Spec.ServiceAccountName, ServiceAccountUID: get(pod.Spec.ServiceAccountName, pod.Namespace, &corev1.ServiceAccount{}),
			NodeName: types.NodeName(pod.Spec.NodeName), NodeUID: get(pod.Spec.NodeName, "", &corev1.Node{}), StubPKCS10Request: stub(t, key),
		},
	}
}

// answered waits for the request's condition.
func answered(t testing.TB, from client.Client, r *certs.PodCertificateRequest) metav1.Condition {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err := from.Get(t.Context(), client.ObjectKeyFromObject(r), r); err != nil {
			t.Fatal(err)
		}
		if len(r.Status.Conditions) > 0 {
			return r.Status.Conditions[0]
		}
	}
	t.Fatalf("%s is not answered", r.Name)
	return metav1.Condition{}
}

// good verifies a chain with Go's own verifier, and who it speaks of.
func good(t testing.TB, n *kubetest.Namespace, chain, account string) {
	t.Helper()
	block, rest := pem.Decode([]byte(chain))
	if block == nil {
		t.Fatalf("no certificate: %q", chain)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	anchors, middle := x509.NewCertPool(), x509.NewCertPool()
	anchors.AppendCertsFromPEM([]byte(roots(n)))
	middle.AppendCertsFromPEM(rest)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: anchors, Intermediates: middle, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
	if got, want := fmt.Sprint(leaf.URIs), "[spiffe://e2e.example.org/ns/"+n.Name+"/sa/"+account+"]"; got != want || len(leaf.Subject.Names) != 3 {
		t.Errorf("%s, %s; want %s", got, leaf.Subject, want)
	}
}

// whoMayAsk has a row for everybody who must get nothing, in the API server's
// words or the signer's.
func whoMayAsk(t *testing.T) {
	n := kubetest.New(t)
	node1, root := as(t, n.Cluster, kubelet1), as(t, n.Cluster, admin)
	here, there := bound(t, n, "node1", "here"), bound(t, n, "node2", "there")
	other := bound(t, n, "node1", "other")
	n.Apply(`
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: asker}
rules: [{apiGroups: [certificates.k8s.io], resources: [podcertificaterequests], verbs: [create, get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: asker}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: asker}
subjects: [{kind: ServiceAccount, name: here}]
`)
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(n.Cluster.Dir, admin))
	if err != nil {
		t.Fatal(err)
	}
	config.Dial, config.Impersonate.UserName = n.Cluster.Dial, "system:serviceaccount:"+n.Name+":here"
	workload, err := client.New(config, client.Options{Scheme: root.Scheme()})
	if err != nil {
		t.Fatal(err)
	}

	good1 := asking(t, root, here, p256(t))
	if err := node1.Create(t.Context(), good1); err != nil {
		t.Fatal(err)
	}
	if c := answered(t, root, good1); c.Type != certs.PodCertificateRequestConditionTypeIssued {
		t.Fatalf("%s: %s", c.Type, c.Message)
	}
	good(t, n, good1.Status.CertificateChain, "here")

	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		what   string
		by     client.Client
		pod    *corev1.Pod
		key    crypto.Signer
		change func(*certs.PodCertificateRequestSpec)
		// refused is what the API server says to the create, denied the condition
		// that the signer sets.
		refused, denied string
	}{
		{what: "a workload that may create", by: workload, pod: here, refused: "only the kubelet of node node1 may ask for this certificate, not system:serviceaccount:"},
		{what: "the cluster's administrator", by: root, pod: here, refused: "only the kubelet of node node1 may ask"},
		{what: "another node's kubelet", by: node1, pod: there, refused: "is forbidden"},
		{what: "a node for a pod that is not its own", by: node1, pod: there, refused: "is forbidden",
			change: func(s *certs.PodCertificateRequestSpec) {
				s.NodeName, s.NodeUID = good1.Spec.NodeName, good1.Spec.NodeUID
			}},
		{what: "another ServiceAccount than the pod's", by: node1, pod: here, refused: "is forbidden",
			change: func(s *certs.PodCertificateRequestSpec) { s.ServiceAccountName = other.Spec.ServiceAccountName }},
		{what: "a pod made anew", by: node1, pod: here, refused: "which differs from running pod",
			change: func(s *certs.PodCertificateRequestSpec) { s.PodUID = "00000000-0000-0000-0000-000000000000" }},
		{what: "a tampered stub", by: node1, pod: here, refused: "stubPKCS10Request",
			change: func(s *certs.PodCertificateRequestSpec) { s.StubPKCS10Request[len(s.StubPKCS10Request)-1] ^= 1 }},
		{what: "a key that Roles Anywhere does not take", by: node1, pod: here, key: edwards, denied: "(request-key): "},
		{what: "a stub with another's name", by: node1, pod: here, denied: "(pod-request-names): ",
			change: func(s *certs.PodCertificateRequestSpec) {
				der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "admin@bank"}}, p256(t))
				if err != nil {
					t.Fatal(err)
				}
				s.StubPKCS10Request = der
			}},
		{what: "user annotations", by: node1, pod: here, denied: "(pod-request-annotations): ",
			change: func(s *certs.PodCertificateRequestSpec) {
				s.UnverifiedUserAnnotations = map[string]string{"example.org/cn": "admin"}
			}},
	} {
		t.Run(row.what, func(t *testing.T) {
			if row.key == nil {
				row.key = p256(t)
			}
			r := asking(t, root, row.pod, row.key)
			if row.change != nil {
				row.change(&r.Spec)
			}
			err := row.by.Create(t.Context(), r)
			if row.refused != "" {
				if err == nil || !strings.Contains(err.Error(), row.refused) {
					t.Errorf("%v, want %q", err, row.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			c := answered(t, root, r)
			if c.Type != certs.PodCertificateRequestConditionTypeDenied || !strings.Contains(c.Message, row.denied) || r.Status.CertificateChain != "" {
				t.Errorf("%s: %s", c.Type, c.Message)
			}
		})
	}
}

// a batch is many requests at once, of a few pods of node1.
func batch(t testing.TB, n *kubetest.Namespace, count int) (made []*certs.PodCertificateRequest) {
	t.Helper()
	root := as(t, n.Cluster, admin)
	var pods []*corev1.Pod
	for i := range min(count, 10) {
		pods = append(pods, bound(t, n, "node1", fmt.Sprintf("many-%d", i)))
	}
	for i := range count {
		r := asking(t, root, pods[i%len(pods)], p256(t))
		r.Name = fmt.Sprintf("many-%d", i)
		made = append(made, r)
	}
	return made
}

// send creates all at once, as node1, and returns how long each took from being
// there to its answer, in order of size.
func send(t testing.TB, n *kubetest.Namespace, all []*certs.PodCertificateRequest) []time.Duration {
	t.Helper()
	node1, root := as(t, n.Cluster, kubelet1), as(t, n.Cluster, admin)
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	var mu sync.Mutex
	begun, ended := map[string]time.Time{}, map[string]time.Time{}
	var wg sync.WaitGroup
	for _, r := range all {
		wg.Go(func() {
			if err := node1.Create(ctx, r.DeepCopy()); err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			begun[r.Name] = time.Now()
		})
	}
	for len(ended) < len(all) && !t.Failed() { // a watch may end at any time
		watch, err := root.Watch(ctx, &certs.PodCertificateRequestList{}, client.InNamespace(n.Name))
		if err != nil {
			t.Fatalf("%d of %d are answered: %v", len(ended), len(all), err)
		}
		for e := range watch.ResultChan() {
			r, ok := e.Object.(*certs.PodCertificateRequest)
			if !ok || len(r.Status.Conditions) == 0 || !slices.ContainsFunc(all, func(o *certs.PodCertificateRequest) bool { return o.Name == r.Name }) {
				continue // perhaps of a batch before
			}
			if c := r.Status.Conditions[0]; c.Type != certs.PodCertificateRequestConditionTypeIssued {
				t.Errorf("%s: %s", c.Type, c.Message)
			}
			if _, there := ended[r.Name]; !there {
				ended[r.Name] = time.Now()
			}
			if len(ended) == len(all) || t.Failed() {
				break
			}
		}
		watch.Stop()
	}
	wg.Wait()
	var took []time.Duration
	for name, begin := range begun {
		took = append(took, max(0, ended[name].Sub(begin)))
	}
	slices.Sort(took)
	return took
}

func percentile(took []time.Duration, p int) time.Duration { return took[(len(took)-1)*p/100] }

// manyAtOnce: 200 requests at once, made as system:node:node1 through
// NodeRestriction, are all answered. How fast is for make soak to judge.
func manyAtOnce(t *testing.T) {
	n := kubetest.New(t)
	all := batch(t, n, 200)
	took := send(t, n, all)
	if len(took) != 200 {
		t.Fatalf("%d answers", len(took))
	}
	t.Logf("of 200: median %s, 99 of 100 within %s, all within %s", percentile(took, 50), percentile(took, 99), percentile(took, 100))
}

// killed: requests go on being answered while replicas are
// killed, the elected one among them.
func killed(t *testing.T, r *kubetest.Release) {
	n := kubetest.New(t)
	all := batch(t, n, 60)
	holder, _, _ := strings.Cut(r.Kubectl("get", "lease", "daypass-signer", "--output=jsonpath={.spec.holderIdentity}"), "_")
	if !strings.HasPrefix(holder, "daypass-signer-") {
		t.Fatalf("the lease is held by %q", holder)
	}
	send(t, n, all[:20])
	r.Kubectl("delete", "pod", holder, "--force", "--grace-period=0")
	send(t, n, all[20:40])
	r.Kubectl("rollout", "status", "deployment/daypass-signer", "--timeout=1m")
	for _, pod := range strings.Fields(r.Kubectl("get", "pods", "--selector=app.kubernetes.io/component=signer", "--output=jsonpath={.items[*].metadata.name}"))[:1] {
		r.Kubectl("delete", "pod", pod, "--force", "--grace-period=0")
	}
	send(t, n, all[40:])
}
