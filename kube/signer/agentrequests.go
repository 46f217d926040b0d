package signer

import (
	"context"
	"time"

	certs "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// agentRequests approves and answers agents' CertificateSigningRequests. An
// approval of somebody else does not spare a request its checks.
type agentRequests struct {
	*replica
	agent types.NamespacedName
}

func (a *agentRequests) Reconcile(ctx context.Context, which reconcile.Request) (reconcile.Result, error) {
	r := &certs.CertificateSigningRequest{}
	if err := a.cached.Get(ctx, which.NamespacedName, r); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if r.Spec.SignerName != SignerName || agentAnswered(r) {
		return reconcile.Result{}, nil
	}
	begin := time.Now()
	outcome, reason, err := a.answer(ctx, r)
	if outcome != "" {
		a.metrics.answered(kindAgent, outcomeOf(err, outcome), reason, time.Since(begin))
	}
	return reconcile.Result{}, ignoreLost(err)
}

func agentAnswered(r *certs.CertificateSigningRequest) bool {
	return len(r.Status.Certificate) > 0 || has(r, certs.CertificateDenied) || has(r, certs.CertificateFailed)
}

func has(r *certs.CertificateSigningRequest, condition certs.RequestConditionType) bool {
	for _, c := range r.Status.Conditions {
		if c.Type == condition && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}

// answer approves, signs, denies, or fails what somebody else has approved. No
// outcome: nothing is decided yet.
func (a *agentRequests) answer(ctx context.Context, r *certs.CertificateSigningRequest) (outcome, reason string, err error) {
	q := &agentQuestion{ctx: ctx, cluster: a.authority.cluster, agent: a.agent, request: r}
	err = a.certain(func(from client.Reader) error {
		q.from = from
		return q.check()
	})
	if slug, detail, refused := asRefusal(err); refused {
		return outcomeDenied, conditionReason(slug), a.deny(ctx, r, conditionReason(slug), explain(slug, detail))
	}
	if err != nil {
		return "", "", err
	}
	life := a.authority.life
	if s := r.Spec.ExpirationSeconds; s != nil {
		life = min(life, time.Duration(*s)*time.Second)
	}
	got, err := a.authority.issue(q.namespace, q.account, q.pkcs10.PublicKey, life)
	if err != nil {
		return "", "", err
	}
	if !has(r, certs.CertificateApproved) {
		condition(r, certs.CertificateApproved, "AgentVerified", "asked for by the agent of a node that runs a pod of this ServiceAccount")
		if err := a.writer.SubResource("approval").Update(ctx, r); err != nil {
			return outcomeIssued, "", err
		}
	}
	r.Status.Certificate = got.chain
	return outcomeIssued, "", a.writer.Status().Update(ctx, r)
}

func (a *agentRequests) deny(ctx context.Context, r *certs.CertificateSigningRequest, reason, message string) error {
	a.log.Warn("agent's certificate denied", "request", r.Name, "author", r.Spec.Username, "why", message)
	if has(r, certs.CertificateApproved) {
		condition(r, certs.CertificateFailed, reason, message)
		return a.writer.Status().Update(ctx, r)
	}
	condition(r, certs.CertificateDenied, reason, message)
	return a.writer.SubResource("approval").Update(ctx, r)
}

func condition(r *certs.CertificateSigningRequest, kind certs.RequestConditionType, reason, message string) {
	now := metav1.Now()
	r.Status.Conditions = append(r.Status.Conditions, certs.CertificateSigningRequestCondition{
		Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: message, LastUpdateTime: now, LastTransitionTime: now,
	})
}
