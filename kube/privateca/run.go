// Package privateca lets cert-manager issue from AWS Private CA: it answers
// CertificateRequests that name an AWSPCAIssuer or AWSPCAClusterIssuer.
//
// Whatever fails on the way, a request costs one certificate: Private CA is
// asked with a token made of the request's UID and CSR, the certificate's ARN
// is stored before anybody waits for it, and what has failed for a passing
// reason is tried again by the same parameters.
package privateca

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/go-logr/logr"
	coordination "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/runtime"
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
	"sigs.k8s.io/controller-runtime/pkg/source"

	"daypass.dev/deliver"
	"daypass.dev/kube/api/awspca/v1beta1"
)

// A Server is one replica, of which one at a time works.
type Server struct {
	// AWS holds the credentials and endpoint of issuers that name no Secret.
	// Region is each issuer's own.
	AWS aws.Config
	// Namespace is where the server runs: that of its lease, and of the Secrets
	// that AWSPCAClusterIssuers may name.
	Namespace string
	// Rate is how often a second one private CA is asked for a certificate; 0:
	// 10. AWS's default quota is 25 for an account and region.
	Rate float64
	// Listen is where /healthz, /readyz and /metrics are answered; empty: nowhere.
	Listen string
	// Log tells what goes wrong; nil: nobody.
	Log *slog.Logger
}

const (
	defaultRate = 10
	workers     = 10
	// Backoff of what failed for a reason that may pass.
	firstRetry, lastRetry = time.Second, time.Minute
)

// Run issues until ctx ends. It may be called once in a process, whose metrics
// it adds to.
func (s *Server) Run(ctx context.Context, config *rest.Config) error {
	log := s.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	known, err := scheme()
	if err != nil {
		return err
	}
	metrics, err := newMetrics(registry.Registry)
	if err != nil {
		return err
	}
	health := &deliver.Health{}
	m, err := manager.New(config, manager.Options{
		Scheme: known, Logger: logr.FromSlogHandler(log.Handler()),
		Cache: cache.Options{ByObject: map[client.Object]cache.ByObject{&cmapi.CertificateRequest{}: {Transform: bare}}},
		// A Secret is read when an issuer names it, and not watched: so no right
		// to list Secrets is needed.
		Client:         client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		Metrics:        server.Options{BindAddress: cmp.Or(s.Listen, "0"), ExtraHandlers: map[string]http.Handler{"/healthz": health, "/readyz": health}},
		LeaderElection: true, LeaderElectionID: "daypass-issuer", LeaderElectionNamespace: s.Namespace,
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return fmt.Errorf("reaching the cluster: %w", err)
	}
	health.Ready = func(ctx context.Context) error {
		if !m.GetCache().WaitForCacheSync(ctx) {
			return errors.New("issuers and requests are not listed yet")
		}
		return nil
	}
	rate := s.Rate
	if rate == 0 {
		rate = defaultRate
	}
	shared := &authorities{aws: s.AWS, namespace: s.Namespace, rate: rate, suspects: map[string]chan event.GenericEvent{}}
	events := m.GetEventRecorder("daypass-issuer")
	requests := &requests{cluster: m.GetClient(), live: m.GetAPIReader(), authorities: shared, events: events, metrics: metrics, log: log, now: time.Now}
	by := builder.ControllerManagedBy(m).Named("requests").For(&cmapi.CertificateRequest{}).WithOptions(options(workers))
	for name, of := range map[string]client.Object{v1beta1.KindIssuer: &v1beta1.AWSPCAIssuer{}, v1beta1.KindClusterIssuer: &v1beta1.AWSPCAClusterIssuer{}} {
		issuers := &issuers{kind: name, cluster: m.GetClient(), authorities: shared, events: events, metrics: metrics, log: log, now: time.Now}
		shared.suspects[name] = make(chan event.GenericEvent, 100)
		err := builder.ControllerManagedBy(m).Named(name).For(of).WithOptions(options(1)).
			WatchesRawSource(source.Channel(shared.suspects[name], &handler.EnqueueRequestForObject{})).Complete(issuers)
		if err != nil {
			return err
		}
		by = by.Watches(of, handler.EnqueueRequestsFromMapFunc(requests.waitingFor(name)))
	}
	if err := by.Complete(requests); err != nil {
		return err
	}
	return m.Start(ctx)
}

func options(workers int) controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: workers,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
	}
}

func scheme() (*runtime.Scheme, error) {
	all := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, coordination.AddToScheme, eventsv1.AddToScheme, cmapi.AddToScheme, v1beta1.AddToScheme,
	} {
		if err := add(all); err != nil {
			return nil, err
		}
	}
	return all, nil
}
