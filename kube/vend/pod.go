package vend

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Addresses says what to do about a caller whose address is none of its pod's:
// it may have taken the token from another pod.
type Addresses int

// What to do about it.
const (
	Enforce Addresses = iota // refuse
	Audit                    // write it into the log
	Off
)

// pod finds the caller in the cluster, on this node.
func (v *Vendor) pod(ctx context.Context, c Caller) (*corev1.Pod, error) {
	pod, err := v.Directory.Pod(ctx, c.Namespace, c.Pod, false)
	if err == nil && !c.is(pod) && !v.isLost(c.UID) { // perhaps made a moment ago
		if pod, err = v.Directory.Pod(ctx, c.Namespace, c.Pod, true); err == nil && !c.is(pod) {
			v.lost(c.UID)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("looking up pod %s/%s: %w", c.Namespace, c.Pod, err)
	}
	name := c.Namespace + "/" + c.Pod
	switch {
	case pod == nil:
		return nil, refuse("pod-gone", "there is no pod %s", name)
	case pod.UID != c.UID:
		return nil, refuse("pod-gone", "pod %s is another one now: its UID is %s, the caller's %.40s", name, pod.UID, string(c.UID))
	case pod.Spec.NodeName != v.Node:
		return nil, refuse("pod-other-node", "pod %s is on node %q, not on %s", name, pod.Spec.NodeName, v.Node)
	case accountOf(pod) != c.ServiceAccount:
		return nil, refuse("pod-other-account", "pod %s runs as %s, the caller says %.80q", name, accountOf(pod), c.ServiceAccount)
	case ended(pod):
		return nil, refuse("pod-gone", "pod %s has ended: %s", name, pod.Status.Phase)
	}
	if v.Addresses == Off || !c.From.IsValid() {
		return pod, nil
	}
	return v.at(ctx, pod, c)
}

// lost remembers a pod that the API server itself does not have any more: it
// does not come back, and whoever keeps its token cannot have the API server
// asked each time.
func (v *Vendor) lost(pod types.UID) {
	const most = 1000
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.gone == nil || len(v.gone) >= most {
		v.gone = map[types.UID]bool{}
	}
	v.gone[pod] = true
}

// isLost tells that a pod is one that lost was told of.
func (v *Vendor) isLost(pod types.UID) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.gone[pod]
}

// is tells whether the pod of the caller's name, if there is one, is the caller.
func (c Caller) is(pod *corev1.Pod) bool { return pod != nil && pod.UID == c.UID }

func accountOf(pod *corev1.Pod) string {
	if pod.Spec.ServiceAccountName == "" {
		return "default"
	}
	return pod.Spec.ServiceAccountName
}

func ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// settling is how often the watch is asked for a new pod's addresses, which the
// kubelet tells a moment after the containers have begun.
const settling = 50 * time.Millisecond

// at holds the caller's address to its pod's.
func (v *Vendor) at(ctx context.Context, pod *corev1.Pod, c Caller) (*corev1.Pod, error) {
	if addressed(pod, c.From) {
		return pod, nil
	}
	seen := false // by the watch
	for len(pod.Status.PodIPs) == 0 && !pod.Spec.HostNetwork {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the addresses of pod %s/%s: %w", c.Namespace, c.Pod, context.Cause(ctx))
		case <-time.After(settling):
		}
		// The API server itself would know no sooner, and a node that starts has
		// many pods that ask. The watch may be behind: then it has none yet.
		next, err := v.Directory.Pod(ctx, c.Namespace, c.Pod, false)
		switch {
		case err != nil:
			return nil, fmt.Errorf("looking up pod %s/%s: %w", c.Namespace, c.Pod, err)
		case !c.is(next):
			if seen {
				return nil, refuse("pod-gone", "pod %s/%s went away", c.Namespace, c.Pod)
			}
			continue
		case ended(next): // its address may be another's
			return nil, refuse("pod-gone", "pod %s/%s has ended: %s", c.Namespace, c.Pod, next.Status.Phase)
		case addressed(next, c.From):
			return next, nil
		}
		pod, seen = next, true
	}
	err := refuse("pod-other-address", "a token of pod %s/%s was shown from %s, which is not its address", c.Namespace, c.Pod, c.From)
	if v.Addresses == Audit {
		if v.Log != nil {
			v.Log.Warn("another pod's token", "namespace", c.Namespace, "pod", c.Pod, "from", c.From.String())
		}
		return pod, nil
	}
	return nil, err
}

// addressed tells whether an address is the pod's. One on the node's network
// has all of the node's; it calls the agent from the address that it calls, as
// whoever calls an address of his own machine.
func addressed(pod *corev1.Pod, from netip.Addr) bool {
	from = from.Unmap().WithZone("")
	if pod.Spec.HostNetwork {
		if from == serviceV4 || from == serviceV6 {
			return true
		}
		for _, ip := range pod.Status.HostIPs {
			if same(ip.IP, from) {
				return true
			}
		}
	}
	return slices.ContainsFunc(pod.Status.PodIPs, func(ip corev1.PodIP) bool { return same(ip.IP, from) })
}

// The agent's addresses; no pod but those on the node's network has them.
var (
	serviceV4 = netip.MustParseAddr("169.254.170.23")
	serviceV6 = netip.MustParseAddr("fd00:ec2::23")
)

func same(text string, a netip.Addr) bool {
	b, err := netip.ParseAddr(text)
	return err == nil && b.Unmap() == a
}
