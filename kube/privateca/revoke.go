package privateca

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acmpca"
	pca "github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"daypass.dev/kube/api/awspca/v1beta1"
)

// deleted revokes what a deleted request has cost, if its issuer asks for that,
// and lets the request go; also where its certificate cannot be revoked, and
// waiting would not change that: its namespace may be going.
func (r *requests) deleted(ctx context.Context, kept *cmapi.CertificateRequest) (reconcile.Result, error) {
	if !controllerutil.ContainsFinalizer(kept, finalizer) {
		return reconcile.Result{}, nil
	}
	cr := &cmapi.CertificateRequest{} // with its CSR, which the cache may not have kept
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(kept), cr); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if err := r.revoke(ctx, cr); err != nil {
		why := sort(err)
		passes := why.class != fails && why.slug != "pca-missing"
		again := passes || why.slug == "issuer-access" // a right can be given
		r.log.Warn("a certificate is not revoked", "namespace", cr.Namespace, "request", cr.Name, "certificate", cr.Annotations[arnAnnotation],
			"again", again, "reason", why.slug, "error", why.detail)
		if !passes {
			r.events.Eventf(cr, nil, corev1.EventTypeWarning, conditionReason(why.slug), "Revoke", "%s is not revoked: %s", cr.Annotations[arnAnnotation], why.explain())
		}
		if again {
			return reconcile.Result{RequeueAfter: jittered(mendEvery)}, nil
		}
	}
	if !controllerutil.RemoveFinalizer(cr, finalizer) {
		return reconcile.Result{}, nil
	}
	err := r.patch(ctx, cr, map[string]any{"finalizers": cr.Finalizers, "resourceVersion": cr.ResourceVersion})
	return reconcile.Result{}, client.IgnoreNotFound(err)
}

// revoke revokes the certificate that a request names, if it was issued for it.
// Both the annotation and the finalizer may be the work of whoever wrote the
// request: what counts is that it was approved, and shows by its CSR that its
// author has the certificate's key.
func (r *requests) revoke(ctx context.Context, cr *cmapi.CertificateRequest) error {
	arn := cr.Annotations[arnAnnotation]
	if arn == "" {
		return nil
	}
	if !is(cr, cmapi.CertificateRequestConditionApproved) {
		return failf("issuer-foreign-certificate", "the request was never approved, and the annotation %s names a certificate", arnAnnotation)
	}
	ca, err := r.revoker(ctx, cr)
	if ca == nil {
		return err
	}
	serial, ok := strings.CutPrefix(arn, ca.arn+"/certificate/")
	if !ok {
		return failf("issuer-foreign-certificate", "the annotation %s names no certificate of %s", arnAnnotation, ca.arn)
	}
	out, err := ca.calls.GetCertificate(ctx, &acmpca.GetCertificateInput{CertificateAuthorityArn: &ca.arn, CertificateArn: &arn})
	r.metrics.called("GetCertificate", err)
	if err != nil {
		return sort(err)
	}
	if _, err := issued(cr, aws.ToString(out.Certificate)); err != nil {
		return err
	}
	_, err = ca.calls.RevokeCertificate(ctx, &acmpca.RevokeCertificateInput{
		CertificateAuthorityArn: &ca.arn, CertificateSerial: &serial, RevocationReason: pca.RevocationReasonCessationOfOperation,
	})
	r.metrics.called("RevokeCertificate", err)
	if err == nil || strings.Contains(sort(err).detail, "RequestAlreadyProcessedException") {
		return nil
	}
	return sort(err)
}

// revoker is the CA of a request whose issuer revokes; nil, without an error, if
// its issuer does not.
func (r *requests) revoker(ctx context.Context, cr *cmapi.CertificateRequest) (*authority, error) {
	k := keyOf(cr)
	object := newIssuer(k.kind)
	err := r.cluster.Get(ctx, client.ObjectKey{Namespace: k.namespace, Name: k.name}, object)
	switch {
	case apierrors.IsNotFound(err):
		return nil, failf("issuer-not-ready", "%s %s is not there any more", k.kind, k.name)
	case err != nil:
		return nil, err
	case object.GetAnnotations()[revokeAnnotation] != "true":
		return nil, nil
	}
	if ca := r.authorities.get(k); ca != nil {
		return ca, nil
	}
	_, status := object.(v1beta1.Issuer).Parts()
	if c := meta.FindStatusCondition(status.Conditions, v1beta1.ConditionReady); c != nil && c.Reason == conditionReason("pca-missing") && c.ObservedGeneration == object.GetGeneration() {
		return nil, failf("pca-missing", "%s %s has found no private CA", k.kind, k.name)
	}
	return nil, &sorted{waits, "issuer-not-ready", k.kind + " " + k.name + " is not ready"}
}
