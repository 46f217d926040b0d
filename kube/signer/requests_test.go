package signer

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	certs "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"daypass.dev/pki"
)

// newReplica is of the cluster that cached sees; live is what the API server
// knows.
func newReplica(t *testing.T, cached client.Reader, live client.Client, log *strings.Builder) *replica {
	t.Helper()
	a, _ := testAuthority(t)
	m, err := newMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return &replica{
		cached: cached, live: live, writer: live, authority: a, metrics: m,
		log: slog.New(slog.NewTextHandler(log, nil)),
	}
}

// answers are how many the replica counts of an outcome.
func answers(t *testing.T, r *replica, outcome string) (n float64) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(r.metrics.requests)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "outcome" && l.GetValue() == outcome {
					n += m.GetCounter().GetValue()
				}
			}
		}
	}
	return n
}

func which(o client.Object) reconcile.Request {
	return reconcile.Request{NamespacedName: client.ObjectKeyFromObject(o)}
}

func TestAPodIsAnswered(t *testing.T) {
	s := newScene(t)
	c, log := s.cluster(s.request), &strings.Builder{}
	r := newReplica(t, c, c, log)
	for range 2 { // the second time there is nothing to do
		if _, err := (&podRequests{r}).Reconcile(t.Context(), which(s.request)); err != nil {
			t.Fatal(err)
		}
	}
	var got certs.PodCertificateRequest
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(s.request), &got); err != nil {
		t.Fatal(err)
	}
	chain, err := pki.ParseCertificates([]byte(got.Status.CertificateChain))
	if err != nil || len(chain) != 2 || len(got.Status.Conditions) != 1 || got.Status.Conditions[0].Type != certs.PodCertificateRequestConditionTypeIssued {
		t.Fatalf("%d certificates, %v: %+v", len(chain), err, got.Status)
	}
	if !got.Status.NotBefore.Time.Equal(chain[0].NotBefore) || !got.Status.NotAfter.Time.Equal(chain[0].NotAfter) {
		t.Error("the status has other times than the certificate")
	}
	if n := answers(t, r, outcomeIssued); n != 1 {
		t.Errorf("%v answers are counted", n)
	}
}

func TestARefusedPodIsDeniedWithItsReason(t *testing.T) {
	s := newScene(t)
	s.pod.Spec.NodeName = "node2"
	c, log := s.cluster(s.request), &strings.Builder{}
	if _, err := (&podRequests{newReplica(t, c, c, log)}).Reconcile(t.Context(), which(s.request)); err != nil {
		t.Fatal(err)
	}
	var got certs.PodCertificateRequest
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(s.request), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Status.Conditions) != 1 || got.Status.CertificateChain != "" {
		t.Fatalf("%+v", got.Status)
	}
	d := got.Status.Conditions[0]
	if d.Type != certs.PodCertificateRequestConditionTypeDenied || d.Reason != "PodRequestNode" || !strings.Contains(d.Message, "(pod-request-node): ") {
		t.Errorf("%+v", d)
	}
	if !strings.Contains(log.String(), "pod-request-node") {
		t.Errorf("the log says %q", log)
	}
}

// News that the cache lacks is no reason to refuse.
func TestACacheThatIsBehind(t *testing.T) {
	s := newScene(t)
	live := s.cluster(s.request)
	behind := fake.NewClientBuilder().WithScheme(live.Scheme()).WithObjects(s.request, s.node).Build()
	if _, err := (&podRequests{newReplica(t, behind, live, &strings.Builder{})}).Reconcile(t.Context(), which(s.request)); err != nil {
		t.Fatal(err)
	}
	var got certs.PodCertificateRequest
	if err := live.Get(t.Context(), client.ObjectKeyFromObject(s.request), &got); err != nil || got.Status.CertificateChain == "" {
		t.Errorf("%v: %+v", err, got.Status)
	}
}

// The API server being away, or no root being there, denies nobody.
func TestWhatMayPassIsTriedAgain(t *testing.T) {
	s := newScene(t)
	away := errors.New("away")
	c := interceptor.NewClient(s.cluster(s.request), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if _, ok := o.(*corev1.Pod); ok {
				return away
			}
			return c.Get(ctx, key, o, opts...)
		},
	})
	if _, err := (&podRequests{newReplica(t, c, c, &strings.Builder{})}).Reconcile(t.Context(), which(s.request)); !errors.Is(err, away) {
		t.Errorf("%v", err)
	}
	whole := s.cluster(s.request)
	r := newReplica(t, whole, whole, &strings.Builder{})
	r.authority = &authority{cluster: testCluster, life: time.Hour}
	if _, err := (&podRequests{r}).Reconcile(t.Context(), which(s.request)); !errors.Is(err, errNoRoot) {
		t.Errorf("%v", err)
	}
}

