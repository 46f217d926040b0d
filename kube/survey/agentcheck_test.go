package survey

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"daypass.dev/doctor"
	"daypass.dev/kube/inject"
)

// A pod that was sent to its node's agent: whether there is one, and what it
// says of itself.
func TestTheAgentOfAPod(t *testing.T) {
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	agent := func(node string, state corev1.ContainerState, ready corev1.ConditionStatus) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "daypass", Name: "daypass-node-" + node, UID: "uid-of-agent", Labels: component("node")},
			Spec:       corev1.PodSpec{NodeName: node, HostNetwork: true},
			Status: corev1.PodStatus{
				ContainerStatuses: []corev1.ContainerStatus{{State: state}}, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}},
			},
		}
	}
	player := agent("n1", running, corev1.ConditionTrue) // a tenant's pod
	player.Spec.HostNetwork = false
	event := func(name, reason, message string, minute int) *corev1.Event {
		return &corev1.Event{
			ObjectMeta: metav1.ObjectMeta{Namespace: "daypass", Name: name}, InvolvedObject: corev1.ObjectReference{UID: "uid-of-agent"},
			Reason: reason, Message: "Readiness probe failed: daypass: error: not ready: " + message, LastTimestamp: metav1.NewTime(time.Unix(0, 0).Add(time.Duration(minute) * time.Minute)),
		}
	}
	const port = "listening: address already in use (agent-port): let that program listen on addresses of its own"
	const upstream = "method web-identity: AssumeRoleWithWebIdentity: no such host"
	for name, row := range map[string]struct {
		objects []client.Object
		verdict doctor.Verdict
		reason  string
	}{
		"none":             {nil, doctor.Fail, "agent-down"},
		"on another node":  {[]client.Object{agent("n2", running, corev1.ConditionTrue)}, doctor.Fail, "agent-down"},
		"played":           {[]client.Object{player}, doctor.Fail, "agent-down"},
		"crashed":          {[]client.Object{agent("n1", corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}, corev1.ConditionFalse)}, doctor.Fail, "agent-down"},
		"ready":            {[]client.Object{agent("n1", running, corev1.ConditionTrue), event("a", "Unhealthy", port, 1)}, doctor.Pass, ""},
		"starting":         {[]client.Object{agent("n1", running, corev1.ConditionFalse), event("a", "Pulled", port, 1)}, doctor.Warn, ""},
		"without a port":   {[]client.Object{agent("n1", running, corev1.ConditionFalse), event("a", "Unhealthy", upstream, 1), event("b", "Unhealthy", port, 2)}, doctor.Fail, "agent-port"},
		"without a signer": {[]client.Object{agent("n1", running, corev1.ConditionFalse), event("a", "Unhealthy", "method roles-anywhere: nobody (agent-no-signer): run it", 1)}, doctor.Warn, ""},
		"without AWS":      {[]client.Object{agent("n1", running, corev1.ConditionFalse), event("a", "Unhealthy", upstream, 3), event("b", "Unhealthy", port, 2)}, doctor.Warn, ""},
	} {
		scheme := runtime.NewScheme()
		if err := clientscheme.AddToScheme(scheme); err != nil {
			t.Fatal(err)
		}
		of := fake.NewClientBuilder().WithScheme(scheme).WithObjects(row.objects...).
			WithIndex(&corev1.Event{}, "involvedObject.uid", func(o client.Object) []string { return []string{string(o.(*corev1.Event).InvolvedObject.UID)} }).Build()
		look := func(delivery inject.Delivery) []doctor.Check {
			p := &patient{Cluster: &Cluster{objects: of}, pod: pod(map[string]string{inject.Injected: string(delivery)}), evidence: doctor.Evidence{Pod: &doctor.Pod{}}}
			p.pod.Spec.NodeName = "n1"
			p.agent(t.Context())
			return p.evidence.Pod.Checks
		}
		if got := look(inject.Agent); len(got) != 1 || got[0].Verdict != row.verdict || got[0].Reason != row.reason || row.reason != "" && got[0].Mend == "" {
			t.Errorf("%s: %+v", name, got)
		}
		if got := look(inject.Sidecar); len(got) != 0 {
			t.Errorf("%s, of a sidecar: %+v", name, got)
		}
	}
}
