package privateca

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acmpca"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"daypass.dev/kube/api/awspca/v1beta1"
)

const (
	// arnAnnotation holds the certificate's ARN from the moment that Private CA
	// has told it; aws-privateca-issuer's own.
	arnAnnotation = "aws-privateca-issuer/certificate-arn"
	finalizer     = "daypass.dev/revoke"
	// askAgain is how soon a certificate is asked for that is being issued.
	askAgain = time.Second
)

// requests answers CertificateRequests.
type requests struct {
	cluster     client.Client
	live        client.Reader // the API server itself
	authorities *authorities
	events      events.EventRecorder
	metrics     *metrics
	log         *slog.Logger
	now         func() time.Time
}

// bare keeps of a request what is needed: of one that was answered, its name.
func bare(object any) (any, error) {
	if r, ok := object.(*cmapi.CertificateRequest); ok {
		r.ManagedFields = nil
		if answered(r) {
			r.Spec.Request, r.Status.Certificate, r.Status.CA = nil, nil, nil
		}
	}
	return object, nil
}

// answered requests are left alone.
func answered(r *cmapi.CertificateRequest) bool {
	switch readyReason(r) {
	case cmapi.CertificateRequestReasonIssued, cmapi.CertificateRequestReasonFailed, cmapi.CertificateRequestReasonDenied:
		return true
	}
	return false
}

func keyOf(r *cmapi.CertificateRequest) key {
	k := key{kind: r.Spec.IssuerRef.Kind, name: r.Spec.IssuerRef.Name}
	if k.kind != v1beta1.KindClusterIssuer {
		k.namespace = r.Namespace
	}
	return k
}

// waitingFor finds the requests that wait for an issuer of a kind.
func (r *requests) waitingFor(kind string) handler.MapFunc {
	return func(ctx context.Context, issuer client.Object) []reconcile.Request {
		k := key{kind, issuer.GetNamespace(), issuer.GetName()}
		if r.authorities.get(k) == nil {
			return nil
		}
		var all cmapi.CertificateRequestList
		if err := r.cluster.List(ctx, &all, client.InNamespace(k.namespace)); err != nil {
			r.log.Warn("looking for requests that wait", "error", err)
			return nil
		}
		var found []reconcile.Request
		for i := range all.Items {
			if one := &all.Items[i]; one.Spec.IssuerRef.Group == v1beta1.Group && keyOf(one) == k && !answered(one) {
				found = append(found, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(one)})
			}
		}
		return found
	}
}

// Reconcile brings one request a step further.
func (r *requests) Reconcile(ctx context.Context, q reconcile.Request) (reconcile.Result, error) {
	var cr cmapi.CertificateRequest
	if err := r.cluster.Get(ctx, q.NamespacedName, &cr); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if cr.Spec.IssuerRef.Group != v1beta1.Group {
		return reconcile.Result{}, nil
	}
	calling, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	switch k := cr.Spec.IssuerRef.Kind; {
	case !cr.DeletionTimestamp.IsZero():
		return r.deleted(calling, &cr)
	case answered(&cr):
		return reconcile.Result{}, nil
	case is(&cr, cmapi.CertificateRequestConditionDenied):
		return reconcile.Result{}, r.end(ctx, &cr, cmapi.CertificateRequestReasonDenied, "the request was denied by whoever approves")
	case k != v1beta1.KindIssuer && k != v1beta1.KindClusterIssuer: // nobody can approve it
		return r.refused(ctx, &cr, &sorted{fails, "issuer-kind", fmt.Sprintf("issuerRef.kind is %q", k)})
	case !is(&cr, cmapi.CertificateRequestConditionApproved):
		return reconcile.Result{}, nil
	}
	next, err := r.answer(calling, &cr)
	if err == nil {
		return reconcile.Result{RequeueAfter: next}, nil
	}
	return r.refused(ctx, &cr, sort(err))
}

// answer has the certificate issued, or fetches it. Errors are sorted, or those
// of the API server.
func (r *requests) answer(ctx context.Context, cr *cmapi.CertificateRequest) (next time.Duration, err error) {
	ca := r.authorities.get(keyOf(cr))
	if ca == nil {
		return 0, &sorted{waits, "issuer-not-ready", cr.Spec.IssuerRef.Kind + " " + cr.Spec.IssuerRef.Name + " does not exist here or is not ready"}
	}
	if arn := cr.Annotations[arnAnnotation]; arn != "" {
		return r.fetch(ctx, cr, ca, arn)
	}
	asked, said, err := ask(cr, ca, r.now())
	if err != nil {
		return 0, err
	}
	if wait := ca.turn(r.now()); wait > 0 {
		return wait, nil
	}
	if ca.revokes && controllerutil.AddFinalizer(cr, finalizer) {
		if err := r.patch(ctx, cr, map[string]any{"finalizers": cr.Finalizers, "resourceVersion": cr.ResourceVersion}); err != nil {
			return 0, err
		}
	}
	out, err := ca.calls.IssueCertificate(ctx, asked, func(o *acmpca.Options) { o.Retryer = aws.NopRetryer{} })
	r.metrics.called("IssueCertificate", err)
	ca.heard(err, r.now())
	if err != nil {
		return 0, r.distrusted(cr, withTemplate(sort(err), *asked.TemplateArn))
	}
	if said != nil {
		r.events.Eventf(cr, nil, corev1.EventTypeWarning, conditionReason(said.slug), "Shorten", "%s", said.explain())
	}
	return askAgain, r.patch(ctx, cr, map[string]any{"annotations": map[string]string{arnAnnotation: *out.CertificateArn}})
}

