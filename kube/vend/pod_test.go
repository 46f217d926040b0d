package vend

import (
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// A token counts from its pod's addresses alone. On the node's network these are
// the node's and the agent's own, and not those that any neighbour may have on
// the link between them.
func TestAddressesOfAPod(t *testing.T) {
	pod := &corev1.Pod{Status: corev1.PodStatus{
		HostIPs: []corev1.HostIP{{IP: "10.0.0.1"}, {IP: "fd12::1"}}, PodIPs: []corev1.PodIP{{IP: "10.1.0.7"}, {IP: "fd12:1::7"}},
	}}
	host := pod.DeepCopy()
	host.Spec.HostNetwork, host.Status.PodIPs = true, []corev1.PodIP{{IP: "10.0.0.1"}}
	for from, want := range map[string]struct{ pod, host bool }{
		"10.1.0.7":        {pod: true},
		"::ffff:10.1.0.7": {pod: true},
		"fd12:1::7":       {pod: true},
		"10.0.0.1":        {host: true},
		"fd12::1":         {host: true},
		"169.254.170.23":  {host: true},
		"fd00:ec2::23":    {host: true},
		"fe80::1%veth1":   {},
		"169.254.170.24":  {},
		"169.254.20.10":   {},
		"10.1.0.8":        {},
		"fe80::2":         {},
		"fd00:ec2::24":    {},
	} {
		a := netip.MustParseAddr(from)
		if got := addressed(pod, a); got != want.pod {
			t.Errorf("%s is a pod's: %v", from, got)
		}
		if got := addressed(host, a); got != want.host {
			t.Errorf("%s is the node's: %v", from, got)
		}
	}
}
