//go:build soak

package secrets

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/kubetest"
)

const driverPods = "--selector=app=csi-secrets-store"

// TestKilled has the provider killed again and again while 50 pods mount ten
// secrets each, and the driver restarted: all end mounted, and no folder is ever
// seen with some of the files.
func TestKilled(t *testing.T) {
	const pods, objects = 50, 10
	s := newStage(t)
	kubetest.Chart(t, values)
	lines := []string{"objects: |"}
	for i := range objects {
		lines = append(lines, fmt.Sprintf("  - {objectName: %q, objectType: secretsmanager, objectAlias: value%d}", s.secret(fmt.Sprintf("s%d", i), fmt.Sprintf("value %d", i)), i))
	}
	s.account("many", "eks.amazonaws.com/role-arn", s.role("many", "many", "", s.reads()))
	s.class("many", lines...)
	for i := range pods {
		s.mounts(fmt.Sprintf("many-%d", i), "many", "many")
		switch i % 10 {
		case 3, 7:
			s.Kubectl("--namespace="+kubetest.ChartNamespace, "delete", "pods", "--selector=app.kubernetes.io/component=node", "--force", "--grace-period=0")
		case 9:
			s.Kubectl("--namespace=kube-system", "delete", "pods", driverPods, "--force", "--grace-period=0")
		}
	}
	late := 0
	for i := range pods {
		pod := fmt.Sprintf("many-%d", i)
		s.Wait("pod/"+pod, "Ready", 10*time.Minute)
		if !s.whole(pod, objects) {
			late++
			s.Eventually(2*time.Minute, "the files of "+pod, func() error {
				if !s.whole(pod, objects) {
					return fmt.Errorf("there are none")
				}
				return nil
			})
		}
	}
	t.Logf("%d pods have their files; %d were started without, by a driver that died in their mount", pods, late)
}

// whole says whether a pod has all files with their values, or none; some are an
// error.
func (s *stage) whole(pod string, objects int) bool {
	s.t.Helper()
	out, err := s.Exec(pod, "shell", "sh", "-c", "cd /mnt/secret && for f in value*; do [ -e $f ] && echo $f=$(cat $f); done; true")
	s.must(err)
	n := 0
	for line := range strings.Lines(out) {
		file, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if "value "+strings.TrimPrefix(file, "value") != value {
			s.t.Errorf("%s: %s is %q", pod, file, value)
		}
		n++
	}
	if n != 0 && n != objects {
		s.t.Errorf("%s has %d files of %d", pod, n, objects)
	}
	return n == objects
}

// TestTheDriverDiesInAMount has the driver killed while the provider is at a
// pod's files. The next driver takes the folder that it finds for one that was
// filled a moment ago, whatever the provider does: the container may start
// without files (docs/secrets.md says so). They are there after the interval.
func TestTheDriverDiesInAMount(t *testing.T) {
	s := newStage(t)
	r := kubetest.Chart(t, values)
	name := s.secret("s", "value 0")
	s.account("one", "eks.amazonaws.com/role-arn", s.role("one", "one", "", s.reads()))
	s.class("one", "objects: |", fmt.Sprintf("  - {objectName: %q, objectType: secretsmanager, objectAlias: value0}", name))
	var providers []int
	for _, container := range strings.Fields(r.Kubectl("get", "pods", "--selector=app.kubernetes.io/component=node", "--output=jsonpath={.items[*].status.containerStatuses[0].containerID}")) {
		pid, err := kube.Process(container)
		s.must(err)
		providers = append(providers, pid)
	}
	signal := func(what syscall.Signal) {
		for _, pid := range providers {
			if err := syscall.Kill(pid, what); err != nil {
				t.Log(err) // by its liveness probe it may have been ended
			}
		}
	}
	signal(syscall.SIGSTOP)
	resume := true
	defer func() {
		if resume {
			signal(syscall.SIGCONT)
		}
	}()
	s.mounts("one", "one", "one")
	s.Eventually(time.Minute, "the driver being at it", func() error {
		if out := s.Kubectl("--namespace=kube-system", "logs", driverPods, "--container=secrets-store", "--tail=50"); !strings.Contains(out, `pod="one"`) {
			return fmt.Errorf("it tells nothing of the pod")
		}
		return nil
	})
	s.Kubectl("--namespace=kube-system", "delete", "pods", driverPods, "--force", "--grace-period=0")
	_, err := s.Try("wait", "--for=condition=Ready", "pod/one", "--timeout=25s")
	t.Logf("a container started while the provider did not answer: %v", err == nil)
	signal(syscall.SIGCONT)
	resume = false
	s.Wait("pod/one", "Ready", 5*time.Minute)
	s.Eventually(time.Minute, "the files", func() error {
		if !s.whole("one", 1) {
			return fmt.Errorf("there are none")
		}
		return nil
	})
}
