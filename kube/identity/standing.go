package identity

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"daypass.dev/kube/api/v1alpha1"
)

// Standing judges an association by itself: the identity that it would give,
// with its patterns in the place of names, or the *Refusal that every pod would
// meet that it speaks for. all are the cluster's associations, a among them or
// not. What depends on a pod or its ServiceAccount's annotations is not judged.
func Standing(a *v1alpha1.PodIdentityAssociation, all []v1alpha1.PodIdentityAssociation, cluster Cluster) (Identity, error) {
	q := question{
		pod:         &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: a.Spec.Namespace}},
		account:     &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: a.Spec.Namespace, Name: a.Spec.ServiceAccount}},
		association: a, cluster: cluster,
	}
	id := q.identity(Finding{Rule: RuleAssociation, Association: a.Name})
	for i := range all {
		if other := &all[i]; other.Name != a.Name && samePattern(a, other) && !sameWord(a, other) {
			return id, duplicate(a, other)
		}
	}
	for _, check := range checks() {
		if err := check.by(&q, &id); err != nil {
			return id, err
		}
	}
	return id, nil
}
