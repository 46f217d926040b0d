package identity

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"daypass.dev/kube/api/v1alpha1"
)

// mostExact returns the association that speaks for a ServiceAccount, or nil.
// Two of the same pattern are refused, unless they say the same, as they do
// while one is given a new name.
func mostExact(all []v1alpha1.PodIdentityAssociation, namespace, account string) (*v1alpha1.PodIdentityAssociation, error) {
	var fit []*v1alpha1.PodIdentityAssociation
	for i := range all {
		if s := &all[i].Spec; fits(s.Namespace, namespace) && fits(s.ServiceAccount, account) {
			fit = append(fit, &all[i])
		}
	}
	slices.SortFunc(fit, func(a, b *v1alpha1.PodIdentityAssociation) int {
		return cmp.Or(
			exactness(b.Spec.Namespace)-exactness(a.Spec.Namespace),
			exactness(b.Spec.ServiceAccount)-exactness(a.Spec.ServiceAccount),
			strings.Compare(a.Name, b.Name))
	})
	if len(fit) == 0 {
		return nil, nil
	}
	first := fit[0]
	for _, other := range fit[1:] {
		if samePattern(first, other) && !sameWord(first, other) {
			return nil, duplicate(first, other)
		}
	}
	return first, nil
}

func duplicate(a, b *v1alpha1.PodIdentityAssociation) error {
	return refuse("association-duplicate", "associations %s and %s both are for namespace %s and serviceAccount %s",
		a.Name, b.Name, a.Spec.Namespace, a.Spec.ServiceAccount)
}

// fits reports whether name is meant by pattern, which may end in one *.
func fits(pattern, name string) bool {
	prefix, wild := strings.CutSuffix(pattern, "*")
	return pattern == name || wild && strings.HasPrefix(name, prefix)
}

// exactness orders patterns that fit one name: the more of it they fix, the
// higher. A whole name is above any pattern.
func exactness(pattern string) int {
	prefix, wild := strings.CutSuffix(pattern, "*")
	if !wild {
		return 1 << 20
	}
	return len(prefix)
}

func samePattern(a, b *v1alpha1.PodIdentityAssociation) bool {
	return a.Spec.Namespace == b.Spec.Namespace && a.Spec.ServiceAccount == b.Spec.ServiceAccount
}

func sameWord(a, b *v1alpha1.PodIdentityAssociation) bool {
	x, y := a.Spec, b.Spec
	x.Tags, y.Tags = nil, nil
	return reflect.DeepEqual(x, y)
}
