package kube_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/build"
	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/kubetest"
)

// own is a cluster of the test's own, and the program that starts it.
func own(t *testing.T) (*kube.Cluster, string) {
	t.Helper()
	kubetest.Need(t)
	starter, err := build.Ours(t.Context(), "", "daypass.dev/e2e/kube/cmd/cluster")
	if err != nil {
		t.Fatal(err)
	}
	c, err := kube.Find("lifecycle")
	if err != nil {
		t.Fatal(err)
	}
	c.Nodes = 2
	run(t, starter, "build") // what it installs stays, on purpose
	run(t, starter, "down")
	t.Cleanup(func() { run(t, starter, "down") })
	return c, starter
}

func run(t *testing.T, starter, verb string) string {
	t.Helper()
	var out, said bytes.Buffer
	cmd := exec.Command(starter, verb, "--name=lifecycle")
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v:\n%s", verb, err, said.String())
	}
	return out.String()
}

const onEachNode = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: everywhere}
spec:
  selector: {matchLabels: {app: everywhere}}
  template:
    metadata: {labels: {app: everywhere}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: shell, image: "` + kube.BusyboxImage + `", args: ["-c", "sleep 3600"], volumeMounts: [{name: scratch, mountPath: /scratch}]}]
      volumes: [{name: scratch, emptyDir: {medium: Memory}}]
`

// TestTwoNodes starts a cluster of its own, because it cuts its cable, and
// looks at the machine before, meanwhile and after.
func TestTwoNodes(t *testing.T) {
	c, starter := own(t)
	before := take(t, c)
	if text := run(t, starter, "up"); !strings.Contains(text, c.Kubeconfig()) || !strings.Contains(text, "nsenter") {
		t.Errorf("up prints %q, not a kubeconfig and a line that enters", text)
	}
	during := take(t, c)
	for _, kind := range []string{"processes", "groups", "state"} {
		if len(during[kind]) <= len(before[kind]) {
			t.Errorf("a running cluster adds nothing to %s: the comparison is blind", kind)
		}
	}

	for kind := range before {
		if kind != "processes" && kind != "groups" && kind != "state" {
			(snapshot{kind: before[kind]}).same(t, snapshot{kind: during[kind]})
		}
	}
	t.Run("use", func(t *testing.T) { use(t, c) })
	if err := c.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	before.same(t, take(t, c))
}

// use has a pod on each node and cuts the second one off for a while.
func use(t *testing.T, c *kube.Cluster) {
	n := kubetest.On(t, c)
	n.Apply(onEachNode)
	n.Kubectl("rollout", "status", "daemonset/everywhere", "--timeout=60s")
	nodes := strings.Fields(n.Kubectl("get", "pods", "--output=jsonpath={.items[*].spec.nodeName}"))
	if len(nodes) != 2 || nodes[0] == nodes[1] {
		t.Errorf("pods are on %v", nodes)
	}

	if err := c.Cut(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	n.Eventually(time.Minute, "node2 NotReady", ready(n, "node2", "Unknown"))
	t.Logf("node2 NotReady %.1f s after the cut", time.Since(begin).Seconds())
	if err := ready(n, "node1", "True")(); err != nil {
		t.Error(err)
	}
	if err := c.Heal(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin = time.Now()
	n.Eventually(time.Minute, "node2 Ready", ready(n, "node2", "True"))
	t.Logf("node2 Ready %.1f s after the link was healed", time.Since(begin).Seconds())
}

// ready checks a node's condition Ready.
func ready(n *kubetest.Namespace, node, want string) func() error {
	return func() error {
		got, err := n.Try("get", "node", node, `--output=jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
		if err == nil && got != want {
			err = fmt.Errorf("condition Ready of %s is %s", node, got)
		}
		return err
	}
}

// killed starts the starter, kills it after a while and lets the next one
// clean up and start again.
func killed(t *testing.T, starter string, after time.Duration) {
	t.Helper()
	cmd := exec.Command(starter, "up", "--name=lifecycle")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(after)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatalf("the starter was done before it was killed after %s", after)
	}
	run(t, starter, "up")
}

func TestAKilledStarterHindersNobody(t *testing.T) {
	c, starter := own(t)
	before := take(t, c)
	killed(t, starter, 1500*time.Millisecond)
	run(t, starter, "down")
	before.same(t, take(t, c))
}
