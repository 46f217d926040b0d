package privateca

import (
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// condition finds a request's condition of a type; nil if it has none.
func condition(r *cmapi.CertificateRequest, of cmapi.CertificateRequestConditionType) *cmapi.CertificateRequestCondition {
	for i := range r.Status.Conditions {
		if r.Status.Conditions[i].Type == of {
			return &r.Status.Conditions[i]
		}
	}
	return nil
}

func is(r *cmapi.CertificateRequest, of cmapi.CertificateRequestConditionType) bool {
	c := condition(r, of)
	return c != nil && c.Status == cmmeta.ConditionTrue
}

// readyReason is the reason of the condition Ready; empty without one.
func readyReason(r *cmapi.CertificateRequest) string {
	if c := condition(r, cmapi.CertificateRequestConditionReady); c != nil {
		return c.Reason
	}
	return ""
}

// setReady writes the condition Ready.
func setReady(r *cmapi.CertificateRequest, status cmmeta.ConditionStatus, reason, message string, now time.Time) {
	at := metav1.NewTime(now)
	c := condition(r, cmapi.CertificateRequestConditionReady)
	if c == nil {
		r.Status.Conditions = append(r.Status.Conditions, cmapi.CertificateRequestCondition{Type: cmapi.CertificateRequestConditionReady})
		c = &r.Status.Conditions[len(r.Status.Conditions)-1]
	}
	if c.Status != status {
		c.LastTransitionTime = &at
	}
	c.Status, c.Reason, c.Message = status, reason, message
}
