package vend

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
)

// A nodeOf has pods, each named after its ServiceAccount and a number; all may
// be one role.
type nodeOf map[string]bool // :: ACCOUNT-NUMBER

func (n nodeOf) Pod(_ context.Context, _, name string, _ bool) (*corev1.Pod, error) {
	if !n[name] {
		return nil, nil
	}
	account, _, _ := strings.Cut(name, "-")
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name)}, Spec: corev1.PodSpec{NodeName: "n1", ServiceAccountName: account},
	}, nil
}

func (n nodeOf) Lookup(_ context.Context, namespace, account string) (*corev1.ServiceAccount, []v1alpha1.PodIdentityAssociation, error) {
	return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: account, Annotations: map[string]string{"daypass.dev/role-arn": "arn:aws:iam::111122223333:role/web"},
	}}, nil, nil
}

// A ServiceAccount's key is there as long as one of its pods is, and no longer.
func TestKeysGoWithTheLastPod(t *testing.T) {
	const anywhere = "arn:aws:rolesanywhere:us-east-1:111122223333:"
	node := nodeOf{"web-1": true, "web-2": true, "api-1": true}
	keys := &Certificates{Sign: newSigner(t).sign}
	v := &Vendor{
		Cluster: identity.Cluster{Name: "prod", TrustDomain: "prod.test", Method: v1alpha1.RolesAnywhere,
			RolesAnywhere: v1alpha1.Anywhere{TrustAnchorARN: anywhere + "trust-anchor/a", ProfileARN: anywhere + "profile/p"}},
		Node: "n1", Directory: node, Upstream: Upstream{Region: "us-east-1", Certificates: keys},
	}
	defer v.Close()
	for pod := range node {
		account, _, _ := strings.Cut(pod, "-")
		if _, _, err := v.Source(t.Context(), Caller{Namespace: "shop", Pod: pod, UID: types.UID(pod), ServiceAccount: account}); err != nil {
			t.Fatal(err)
		}
	}
	web, api := "spiffe://prod.test/ns/shop/sa/web", "spiffe://prod.test/ns/shop/sa/api"
	for _, step := range []struct {
		goes string
		want []string
	}{{"", []string{api, web}}, {"web-1", []string{api, web}}, {"api-1", []string{web}}, {"web-2", nil}} {
		delete(node, step.goes)
		v.Forget(t.Context())
		if got := slices.Sorted(maps.Keys(keys.all)); !slices.Equal(got, step.want) {
			t.Errorf("without %s there are keys of %v", step.goes, got)
		}
	}
}
