package kubetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/kube"
)

// failing is a test that has failed, as far as a namespace can see.
type failing struct {
	testing.TB
	said string
}

func (f *failing) Logf(format string, args ...any) { f.said += fmt.Sprintf(format+"\n", args...) }
func (f *failing) Failed() bool                    { return true }

func TestAFailureLeavesAFolder(t *testing.T) {
	Sandbox(t)
	f := &failing{TB: t}
	n := On(t, Cluster(t))
	n.Apply(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "talks"}, "spec": {"terminationGracePeriodSeconds": 1,
		"containers": [{"name": "shell", "image": "` + kube.BusyboxImage + `", "args": ["-c", "echo last words; sleep 3600"]}]}}`)
	n.Wait("pod/talks", "Ready", time.Minute)
	n.t = f
	n.collect()
	n.t = t
	_, dir, ok := strings.Cut(strings.TrimSpace(f.said), "what happened is in ")
	if !ok {
		t.Fatalf("the test is told %q", f.said)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for file, want := range map[string]string{
		"objects.yaml":              "name: talks",
		"pods.txt":                  "talks",
		"events.txt":                "Scheduled",
		n.Name + ".talks.shell.log": "last words",
		"decisions.json":            "",
		"node1-kube-apiserver.log":  "",
		"node2-kubelet.log":         "",
		"nodes.txt":                 "node2",
	} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Error(err)
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %q", file, want)
		}
	}
}