// Two replicas answer; one answer is written.
func TestTheFirstAnswerStands(t *testing.T) {
	s := newScene(t)
	c := s.cluster(s.request)
	var seen certs.PodCertificateRequest
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(s.request), &seen); err != nil {
		t.Fatal(err)
	}
	behind := fake.NewClientBuilder().WithScheme(c.Scheme()).WithObjects(&seen, s.pod, s.account, s.node).Build()
	first, second := newReplica(t, c, c, &strings.Builder{}), newReplica(t, behind, c, &strings.Builder{})
	for _, r := range []*replica{first, second} {
		if _, err := (&podRequests{r}).Reconcile(t.Context(), which(s.request)); err != nil {
			t.Fatal(err)
		}
	}
	if n := answers(t, second, outcomeLost); n != 1 {
		t.Errorf("the second replica counts %v lost", n)
	}
	var got certs.PodCertificateRequest
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(s.request), &got); err != nil {
		t.Fatal(err)
	}
	chain, err := pki.ParseCertificates([]byte(got.Status.CertificateChain))
	if err != nil || chain[0].CheckSignatureFrom(first.authority.issuing.Certificate) != nil {
		t.Errorf("the first replica's answer is overwritten: %v", err)
	}
}

func agentAnswer(t *testing.T, s *agentScene) certs.CertificateSigningRequestStatus {
	t.Helper()
	s.question(t) // writes the request
	c := s.cluster(s.agentPod, s.request)
	r := &agentRequests{newReplica(t, c, c, &strings.Builder{}), agentAccount}
	if _, err := r.Reconcile(t.Context(), which(s.request)); err != nil {
		t.Fatal(err)
	}
	var got certs.CertificateSigningRequest
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(s.request), &got); err != nil {
		t.Fatal(err)
	}
	return got.Status
}

func conditions(s certs.CertificateSigningRequestStatus) (all string) {
	for _, c := range s.Conditions {
		all += string(c.Type) + " " + c.Reason + ";"
	}
	return all
}

func TestAnAgentIsAnswered(t *testing.T) {
	s := newAgentScene(t)
	life := int32(1800)
	s.scene.request = nil
	s.request.Spec.ExpirationSeconds = &life
	got := agentAnswer(t, s)
	chain, err := pki.ParseCertificates(got.Certificate)
	if err != nil || len(chain) != 2 || conditions(got) != "Approved AgentVerified;" {
		t.Fatalf("%s: %v", conditions(got), err)
	}
	if cn, life := chain[0].Subject.CommonName, chain[0].NotAfter.Sub(chain[0].NotBefore); cn != "web@shop" || life != 30*time.Minute {
		t.Errorf("%s for %s", cn, life)
	}
}

func TestARefusedAgentIsDenied(t *testing.T) {
	s := newAgentScene(t)
	s.pkcs10 = asked("bank", "admin")
	if got := agentAnswer(t, s); conditions(got) != "Denied AgentRequestWorkload;" || got.Certificate != nil {
		t.Errorf("%s, %d bytes", conditions(got), len(got.Certificate))
	}
}

// Who may approve cannot make the signer sign what it would not.
func TestAnApprovalSparesNoCheck(t *testing.T) {
	s := newAgentScene(t)
	s.pkcs10 = asked("bank", "admin")
	s.request.Status.Conditions = []certs.CertificateSigningRequestCondition{{Type: certs.CertificateApproved, Status: corev1.ConditionTrue}}
	if got := agentAnswer(t, s); conditions(got) != "Approved ;Failed AgentRequestWorkload;" || got.Certificate != nil {
		t.Errorf("%s, %d bytes", conditions(got), len(got.Certificate))
	}
}

func TestWhatIsAnsweredOrAnothersIsLeftAlone(t *testing.T) {
	for name, change := range map[string]func(*certs.CertificateSigningRequest){
		"another signer": func(r *certs.CertificateSigningRequest) { r.Spec.SignerName = "example.org/other" },
		"denied": func(r *certs.CertificateSigningRequest) {
			r.Status.Conditions = []certs.CertificateSigningRequestCondition{{Type: certs.CertificateDenied, Status: corev1.ConditionTrue}}
		},
		"failed": func(r *certs.CertificateSigningRequest) {
			r.Status.Conditions = []certs.CertificateSigningRequestCondition{{Type: certs.CertificateFailed, Status: corev1.ConditionTrue}}
		},
	} {
		s := newAgentScene(t)
		change(s.request)
		before := conditions(s.request.Status)
		if got := agentAnswer(t, s); conditions(got) != before || got.Certificate != nil {
			t.Errorf("%s: %s", name, conditions(got))
		}
	}
}
