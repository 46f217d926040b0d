package inject

import (
	"testing"

	registration "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Which webhook is asked about which pod: by the selectors' own rules.
func TestWhoIsAsked(t *testing.T) {
	c := Configuration(Registration{Namespace: "daypass", Service: "daypass-webhook", CABundle: []byte("ca")})
	const pods, namespaces, others, nobody = "pods.inject.daypass.dev", "namespaces.inject.daypass.dev", "others.inject.daypass.dev", ""
	yes, no := labels.Set{Label: "true"}, labels.Set{Label: "false"}
	eks, gtoken := labels.Set{eksOptOut: "true"}, labels.Set{gtokenOptOut: ""}
	for _, test := range []struct {
		namespace  string
		labels     labels.Set
		pod        labels.Set
		want, name string
	}{
		{"shop", nil, nil, others, "usual"},
		{"shop", nil, yes, pods, "labelled pod"},
		{"shop", yes, nil, namespaces, "labelled namespace"},
		{"shop", yes, yes, pods, "both labelled"},
		{"shop", nil, no, nobody, "pod opts out"},
		{"shop", yes, no, nobody, "pod opts out of its namespace's label"},
		{"shop", no, nil, nobody, "namespace opts out"},
		{"shop", no, yes, pods, "pod opts in again"},
		{"shop", nil, eks, nobody, "opted out of EKS's webhook"},
		{"shop", yes, eks, nobody, "opted out of EKS's webhook in a labelled namespace"},
		{"shop", gtoken, nil, nobody, "namespace opted out of gtoken's"},
		{"shop", gtoken, yes, pods, "pod opts in there"},
		{"kube-system", nil, nil, nobody, "kube-system"},
		{"kube-system", yes, nil, nobody, "kube-system, labelled"},
		{"kube-system", nil, yes, pods, "labelled pod of kube-system"},
		{"daypass", nil, nil, nobody, "ours"},
		{"daypass", yes, yes, nobody, "ours, labelled"},
	} {
		set := labels.Merge(test.labels, labels.Set{"kubernetes.io/metadata.name": test.namespace})
		var asked []string
		for _, w := range c.Webhooks {
			if selects(t, w.NamespaceSelector, set) && selects(t, w.ObjectSelector, test.pod) {
				asked = append(asked, w.Name)
			}
		}
		if len(asked) > 1 || len(asked) == 1 && asked[0] != test.want || len(asked) == 0 && test.want != nobody {
			t.Errorf("%s: %v is asked, want %q", test.name, asked, test.want)
		}
	}
	for _, w := range c.Webhooks {
		policy := registration.Fail
		if w.Name == others {
			policy = registration.Ignore
		}
		if *w.FailurePolicy != policy || *w.TimeoutSeconds > 5 || w.Name == others && *w.TimeoutSeconds != 3 ||
			*w.SideEffects != registration.SideEffectClassNoneOnDryRun || *w.ReinvocationPolicy != registration.IfNeededReinvocationPolicy ||
			string(w.ClientConfig.CABundle) != "ca" || len(w.Rules) != 1 {
			t.Errorf("%s: %+v", w.Name, w)
		}
	}
}

func selects(t *testing.T, s *metav1.LabelSelector, set labels.Set) bool {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		t.Fatal(err)
	}
	return selector.Matches(set)
}
