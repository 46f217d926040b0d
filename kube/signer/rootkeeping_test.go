package signer

import (
	"strings"
	"testing"

	certs "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// A household is a Secret with its steward and a follower.
type household struct {
	t      *testing.T
	c      client.Client
	secret *corev1.Secret
	r      *replica
}

func newHousehold(t *testing.T, data map[string][]byte) *household {
	t.Helper()
	h := &household{t: t, secret: &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "daypass", Name: "root"}, Data: data}}
	h.c = fake.NewClientBuilder().WithScheme(served{bundles: certs.SchemeGroupVersion}.scheme()).WithObjects(h.secret).Build()
	h.r = newReplica(t, h.c, h.c, &strings.Builder{})
	h.r.authority = &authority{cluster: testCluster, life: 1}
	return h
}

// step gives an order and lets both look at the Secret; it returns the bundle.
func (h *household) step(order string) (bundle string, err error) {
	h.t.Helper()
	if order != "" {
		s := h.secret.DeepCopy()
		if err := h.c.Get(h.t.Context(), client.ObjectKeyFromObject(s), s); err != nil {
			h.t.Fatal(err)
		}
		metav1.SetMetaDataAnnotation(&s.ObjectMeta, orderAnnotation, order)
		if err := h.c.Update(h.t.Context(), s); err != nil {
			h.t.Fatal(err)
		}
	}
	if _, err := (&steward{h.r, true}).Reconcile(h.t.Context(), which(h.secret)); err != nil {
		return "", err
	}
	if _, err := (&follower{h.r}).Reconcile(h.t.Context(), which(h.secret)); err != nil {
		return "", err
	}
	if err := h.c.Get(h.t.Context(), client.ObjectKeyFromObject(h.secret), h.secret); err != nil {
		h.t.Fatal(err)
	}
	b := &certs.ClusterTrustBundle{ObjectMeta: metav1.ObjectMeta{Name: BundleName}}
	if err := h.c.Get(h.t.Context(), client.ObjectKeyFromObject(b), b); err != nil {
		h.t.Fatal(err)
	}
	return b.Spec.TrustBundle, nil
}

// signs is the root that the replica's issuing CA goes back to.
func (h *household) signs() string {
	h.t.Helper()
	ca, err := h.r.authority.current()
	if err != nil {
		h.t.Fatal(err)
	}
	return name(ca.Above[0])
}

func TestTheStewardsOrders(t *testing.T) {
	h := newHousehold(t, nil)
	first, err := h.step("")
	if err != nil || strings.Count(first, "BEGIN") != 1 {
		t.Fatalf("%q, %v", first, err)
	}
	signer := h.signs()
	if again, err := h.step("dance"); err != nil || again != first || h.secret.Annotations[orderAnnotation] != "" {
		t.Errorf("an order that there is none of: %v, %v", err, h.secret.Annotations)
	}
	both, err := h.step(orderPrepare)
	if err != nil || strings.Count(both, "BEGIN") != 2 || !strings.HasPrefix(both, first) || h.signs() != signer {
		t.Fatalf("prepared: %q, %v", both, err)
	}
	after, err := h.step(orderChange)
	if err != nil || strings.Count(after, "BEGIN") != 2 || after == both || h.signs() == signer {
		t.Fatalf("changed: %q, %v, signs %s", after, err, h.signs())
	}
	if third, err := h.step(orderPrepare); err != nil || third != after || h.secret.Annotations[orderAnnotation] != "" {
		t.Errorf("a third root: %q, %v, %v", third, err, h.secret.Annotations)
	}
	if string(h.secret.Data[keyTrust]) != after {
		t.Error("Secret and bundle differ")
	}
}

// What cannot be read is left as it is: it may be an operator's to mend.
func TestTheStewardOverwritesNoDamage(t *testing.T) {
	h := newHousehold(t, map[string][]byte{keyRoot: []byte("damaged")})
	if _, err := h.step(""); err == nil {
		t.Error("a damaged root is taken")
	}
	var s corev1.Secret
	if err := h.c.Get(t.Context(), client.ObjectKeyFromObject(h.secret), &s); err != nil || string(s.Data[keyRoot]) != "damaged" {
		t.Errorf("%q, %v", s.Data[keyRoot], err)
	}
}