// withTemplate adds to a refusal which template was asked for: policies and
// shares go by it.
func withTemplate(s *sorted, template string) *sorted {
	if s.slug == "issuer-access" {
		s.detail += " (asked with acm-pca:TemplateArn = " + template + ")"
	}
	return s
}

// distrusted has an issuer probed that an error blames.
func (r *requests) distrusted(cr *cmapi.CertificateRequest, s *sorted) error {
	if s.class == blames {
		r.authorities.distrust(keyOf(cr))
	}
	return s
}

func (r *requests) fetch(ctx context.Context, cr *cmapi.CertificateRequest, ca *authority, arn string) (next time.Duration, err error) {
	if !strings.HasPrefix(arn, ca.arn+"/certificate/") {
		return 0, failf("issuer-foreign-certificate", "the annotation %s names %q", arnAnnotation, arn)
	}
	out, err := ca.calls.GetCertificate(ctx, &acmpca.GetCertificateInput{CertificateAuthorityArn: &ca.arn, CertificateArn: &arn})
	r.metrics.called("GetCertificate", err)
	ca.heard(err, r.now())
	if err != nil {
		s := sort(err)
		switch s.slug {
		case "pca-in-progress":
			return askAgain, nil
		case "pca-missing":
			s.class = fails // this certificate, not the CA
		}
		return 0, r.distrusted(cr, s)
	}
	leaf, authority, err := check(cr, aws.ToString(out.Certificate), aws.ToString(out.CertificateChain))
	if err != nil {
		return 0, err
	}
	cr.Status.Certificate, cr.Status.CA = leaf, authority
	setReady(cr, cmmeta.ConditionTrue, cmapi.CertificateRequestReasonIssued, "issued as "+arn, r.now())
	if err := r.cluster.Status().Update(ctx, cr); err != nil {
		return 0, err
	}
	r.metrics.tries.WithLabelValues(outcomeIssued, "").Inc()
	return 0, nil
}

// refused says in a request's status why it waits or has failed, once.
func (r *requests) refused(ctx context.Context, cr *cmapi.CertificateRequest, why *sorted) (reconcile.Result, error) {
	if why.class == fails {
		r.log.Warn("a request has failed", "namespace", cr.Namespace, "request", cr.Name, "reason", why.slug, "error", why.detail)
		r.metrics.tries.WithLabelValues(outcomeFailed, why.slug).Inc()
		r.events.Eventf(cr, nil, corev1.EventTypeWarning, conditionReason(why.slug), "Issue", "%s", why.explain())
		return reconcile.Result{}, r.end(ctx, cr, cmapi.CertificateRequestReasonFailed, why.explain())
	}
	r.metrics.tries.WithLabelValues(outcomeWaits, why.slug).Inc()
	before := condition(cr, cmapi.CertificateRequestConditionReady)
	message := why.explain()
	if before == nil || before.Reason != cmapi.CertificateRequestReasonPending || !strings.Contains(before.Message, "("+why.slug+")") {
		r.log.Info("a request waits", "namespace", cr.Namespace, "request", cr.Name, "reason", why.slug, "error", why.detail)
		setReady(cr, cmmeta.ConditionFalse, cmapi.CertificateRequestReasonPending, message, r.now())
		if err := r.cluster.Status().Update(ctx, cr); err != nil {
			return reconcile.Result{}, client.IgnoreNotFound(err)
		}
	}
	switch why.class {
	case slower: // the pace says when
		return reconcile.Result{RequeueAfter: jittered(firstPause)}, nil
	case blames:
		return reconcile.Result{RequeueAfter: jittered(mendEvery)}, nil
	}
	return reconcile.Result{}, &retry{why} // by the queue's backoff
}

// retry has the queue try again; what happened is told already.
type retry struct{ *sorted }

// end writes a condition after which nothing follows.
func (r *requests) end(ctx context.Context, cr *cmapi.CertificateRequest, reason, message string) error {
	now := metav1.NewTime(r.now())
	cr.Status.FailureTime = &now
	setReady(cr, cmmeta.ConditionFalse, reason, message, r.now())
	return client.IgnoreNotFound(r.cluster.Status().Update(ctx, cr))
}

// patch changes metadata alone.
func (r *requests) patch(ctx context.Context, cr *cmapi.CertificateRequest, metadata map[string]any) error {
	body, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return err
	}
	return r.cluster.Patch(ctx, cr, client.RawPatch(types.MergePatchType, body))
}
