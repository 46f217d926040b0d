package privateca

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"daypass.dev/kube/api/awspca/v1beta1"
)

// revokeAnnotation on an issuer, with the value true, has certificates revoked
// when their CertificateRequests are deleted.
const revokeAnnotation = "daypass.dev/revoke-on-delete"

// issuers keeps the state of one kind of issuer.
type issuers struct {
	kind        string
	cluster     client.Client
	authorities *authorities
	events      events.EventRecorder
	metrics     *metrics
	log         *slog.Logger
	now         func() time.Time
}

const (
	// probeEvery is how often a CA is asked how it is; mendEvery while it is not
	// ready, so that what was mended is soon seen.
	probeEvery, mendEvery = 5 * time.Minute, 10 * time.Second
	patience              = 20 * time.Second // with one call of AWS
)

func newIssuer(kind string) client.Object {
	if kind == v1beta1.KindIssuer {
		return &v1beta1.AWSPCAIssuer{}
	}
	return &v1beta1.AWSPCAClusterIssuer{}
}

// Reconcile probes one issuer and says in its status how it is.
func (i *issuers) Reconcile(ctx context.Context, q reconcile.Request) (reconcile.Result, error) {
	k := key{i.kind, q.Namespace, q.Name}
	object := newIssuer(i.kind)
	if err := i.cluster.Get(ctx, q.NamespacedName, object); err != nil {
		i.authorities.set(k, nil)
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	issuer := object.(v1beta1.Issuer)
	probing, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	got, err := i.probe(probing, issuer)
	condition := metav1.Condition{Type: v1beta1.ConditionReady, Status: metav1.ConditionTrue, Reason: "Verified", ObservedGeneration: issuer.GetGeneration()}
	next := probeEvery
	if err == nil {
		i.authorities.set(k, got)
		i.metrics.ends(got.arn, got.end)
		condition.Message = got.String()
	} else {
		why := sort(err)
		i.log.Warn("probing a private CA", "kind", i.kind, "namespace", q.Namespace, "issuer", q.Name, "reason", why.slug, "error", why.detail)
		next = mendEvery
		if why.class != blames && i.authorities.get(k) != nil {
			return reconcile.Result{RequeueAfter: jittered(next)}, nil // it was well, and this may pass
		}
		i.authorities.set(k, nil)
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, conditionReason(why.slug), why.explain()
	}
	return reconcile.Result{RequeueAfter: jittered(next)}, i.report(ctx, object, condition)
}

func (i *issuers) probe(ctx context.Context, issuer v1beta1.Issuer) (*authority, error) {
	config, err := i.authorities.configure(ctx, issuer, i.cluster)
	if err != nil {
		return nil, err
	}
	got, err := i.authorities.probe(ctx, issuer, config)
	i.metrics.called("DescribeCertificateAuthority", err)
	return got, err
}

// report writes a condition and tells of it, unless it stands there already.
func (i *issuers) report(ctx context.Context, object client.Object, c metav1.Condition) error {
	_, status := object.(v1beta1.Issuer).Parts()
	before := meta.FindStatusCondition(status.Conditions, c.Type)
	if before != nil {
		was := *before
		was.LastTransitionTime = c.LastTransitionTime
		if was == c {
			return nil
		}
	}
	meta.SetStatusCondition(&status.Conditions, c)
	if err := i.cluster.Status().Update(ctx, object); err != nil {
		return client.IgnoreNotFound(err)
	}
	kind := corev1.EventTypeNormal
	if c.Status != metav1.ConditionTrue {
		kind = corev1.EventTypeWarning
	}
	i.events.Eventf(object.(runtime.Object), nil, kind, c.Reason, "Probe", "%s", c.Message)
	return nil
}

func jittered(d time.Duration) time.Duration { return d*9/10 + rand.N(d/5) }
