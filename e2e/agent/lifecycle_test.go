package agent

import (
	"fmt"
	"strings"
	"time"

	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/setup"
)

// reader asks the agent for its pod's credentials again and again, and counts.
const reader = `
apiVersion: v1
kind: Pod
metadata: {name: reader}
spec:
  serviceAccountName: reads
  nodeName: node1
  terminationGracePeriodSeconds: 1
  containers:
  - name: workload
    image: IMAGE
    args:
    - -c
    - |
      ok=0
      while true; do
        if busybox timeout 2 wget -q -O /dev/null --header "Authorization: $(cat /token/token)" http://169.254.170.23/v1/credentials; then
          ok=$((ok+1)); echo $ok > /count/ok
        else
          echo failed >> /count/failed
        fi
        sleep 0.05
      done
    volumeMounts: [{name: token, mountPath: /token}, {name: count, mountPath: /count}]
  volumes:
  - name: token
    projected: {sources: [{serviceAccountToken: {audience: pods.eks.amazonaws.com, expirationSeconds: 86400, path: token}}]}
  - {name: count, emptyDir: {}}
`

// reads starts the reader, once it has read ten times and its own first moments
// are forgotten.
func (s *stage) reads() {
	s.t.Helper()
	role := s.role("reads", s.rights(), setup.Token{
		ProviderARN: s.provider(), Subject: "system:serviceaccount:" + s.Name + ":reads", Audience: audience,
	})
	s.account("reads", "daypass.dev/role-arn="+role)
	s.Apply(strings.ReplaceAll(reader, "IMAGE", kube.BusyboxImage))
	s.Wait("pod/reader", "Ready", time.Minute)
	s.Eventually(30*time.Second, "a reader that reads", func() error {
		if ok, _ := s.count(); ok < 10 {
			return fmt.Errorf("%d times", ok)
		}
		return nil
	})
	if _, err := s.Exec("reader", "workload", "sh", "-c", ": > /count/failed"); err != nil {
		s.t.Fatal(err)
	}
}

// count is how often the reader has read, and what of it failed. It is asked
// again while the reader writes, when the file is empty.
func (s *stage) count() (ok int, failed string) {
	s.t.Helper()
	s.Eventually(30*time.Second, "the reader's count", func() error {
		out, err := s.Exec("reader", "workload", "sh", "-c", "cat /count/ok; cat /count/failed 2>/dev/null || true")
		if err != nil {
			return err
		}
		if _, err := fmt.Sscan(out, &ok); err != nil {
			return err
		}
		failed = strings.TrimPrefix(strings.TrimSpace(out), fmt.Sprint(ok))
		return nil
	})
	return ok, failed
}

// exchanged has the agents exchanged for others while the reader reads, which
// must not fail, and returns how often it read meanwhile.
func (s *stage) exchanged(release *kubetest.Release) int {
	s.t.Helper()
	before, _ := s.count()
	release.Kubectl("rollout", "restart", "daemonset/daypass-node")
	release.Kubectl("rollout", "status", "daemonset/daypass-node", "--timeout=4m")
	between, _ := s.count()
	s.Eventually(30*time.Second, "reads from the new agent", func() error {
		if ok, _ := s.count(); ok < between+10 {
			return fmt.Errorf("%d of %d", ok-between, 10)
		}
		return nil
	})
	after, failed := s.count()
	s.t.Logf("%d reads while the agents were exchanged, %d after", between-before, after-between)
	if failed != "" {
		s.t.Errorf("of %d reads failed: %q", after-before, failed)
	}
	return between - before
}

// upgrade exchanges the agents while a pod reads without end.
func upgrade(s *stage, release *kubetest.Release) {
	s.reads()
	if n := s.exchanged(release); n < 10 {
		s.t.Errorf("%d reads while the agents were exchanged: that shows nothing", n)
	}
}

// uninstall takes the addresses and the filter from the nodes; pods start as
// before.
func uninstall(s *stage, release *kubetest.Release) {
	has := func() string {
		out, err := s.tryNode("ip", "-brief", "address")
		s.must(err)
		return out
	}
	if out := has(); !strings.Contains(out, "169.254.170.23/32") {
		s.t.Fatalf("node1 has %s", out)
	}
	if out, err := release.Helm("uninstall", "daypass", "--wait", "--timeout=2m"); err != nil {
		s.t.Fatal(out, err)
	}
	s.Eventually(time.Minute, "node1 without the address", func() error {
		if out := has(); strings.Contains(out, "169.254.170.23") || strings.Contains(out, "daypass0") {
			return fmt.Errorf("it has %s", out)
		}
		return nil
	})
	s.Apply(strings.NewReplacer("name: host", "name: later", "hostNetwork: true", "hostNetwork: false", "IMAGE", kube.BusyboxImage).Replace(hostPod))
	s.Wait("pod/later", "Ready", time.Minute)
}
