//go:build soak

package agent

import (
	"errors"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/kubetest"
)

// TestOutages takes from nodes what they count on: AWS, and the agent itself.
func TestOutages(t *testing.T) {
	s := newStage(t)
	release := kubetest.Chart(t, values)
	t.Run("of AWS", func(t *testing.T) { outage(s.in(t), release.For(t)) })
	t.Run("of the agent", func(t *testing.T) { otherNode(s.in(t), release.For(t)) })
}

// outage exchanges the agents while they cannot reach AWS: what the last have
// kept, the new ones serve.
func outage(s *stage, release *kubetest.Release) {
	s.reads()
	s.node("ip", "route", "add", "blackhole", kube.AWSAddress+"/32")
	s.t.Cleanup(func() { _, _ = s.tryNode("ip", "route", "del", "blackhole", kube.AWSAddress+"/32") })
	if out, err := s.tryNode("curl", "--silent", "--show-error", "--insecure", "--max-time", "4", "https://"+kube.AWSAddress); err == nil {
		s.t.Fatalf("node1 reaches AWS: %q", out)
	}
	s.exchanged(release)
}

// otherNode has a pod of node2, which has no agent and not the address but a
// route to node1's, made on purpose.
func otherNode(s *stage, release *kubetest.Release) {
	only := func(node string) {
		release.Kubectl("patch", "daemonset", "daypass-node", "--type=merge", `--patch={"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/hostname":`+node+`}}}}}`)
		release.Kubectl("rollout", "status", "daemonset/daypass-node", "--timeout=3m")
	}
	only(`"node1"`)
	s.t.Cleanup(func() { only("null") })
	release.Eventually(time.Minute, "node2 without an agent", func() error {
		if out := release.Kubectl("get", "pods", "--selector=app.kubernetes.io/component=node", "--field-selector=spec.nodeName=node2", "--output=name"); out != "" {
			return errors.New(out)
		}
		return nil
	})
	s.node("ip", "address", "add", beside+"/32", "dev", "lo")
	s.t.Cleanup(func() { _, _ = s.tryNode("ip", "address", "del", beside+"/32", "dev", "lo") })
	pods := strings.ReplaceAll(hostPod, "IMAGE", kube.BusyboxImage)
	s.Apply(strings.NewReplacer("name: host", "name: router", "node1", "node2", "image:", "securityContext: {privileged: true}, image:").Replace(pods) +
		"---" + strings.NewReplacer("name: host", "name: guest", "node1", "node2", "hostNetwork: true", "hostNetwork: false").Replace(pods))
	s.Wait("pod/router", "Ready", time.Minute)
	s.Wait("pod/guest", "Ready", time.Minute)
	// The address is on a dummy link, or on lo where the kernel has none.
	_, err := s.Exec("router", "shell", "sh", "-c", "busybox ip link del daypass0 || busybox ip address del 169.254.170.23/32 dev lo")
	s.must(err)
	_, err = s.Exec("router", "shell", "busybox", "ip", "route", "add", "169.254.170.0/24", "via", "10.250.0.1")
	s.must(err)
	s.t.Cleanup(func() { _, _ = s.Exec("router", "shell", "busybox", "ip", "route", "del", "169.254.170.0/24") })
	get := func(address string) (string, error) {
		return s.Exec("guest", "shell", "busybox", "timeout", "4", "wget", "-q", "-O", "-", "http://"+address+"/healthz")
	}
	if out, err := get(beside + ":9912"); err != nil || out != "ok\n" {
		s.t.Fatalf("the address beside is not reached, so that nothing is shown: %q, %v", out, err)
	}
	for _, port := range []string{":9912", ""} {
		if out, err := get("169.254.170.23" + port); err == nil || out != "" {
			s.t.Errorf("port %q: %q, %v", port, out, err)
		}
	}
}
