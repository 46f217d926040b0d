package inject

import (
	"errors"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
)

// Missed says what a pod that is there already lacks, because it was made while
// the webhook could not be asked, or before its ServiceAccount had a role: nil
// if nothing, else the refusal that it would have met, or that of slug
// injection-missed. account is nil if there is none.
//
// A pod that was once given something lacks nothing, whatever the settings are
// by now.
func Missed(pod *corev1.Pod, account *corev1.ServiceAccount, associations []v1alpha1.PodIdentityAssociation, s Settings) *identity.Refusal {
	if account == nil || pod.Annotations[Injected] != "" || isMirror(pod) {
		return nil
	}
	id, _, err := identity.Resolve(pod, account, associations, s.Cluster)
	var lacks []string
	if err == nil && id.Role() != "" {
		lacks, err = s.lacks(pod, id)
	}
	var refusal *identity.Refusal
	switch {
	case errors.As(err, &refusal):
		return refusal
	case len(lacks) == 0:
		return nil
	}
	errors.As(refuse("injection-missed", "the pod runs without what it needs to be %s: %s", id.Role(), strings.Join(lacks, ", ")), &refusal)
	return refusal
}

// lacks lists the volumes and containers that would be added. Variables alone
// do not count: whoever brought the volumes has seen to them.
func (s *Settings) lacks(pod *corev1.Pod, id identity.Identity) ([]string, error) {
	add, err := s.addition(pod, id)
	if err != nil {
		return nil, err
	}
	e := &editor{pod: pod, addition: add}
	if err := e.edit(); err != nil {
		return nil, err
	}
	return slices.Clone(e.added), nil
}

// Standing judges an association by itself, as identity.Standing does, and by
// whether these settings could deliver it.
func (s Settings) Standing(a *v1alpha1.PodIdentityAssociation, all []v1alpha1.PodIdentityAssociation) (identity.Identity, error) {
	id, err := identity.Standing(a, all, s.Cluster)
	if err == nil {
		_, err = s.deliver(id)
	}
	return id, err
}
