package signer

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	certs "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	registry "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"daypass.dev/deliver"
	"daypass.dev/kube/identity"
)

// A Signer is one replica.
type Signer struct {
	// Cluster gives certificates their names; both Name and TrustDomain are
	// needed.
	Cluster identity.Cluster
	// Root is the Secret that holds the root. It must exist; an empty one is
	// filled.
	Root types.NamespacedName
	// Outside, if not nil, is the root in the place of that Secret, which then
	// names no more than the namespace of the replicas' lease. Trust is what to
	// trust for it.
	Outside Root
	Trust   []*x509.Certificate
	// Agent is the ServiceAccount of agents; empty: there are none.
	Agent types.NamespacedName
	// LeafLife is the most that a leaf lives, 1 to 72 hours; 0: 24 hours.
	LeafLife time.Duration
	// RefreshAfter is when kubelets are to ask again, at least 10 minutes; 0: at
	// 40 to 50 % of the leaf's life.
	RefreshAfter time.Duration
	// Listen is where /healthz, /readyz and /metrics are answered; empty: nowhere.
	Listen string
	// Log tells what is denied and what goes wrong; nil: nobody.
	Log *slog.Logger
}

// A replica is what all that answers shares.
type replica struct {
	cached, live client.Reader
	writer       client.Client
	authority    *authority
	metrics      *metrics
	log          *slog.Logger
}

const (
	workers = 16 // at once, of each kind of request
	// Backoff of what could not be answered yet.
	firstRetry, lastRetry = 50 * time.Millisecond, 10 * time.Second
)

// Run answers until ctx ends. It may be called once in a process, whose metrics
// it adds to.
func (s *Signer) Run(ctx context.Context, config *rest.Config) error {
	log := s.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	served, err := discover(config)
	if err != nil {
		return err
	}
	if served.pods.Empty() {
		log.Warn("this cluster has no PodCertificateRequests: pods get no certificates, agents do")
	}
	metrics, err := newMetrics(registry.Registry)
	if err != nil {
		return err
	}
	scheme := served.scheme()
	health := &deliver.Health{}
	m, err := manager.New(config, manager.Options{
		Scheme: scheme, Logger: logr.FromSlogHandler(log.Handler()), Cache: s.watches(served, metrics),
		Metrics:        server.Options{BindAddress: cmp.Or(s.Listen, "0"), ExtraHandlers: map[string]http.Handler{"/healthz": health, "/readyz": health}},
		LeaderElection: true, LeaderElectionID: "daypass-signer", LeaderElectionNamespace: s.Root.Namespace,
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return fmt.Errorf("reaching the cluster: %w", err)
	}
	err = m.GetFieldIndexer().IndexField(ctx, &corev1.Pod{}, nodeField, func(o client.Object) []string {
		return []string{o.(*corev1.Pod).Spec.NodeName}
	})
	if err != nil {
		return err
	}
	r := &replica{
		cached: m.GetCache(), live: m.GetAPIReader(), writer: m.GetClient(), metrics: metrics, log: log,
		authority: &authority{cluster: s.Cluster, life: cmp.Or(s.LeafLife, 24*time.Hour), refresh: s.RefreshAfter},
	}
	health.Ready = func(ctx context.Context) error {
		if !m.GetCache().WaitForCacheSync(ctx) {
			return errors.New("pods and requests are not listed yet")
		}
		_, err := r.authority.current()
		return err
	}
	steward := &steward{r, !served.bundles.Empty()}
	if err := m.Add(keeping{r, s.Outside}); err != nil {
		return err
	}
	if s.Outside != nil {
		metrics.outside(s.Trust)
		if err := m.Add(publisher{steward, s.Trust}); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		name    string
		of      client.Object
		by      reconcile.Reconciler
		workers int
		elected bool
	}{
		{"roots", &corev1.Secret{}, &follower{r}, 1, false},
		{"steward", &corev1.Secret{}, steward, 1, true},
		{"agents", &certs.CertificateSigningRequest{}, &agentRequests{r, s.Agent}, workers, false},
		{"pods", &certs.PodCertificateRequest{}, &podRequests{r}, workers, false},
	} {
		if _, secret := c.of.(*corev1.Secret); c.name == "pods" && served.pods.Empty() || secret && s.Outside != nil {
			continue
		}
		err := builder.ControllerManagedBy(m).Named(c.name).Watches(c.of, turns{elected: m.Elected()}).WithOptions(controller.Options{
			MaxConcurrentReconciles: c.workers, NeedLeaderElection: &c.elected,
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		}).Complete(c.by)
		if err != nil {
			return err
		}
	}
	return m.Start(ctx)
}

// turns hands on what has come or changed: to the elected replica at once, to
// the others after a while, so that they seldom answer what another is at, and
// answer when the elected one does not.
type turns struct {
	handler.Funcs
	elected <-chan struct{} // closed once this replica is
}

const (
	patience = time.Second
	scatter  = 50 * time.Millisecond // between those that wait
)

func (t turns) Create(_ context.Context, e event.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	t.hand(q, e.Object)
}

func (t turns) Update(_ context.Context, e event.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	t.hand(q, e.ObjectNew)
}

func (t turns) hand(q workqueue.TypedRateLimitingInterface[reconcile.Request], o client.Object) {
	which := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(o)}
	answered := false
	switch r := o.(type) {
	case *certs.PodCertificateRequest:
		answered = podAnswered(r)
	case *certs.CertificateSigningRequest:
		answered = agentAnswered(r)
	default: // the root's Secret is read by all
		q.Add(which)
		return
	}
	if answered {
		return
	}
	select {
	case <-t.elected:
		q.Add(which)
	default:
		q.AddAfter(which, patience+rand.N(scatter))
	}
}

// watches keeps of the cluster what the answers need.
func (s *Signer) watches(served served, metrics *metrics) cache.Options {
	ours := fields.OneTermEqualSelector("spec.signerName", SignerName)
	by := map[client.Object]cache.ByObject{
		&corev1.Pod{}:            {Transform: bare},
		&corev1.ServiceAccount{}: {Transform: bare},
		&corev1.Node{}:           {Transform: bare},
		&corev1.Secret{}: {Namespaces: map[string]cache.Config{
			s.Root.Namespace: {FieldSelector: fields.OneTermEqualSelector("metadata.name", s.Root.Name)},
		}},
		&certs.CertificateSigningRequest{}: {Field: ours, Transform: metrics.watched},
	}
	if !served.pods.Empty() {
		by[&certs.PodCertificateRequest{}] = cache.ByObject{Field: ours, Transform: metrics.watched}
	}
	return cache.Options{ByObject: by}
}

// bare keeps of an object what requests are compared with; there are many.
func bare(object any) (any, error) {
	switch o := object.(type) {
	case *corev1.Pod:
		return &corev1.Pod{
			ObjectMeta: bareMeta(o), Spec: corev1.PodSpec{NodeName: o.Spec.NodeName, ServiceAccountName: o.Spec.ServiceAccountName},
			Status: corev1.PodStatus{Phase: o.Status.Phase},
		}, nil
	case *corev1.ServiceAccount:
		return &corev1.ServiceAccount{ObjectMeta: bareMeta(o)}, nil
	case *corev1.Node:
		return &corev1.Node{ObjectMeta: bareMeta(o)}, nil
	}
	return object, nil
}

func bareMeta(o metav1.Object) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID(), ResourceVersion: o.GetResourceVersion()}
}
