package inject

import (
	registration "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Label, on a pod or a namespace: "true" means that pods must not start
// without the webhook, "false" that it leaves them alone.
const Label = "daypass.dev/inject"

// Other people's ways to opt out, which are heeded, too.
const (
	eksOptOut    = "eks.amazonaws.com/skip-pod-identity-webhook" // on pods
	gtokenOptOut = "admission.gtoken/ignore"                     // on namespaces
)

// A Registration says where the API server finds the webhook.
type Registration struct {
	// Service in Namespace that leads to the webhook, by its port 443.
	Namespace, Service string
	// CABundle is the PEM of the authorities to trust.
	CABundle []byte
}

// Name is the DNS name under which the API server calls.
func (r Registration) Name() string { return r.Service + "." + r.Namespace + ".svc" }

// Configuration is what makes the API server ask the webhook. Pods that are
// labelled, or are in labelled namespaces, wait while it is down; all others
// start without what it would have given them. Pods of kube-system are asked
// about only if they are labelled themselves, those beside the webhook never,
// so that it does not wait for itself.
func Configuration(r Registration) *registration.MutatingWebhookConfiguration {
	in := func(key string, values ...string) metav1.LabelSelectorRequirement {
		return metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpIn, Values: values}
	}
	not := func(key string, values ...string) metav1.LabelSelectorRequirement {
		return metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpNotIn, Values: values}
	}
	absent := func(key string) metav1.LabelSelectorRequirement {
		return metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpDoesNotExist}
	}
	all := func(rs ...metav1.LabelSelectorRequirement) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchExpressions: rs}
	}
	const namespace = "kubernetes.io/metadata.name"
	return &registration.MutatingWebhookConfiguration{
		TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "MutatingWebhookConfiguration"},
		ObjectMeta: metav1.ObjectMeta{Name: "daypass"},
		Webhooks: []registration.MutatingWebhook{
			r.webhook("pods.inject.daypass.dev", registration.Fail, 5,
				all(not(namespace, r.Namespace)),
				all(in(Label, "true"))),
			r.webhook("namespaces.inject.daypass.dev", registration.Fail, 5,
				all(not(namespace, r.Namespace, "kube-system"), in(Label, "true")),
				all(not(Label, "true", "false"), absent(eksOptOut))),
			r.webhook("others.inject.daypass.dev", registration.Ignore, 3,
				all(not(namespace, r.Namespace, "kube-system"), not(Label, "true", "false"), absent(gtokenOptOut)),
				all(not(Label, "true", "false"), absent(eksOptOut))),
		},
	}
}

// Asks tells about which pods the webhook is asked, by the labels of a pod and
// of its namespace; the latter as Kubernetes sets them.
func (r Registration) Asks() func(namespace, pod map[string]string) bool {
	type selectors struct{ namespace, pod labels.Selector }
	var all []selectors
	for _, w := range Configuration(r).Webhooks {
		var s selectors
		var errs [2]error
		s.namespace, errs[0] = metav1.LabelSelectorAsSelector(w.NamespaceSelector)
		s.pod, errs[1] = metav1.LabelSelectorAsSelector(w.ObjectSelector)
		if errs[0] == nil && errs[1] == nil { // they are our own, and tested
			all = append(all, s)
		}
	}
	return func(namespace, pod map[string]string) bool {
		for _, s := range all {
			if s.namespace.Matches(labels.Set(namespace)) && s.pod.Matches(labels.Set(pod)) {
				return true
			}
		}
		return false
	}
}

func (r Registration) webhook(name string, policy registration.FailurePolicyType, seconds int32, namespaces, pods *metav1.LabelSelector) registration.MutatingWebhook {
	path, equivalent, again := "/mutate", registration.Equivalent, registration.IfNeededReinvocationPolicy
	effects, scope := registration.SideEffectClassNoneOnDryRun, registration.NamespacedScope // Events
	return registration.MutatingWebhook{
		Name: name, FailurePolicy: &policy, TimeoutSeconds: &seconds, MatchPolicy: &equivalent, ReinvocationPolicy: &again,
		SideEffects: &effects, AdmissionReviewVersions: []string{"v1"}, NamespaceSelector: namespaces, ObjectSelector: pods,
		ClientConfig: registration.WebhookClientConfig{
			CABundle: r.CABundle,
			Service:  &registration.ServiceReference{Namespace: r.Namespace, Name: r.Service, Path: &path},
		},
		Rules: []registration.RuleWithOperations{{
			Operations: []registration.OperationType{registration.Create},
			Rule:       registration.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}, Scope: &scope},
		}},
	}
}
