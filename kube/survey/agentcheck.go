package survey

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/doctor"
	"daypass.dev/kube/inject"
)

// agent says whether the agent of the pod's node serves, where the pod was sent
// there.
func (p *patient) agent(ctx context.Context) {
	node := p.pod.Spec.NodeName
	if p.pod.Annotations[inject.Injected] != string(inject.Agent) || node == "" {
		return
	}
	all, err := p.agentsOf(ctx, map[string]bool{node: true})
	if err != nil {
		p.say(doctor.Unknown, "", "the agent of node %s was not seen: %s", node, short(err))
		return
	}
	runs := slices.IndexFunc(all, func(a corev1.Pod) bool {
		return len(a.Status.ContainerStatuses) > 0 && a.Status.ContainerStatuses[0].State.Running != nil
	})
	switch {
	case slices.ContainsFunc(all, func(a corev1.Pod) bool { return isReady(&a) }):
		p.say(doctor.Pass, "", "the agent of node %s is ready", node)
	case len(all) == 0:
		p.say(doctor.Fail, "agent-down", "there is no agent on node %s", node)
	case runs < 0:
		p.say(doctor.Fail, "agent-down", "the agent %s of node %s does not run", all[0].Name, node)
	default:
		p.unready(ctx, &all[runs])
	}
}

// unready says what an agent says of itself. One that cannot serve is a cause;
// one that lacks an answer, of AWS or of the signer, may serve others, and has
// told whom it does not.
func (p *patient) unready(ctx context.Context, agent *corev1.Pod) {
	var events corev1.EventList
	if err := p.objects.List(ctx, &events, client.InNamespace(agent.Namespace), client.MatchingFields{"involvedObject.uid": string(agent.UID)}); err != nil {
		p.say(doctor.Unknown, "", "why the agent %s is not ready was not seen: %s", agent.Name, short(err))
		return
	}
	var latest *corev1.Event
	for i, e := range events.Items {
		if e.Reason == "Unhealthy" && (latest == nil || e.LastTimestamp.After(latest.LastTimestamp.Time)) {
			latest = &events.Items[i]
		}
	}
	if latest == nil {
		p.say(doctor.Warn, "", "the agent %s of node %s is not ready", agent.Name, agent.Spec.NodeName)
		return
	}
	verdict, slug := doctor.Warn, ""
	for _, said := range doctor.Recognise(latest.Message) {
		if slices.Contains([]string{"agent-port", "agent-address", "agent-filter"}, said) {
			verdict, slug = doctor.Fail, said
		}
	}
	p.say(verdict, slug, "the agent %s of node %s is not ready: %s", agent.Name, agent.Spec.NodeName, latest.Message)
}
