package privateca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	mrand "math/rand/v2"
	"testing"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/kube/api/awspca/v1beta1"
)

// csr is a request for a certificate of a name.
func csr(t testing.TB, template *x509.CertificateRequest) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

// request is a CertificateRequest as cert-manager or its CSI driver makes one.
func (r *rig) request(name, issuer string, change func(*cmapi.CertificateRequest)) *cmapi.CertificateRequest {
	r.t.Helper()
	cr := &cmapi.CertificateRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.Name, Name: name},
		Spec: cmapi.CertificateRequestSpec{
			IssuerRef: cmmeta.IssuerReference{Group: v1beta1.Group, Kind: v1beta1.KindIssuer, Name: issuer},
			Duration:  &metav1.Duration{Duration: 24 * time.Hour},
			Usages:    []cmapi.KeyUsage{cmapi.UsageClientAuth, cmapi.UsageServerAuth},
		},
	}
	if change != nil {
		change(cr)
	}
	if cr.Spec.Request == nil {
		cr.Spec.Request = csr(r.t, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}})
	}
	if err := r.admin.Create(r.t.Context(), cr); err != nil {
		r.t.Fatal(err)
	}
	if cr.Spec.IssuerRef.Kind != "Issuer" { // of our group there is none, and nobody can approve for it
		r.approve(cr)
	}
	return cr
}

// approve is who approves requests, where the cluster leaves that to policies
// and there is none.
func (r *rig) approve(cr *cmapi.CertificateRequest) {
	r.t.Helper()
	for {
		for _, c := range cr.Status.Conditions {
			if c.Type == cmapi.CertificateRequestConditionApproved {
				return
			}
		}
		now := metav1.Now()
		cr.Status.Conditions = append(cr.Status.Conditions, cmapi.CertificateRequestCondition{
			Type: cmapi.CertificateRequestConditionApproved, Status: cmmeta.ConditionTrue, Reason: "Test", Message: "approved", LastTransitionTime: &now,
		})
		err := r.admin.Status().Update(r.t.Context(), cr)
		if err == nil {
			return
		}
		if !apierrors.IsConflict(err) {
			r.t.Fatal(err)
		}
		if err := r.admin.Get(r.t.Context(), client.ObjectKeyFromObject(cr), cr); err != nil {
			r.t.Fatal(err)
		}
	}
}

// outcomes counts the namespace's requests by the reason of their condition.
func (r *rig) outcomes() map[string]int {
	r.t.Helper()
	var all cmapi.CertificateRequestList
	if err := r.admin.List(r.t.Context(), &all, client.InNamespace(r.Name)); err != nil {
		r.t.Fatal(err)
	}
	n := map[string]int{}
	for _, cr := range all.Items {
		n[readyReason(&cr)]++
	}
	return n
}

func readyReason(cr *cmapi.CertificateRequest) string {
	for _, c := range cr.Status.Conditions {
		if c.Type == cmapi.CertificateRequestConditionReady {
			return c.Reason
		}
	}
	return ""
}

// exactly asks for n certificates of a CA that fails, kills the issuer again and
// again meanwhile, and wants n certificates in the end, no more and no less.
func exactly(t *testing.T, n int, f *failing, limit time.Duration) {
	s, ca := newCA(t, f, "")
	r := newRig(t, s.Env())
	r.issuer("ca", "{arn: \""+ca+"\"}")
	r.ready("awspcaissuer/ca")
	for i := range n {
		r.request(fmt.Sprintf("r%03d", i), "ca", nil)
	}
	began, kills := time.Now(), 0
	kill := time.Now().Add(2 * time.Second)
	for time.Since(began) < limit {
		if got := r.outcomes(); got[cmapi.CertificateRequestReasonIssued] == n {
			break
		} else if got[cmapi.CertificateRequestReasonFailed]+got[cmapi.CertificateRequestReasonDenied] > 0 {
			t.Fatalf("requests have failed for good: %v", got)
		}
		if time.Now().After(kill) && kills < 6 {
			r.kill()
			r.start()
			kills++
			kill = time.Now().Add(time.Second + mrand.N(6*time.Second))
		}
		time.Sleep(100 * time.Millisecond)
	}
	f.mu.Lock()
	t.Logf("%d requests in %s: %d throttled, %d failed, %d answers lost, %d kills", n, time.Since(began).Round(time.Second), f.throttled, f.failed, f.unheard, kills)
	if f.throttled == 0 || f.failed == 0 || f.unheard == 0 || kills == 0 {
		t.Error("not everything has gone wrong that should")
	}
	f.mu.Unlock()
	if got := r.outcomes(); got[cmapi.CertificateRequestReasonIssued] != n {
		t.Errorf("after %s the requests are %v", limit, got)
	}
	if made := issued(s, ca); made != n {
		t.Errorf("%d certificates were issued for %d requests", made, n)
	}
}

// TestExactlyOneCertificateEach: throttling, errors, answers lost after the
// call was accepted, an issuer that is killed.
func TestExactlyOneCertificateEach(t *testing.T) {
	exactly(t, 30, &failing{every: 200 * time.Millisecond, broken: 30}, 4*time.Minute)
}
