package agent

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/kube"
)

// beside is an address of node1 like the agent's, on the same link, but without
// a filter: what reaches it would reach the agent.
const beside = "169.254.170.24"

// network has a machine beside the nodes that wants to reach the agent's
// address: by a route on purpose, and by ARP. The agent's health port, which listens on all addresses
// of the node, tells whether packets come through.
func network(s *stage) {
	s.node("ip", "address", "add", beside+"/32", "dev", "lo")
	s.t.Cleanup(func() { _, _ = s.tryNode("ip", "address", "del", beside+"/32", "dev", "lo") })
	other := s.otherMachine()
	s.Apply(strings.ReplaceAll(hostPod, "IMAGE", kube.BusyboxImage))
	s.Wait("pod/host", "Ready", time.Minute)
	if out, err := s.Exec("host", "shell", "busybox", "timeout", "5", "wget", "-q", "-O", "-", "http://169.254.170.23:9912/healthz"); err != nil || out != "ok\n" {
		s.t.Errorf("the node itself: %q, %v", out, err)
	}
	for name, route := range map[string][]string{
		"by a route": {"via", "10.250.0.1"},
		"by ARP":     {"dev", "eth0"},
	} {
		s.t.Run(name, func(t *testing.T) {
			if out, err := other(append([]string{"ip", "route", "replace", "169.254.170.0/24"}, route...)...); err != nil {
				t.Fatal(out, err)
			}
			if out, err := other(fetch(beside + ":9912")...); err != nil || !strings.Contains(out, "ok") {
				t.Fatalf("the address beside is not reached, so that nothing is shown: %q, %v", out, err)
			}
			for _, port := range []string{":9912", ""} {
				if out, err := other(fetch("169.254.170.23" + port)...); err == nil || !strings.Contains(out, "timed out") {
					t.Errorf("port %q: %q, %v", port, out, err)
				}
			}
		})
	}
}

func fetch(address string) []string {
	return []string{"curl", "--silent", "--show-error", "--max-time", "4", "http://" + address + "/healthz"}
}

const hostPod = `
apiVersion: v1
kind: Pod
metadata: {name: host}
spec:
  hostNetwork: true
  nodeName: node1
  terminationGracePeriodSeconds: 1
  containers: [{name: shell, image: IMAGE, args: [-c, sleep 3600]}]
`

// node runs a command in node1's network.
func (s *stage) node(args ...string) {
	s.t.Helper()
	if out, err := s.tryNode(args...); err != nil {
		s.t.Fatal(out, err)
	}
}

func (s *stage) tryNode(args ...string) (string, error) {
	ctx := context.WithoutCancel(s.t.Context()) // for t.Cleanup, too
	cmd, err := s.Cluster.Command(ctx, args[0], args[1:]...)
	if err != nil {
		return "", err
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// otherMachine is a network of its own on the wire of the nodes; what it
// returns runs a command there.
func (s *stage) otherMachine() func(args ...string) (string, error) {
	s.t.Helper()
	holder := exec.Command("unshare", "--net", "sleep", "900")
	s.must(holder.Start())
	s.t.Cleanup(func() {
		_ = holder.Process.Kill()
		_ = holder.Wait()
	})
	pid := strconv.Itoa(holder.Process.Pid)
	run := func(args ...string) (string, error) {
		cmd := exec.CommandContext(s.t.Context(), "nsenter", append([]string{"--target", pid, "--net", "--"}, args...)...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	name := fmt.Sprintf("other%s", s.Name[len(s.Name)-6:])
	s.Eventually(10*time.Second, "the other machine's link", func() error {
		out, err := s.tryNode("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", pid)
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	s.t.Cleanup(func() { _, _ = s.tryNode("ip", "link", "del", name) })
	s.node("ip", "link", "set", name, "master", "node0", "up")
	for _, line := range []string{"link set lo up", "address add 10.250.0.9/24 dev eth0", "link set eth0 up"} {
		if out, err := run(append([]string{"ip"}, strings.Fields(line)...)...); err != nil {
			s.t.Fatal(line, out, err)
		}
	}
	return run
}
