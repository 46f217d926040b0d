//go:build soak

package kube_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/kubetest"
)

// TestTenStartsAndStops also kills the starter at a different moment of its
// work in every other cycle.
func TestTenStartsAndStops(t *testing.T) {
	c, starter := own(t)
	before := take(t, c)
	for cycle := range 10 {
		begin := time.Now()
		if cycle%2 == 1 {
			killed(t, starter, time.Duration(cycle)*800*time.Millisecond)
		} else {
			run(t, starter, "up")
		}
		up := time.Since(begin)
		begin = time.Now()
		run(t, starter, "down")
		t.Logf("cycle %d: up %.1f s, down %.1f s", cycle+1, up.Seconds(), time.Since(begin).Seconds())
		before.same(t, take(t, c))
		if t.Failed() {
			return
		}
	}
}

// TestOtherVersions starts each version of Kubernetes but the first and runs
// pods on both nodes.
func TestOtherVersions(t *testing.T) {
	c, starter := own(t)
	for _, v := range kube.Versions[1:] {
		t.Run(v, func(t *testing.T) {
			up := exec.Command(starter, "up", "--name=lifecycle", "--kubernetes="+v)
			up.Stdout, up.Stderr = os.Stderr, os.Stderr
			if err := up.Run(); err != nil {
				t.Fatal(err)
			}
			n := kubetest.On(t, c)
			n.Apply(onEachNode)
			n.Kubectl("rollout", "status", "daemonset/everywhere", "--timeout=60s")
			said := n.Kubectl("version", "--output=json")
			if want := fmt.Sprintf(`"gitVersion": "v%s"`, v); strings.Count(said, want) != 2 {
				t.Errorf("client and server say %s", said)
			}
			n.Kubectl("get", "podcertificaterequests") // is served
		})
	}
}
