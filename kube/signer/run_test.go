package signer

import (
	"testing"
	"testing/synctest"
	"time"

	certs "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// The elected replica answers at once, the others when it has not.
func TestWhoseTurnItIs(t *testing.T) {
	yes := make(chan struct{})
	close(yes)
	issued := []metav1.Condition{{Type: certs.PodCertificateRequestConditionTypeIssued}}
	denied := []certs.CertificateSigningRequestCondition{{Type: certs.CertificateDenied, Status: corev1.ConditionTrue}}
	open, csr := &certs.PodCertificateRequest{}, &certs.CertificateSigningRequest{}
	for name, row := range map[string]struct {
		elected chan struct{}
		of      client.Object
		soonest time.Duration // negative: never
		latest  time.Duration
	}{
		"elected, a pod":           {yes, open, 0, 0},
		"elected, an agent":        {yes, csr, 0, 0},
		"another, a pod":           {nil, open, patience, patience + scatter},
		"another, an agent":        {nil, csr, patience, patience + scatter},
		"another, the root":        {nil, &corev1.Secret{}, 0, 0},
		"elected, answered":        {yes, &certs.PodCertificateRequest{Status: certs.PodCertificateRequestStatus{Conditions: issued}}, -1, 0},
		"another, answered":        {nil, &certs.PodCertificateRequest{Status: certs.PodCertificateRequestStatus{Conditions: issued}}, -1, 0},
		"elected, an agent denied": {yes, &certs.CertificateSigningRequest{Status: certs.CertificateSigningRequestStatus{Conditions: denied}}, -1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
				defer q.ShutDown()
				turns{elected: row.elected}.Create(t.Context(), event.CreateEvent{Object: row.of}, q)
				begin, waited := time.Now(), time.Duration(-1)
				for range 200 {
					synctest.Wait()
					if q.Len() > 0 {
						waited = time.Since(begin)
						break
					}
					time.Sleep(10 * time.Millisecond)
				}
				if waited < row.soonest || waited > row.latest+10*time.Millisecond || row.soonest < 0 && waited >= 0 {
					t.Errorf("its turn is after %s", waited)
				}
			})
		})
	}
}
