package signer

import (
	"context"
	"errors"
	"time"

	certs "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// podRequests answers PodCertificateRequests.
type podRequests struct {
	*replica
}

// shortestPodLeaf is Kubernetes' own bound.
const shortestPodLeaf = time.Hour

func (p *podRequests) Reconcile(ctx context.Context, which reconcile.Request) (reconcile.Result, error) {
	r := &certs.PodCertificateRequest{}
	if err := p.cached.Get(ctx, which.NamespacedName, r); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if r.Spec.SignerName != SignerName || podAnswered(r) {
		return reconcile.Result{}, nil
	}
	begin := time.Now()
	err := p.answer(ctx, r)
	if err == nil {
		outcome, slug := outcomeIssued, ""
		if c := r.Status.Conditions[0]; c.Type == certs.PodCertificateRequestConditionTypeDenied {
			outcome, slug = outcomeDenied, c.Reason
			p.log.Warn("pod certificate denied", "namespace", r.Namespace, "pod", r.Spec.PodName, "node", string(r.Spec.NodeName), "why", c.Message)
		}
		err = p.writer.Status().Update(ctx, r)
		p.metrics.answered(kindPod, outcomeOf(err, outcome), slug, time.Since(begin))
	}
	return reconcile.Result{}, ignoreLost(err)
}

func podAnswered(r *certs.PodCertificateRequest) bool {
	return len(r.Status.Conditions) > 0 || r.Status.CertificateChain != ""
}

// answer fills the request's status. Errors may pass.
func (p *podRequests) answer(ctx context.Context, r *certs.PodCertificateRequest) error {
	var got issued
	err := p.certain(func(from client.Reader) error {
		key, err := checkPodRequest(ctx, from, r)
		if err != nil {
			return err
		}
		life := p.authority.life
		if s := r.Spec.MaxExpirationSeconds; s != nil {
			life = min(life, time.Duration(*s)*time.Second)
		}
		got, err = p.authority.issue(r.Namespace, r.Spec.ServiceAccountName, key, life)
		return err
	})
	condition := metav1.Condition{Status: metav1.ConditionTrue, LastTransitionTime: metav1.Now(), ObservedGeneration: r.Generation}
	if slug, detail, refused := asRefusal(err); refused {
		condition.Type = certs.PodCertificateRequestConditionTypeDenied
		condition.Reason, condition.Message = conditionReason(slug), explain(slug, detail)
		r.Status = certs.PodCertificateRequestStatus{Conditions: []metav1.Condition{condition}}
		return nil
	}
	if err != nil {
		return err
	}
	if got.leaf.NotAfter.Sub(got.leaf.NotBefore) < shortestPodLeaf {
		return errors.New("the root ends within the hour that a pod certificate must live: change it")
	}
	condition.Type, condition.Reason = certs.PodCertificateRequestConditionTypeIssued, "Issued"
	condition.Message = "issued by daypass"
	at := func(t time.Time) *metav1.Time { m := metav1.NewTime(t); return &m }
	r.Status = certs.PodCertificateRequestStatus{
		Conditions: []metav1.Condition{condition}, CertificateChain: string(got.chain),
		NotBefore: at(got.leaf.NotBefore), BeginRefreshAt: at(got.refresh), NotAfter: at(got.leaf.NotAfter),
	}
	return nil
}

// certain asks the cluster itself where a refusal may be owed to news that has
// not come by yet.
func (r *replica) certain(check func(from client.Reader) error) error {
	err := check(r.cached)
	if _, _, refused := asRefusal(err); refused {
		return check(r.live)
	}
	return err
}

// lost: another replica was first, or nobody asks any more.
func lost(err error) bool { return apierrors.IsConflict(err) || apierrors.IsNotFound(err) }

func ignoreLost(err error) error {
	if lost(err) {
		return nil
	}
	return err
}
