package survey

import (
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubefake "k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/doctor"
	"daypass.dev/kube/inject"
)

// Where there is no webhook, its settings are the detector's or the agents', and
// its work may be the policies': it is missed only by pods that lack something
// which nobody else gives.
func TestPodsWithoutAWebhook(t *testing.T) {
	at := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "daypass", Name: "daypass-" + name, Labels: component(name)}
	}
	template := corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Env: []corev1.EnvVar{
		{Name: "DAYPASS_CLUSTER_NAME", Value: "prod"}, {Name: "DAYPASS_TRUST_DOMAIN", Value: "prod.example.org"}, {Name: "DAYPASS_METHOD", Value: "roles-anywhere"},
		{Name: "DAYPASS_TRUST_ANCHOR_ARN", Value: "arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/11111111-2222-4333-8444-555555555555"},
		{Name: "DAYPASS_PROFILE_ARN", Value: "arn:aws:rolesanywhere:us-east-1:111122223333:profile/11111111-2222-4333-8444-555555555555"},
	}}}}}
	node := &appsv1.DaemonSet{ObjectMeta: at("node"), Spec: appsv1.DaemonSetSpec{Template: template}}
	policy := &admissionv1.MutatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "daypass-agent", Labels: component("policy")}}
	for name, row := range map[string]struct {
		given, hidden, fails string
		objects              []client.Object
		resolved             bool
	}{
		"nothing at all":             {fails: "webhook-absent"},
		"agents":                     {objects: []client.Object{node}, resolved: true, fails: "webhook-absent"},
		"agents, given before":       {objects: []client.Object{node}, given: "agent", resolved: true},
		"agents and policies":        {objects: []client.Object{node, policy}, given: "agent", resolved: true},
		"the same, missed":           {objects: []client.Object{node, policy}, resolved: true, fails: "injection-missed"},
		"the same, for few eyes":     {objects: []client.Object{node, policy}, hidden: "*v1.MutatingAdmissionPolicyList", resolved: true, fails: "injection-missed"},
		"policies without a program": {objects: []client.Object{policy}, given: "cluster-token"},
	} {
		t.Run(name, func(t *testing.T) {
			web := pod(nil)
			if row.given != "" {
				web.Annotations = map[string]string{inject.Injected: row.given}
			}
			objects := append([]client.Object{account(map[string]string{"daypass.dev/role-arn": roleARN})}, row.objects...)
			p := &patient{Cluster: clusterOf(t, row.hidden, objects...), pod: web, evidence: doctor.Evidence{Pod: &doctor.Pod{}, Settings: &doctor.Settings{}}}
			in := p.installation(t.Context())
			p.identity(t.Context(), in, p.webhook(t.Context(), in))
			fails, resolved := "", false
			for _, c := range p.evidence.Pod.Checks {
				if c.Verdict == doctor.Fail || c.Verdict == doctor.Warn {
					fails += c.Reason
				}
				resolved = resolved || c.Verdict == doctor.Pass && strings.HasPrefix(c.Detail, roleARN+" by method roles-anywhere")
			}
			if fails != row.fails || resolved != row.resolved {
				t.Errorf("fails %q, want %q; resolved %v: %+v", fails, row.fails, resolved, p.evidence.Pod.Checks)
			}
		})
	}
}

// Of several events of a kind the latest counts, whatever its name and by
// whichever API it was told.
func TestTheLatestEvent(t *testing.T) {
	now := time.Now()
	event := func(name, message string, fill func(*corev1.Event)) *corev1.Event {
		e := &corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{Namespace: "shop", Name: name, CreationTimestamp: metav1.NewTime(now.Add(-2 * time.Hour))},
			InvolvedObject: corev1.ObjectReference{UID: "u"}, Type: "Warning", Reason: "SecretsNotMounted", Message: message,
		}
		fill(e)
		return e
	}
	old := event("web.z", "old (secrets-region)", func(e *corev1.Event) { e.LastTimestamp = metav1.NewTime(now.Add(-time.Hour)) })
	for name, fill := range map[string]func(*corev1.Event){
		"core":          func(e *corev1.Event) { e.LastTimestamp = metav1.NewTime(now) },
		"events.k8s.io": func(e *corev1.Event) { e.EventTime = metav1.NewMicroTime(now) },
		"events.k8s.io again": func(e *corev1.Event) {
			e.EventTime = metav1.NewMicroTime(now.Add(-2 * time.Hour))
			e.Series = &corev1.EventSeries{LastObservedTime: metav1.NewMicroTime(now)}
		},
		"neither": func(e *corev1.Event) { e.CreationTimestamp = metav1.NewTime(now) },
	} {
		p := &patient{
			Cluster:  &Cluster{core: kubefake.NewClientset(event("web.a", "new (secrets-no-token)", fill), old)},
			pod:      &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "u"}},
			evidence: doctor.Evidence{Pod: &doctor.Pod{}},
		}
		p.events(t.Context())
		if got := p.evidence.Pod.Checks; len(got) != 1 || got[0].Reason != "secrets-no-token" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
