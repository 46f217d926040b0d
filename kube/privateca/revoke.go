package privateca

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/acmpca"
	pca "github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// deleted revokes what a deleted request has cost, if its issuer asks for that,
// and lets the request go.
func (r *requests) deleted(ctx context.Context, cr *cmapi.CertificateRequest) (reconcile.Result, error) {
	if !controllerutil.ContainsFinalizer(cr, finalizer) {
		return reconcile.Result{}, nil
	}
	arn := cr.Annotations[arnAnnotation]
	ca := r.authorities.get(keyOf(cr))
	if ca == nil && arn != "" {
		return reconcile.Result{RequeueAfter: jittered(mendEvery)}, nil
	}
	if _, serial, ok := strings.Cut(arn, "/certificate/"); ok && strings.HasPrefix(arn, ca.arn+"/") {
		_, err := ca.calls.RevokeCertificate(ctx, &acmpca.RevokeCertificateInput{
			CertificateAuthorityArn: &ca.arn, CertificateSerial: &serial, RevocationReason: pca.RevocationReasonCessationOfOperation,
		})
		r.metrics.called("RevokeCertificate", err)
		if err != nil && !strings.Contains(sort(err).detail, "RequestAlreadyProcessedException") {
			why := sort(err)
			r.log.Warn("revoking a certificate", "namespace", cr.Namespace, "request", cr.Name, "reason", why.slug, "error", why.detail)
			return reconcile.Result{RequeueAfter: jittered(mendEvery)}, nil
		}
	}
	controllerutil.RemoveFinalizer(cr, finalizer)
	err := r.patch(ctx, cr, map[string]any{"finalizers": cr.Finalizers, "resourceVersion": cr.ResourceVersion})
	return reconcile.Result{}, client.IgnoreNotFound(err)
}
