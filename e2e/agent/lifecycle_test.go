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

// upgrade exchanges the agents while a pod reads without end.
func upgrade(s *stage, release *kubetest.Release) {
	role := s.role("reads", s.rights(), setup.Token{
		ProviderARN: s.provider(), Subject: "system:serviceaccount:" + s.Name + ":reads", Audience: audience,
	})
	s.account("reads", "daypass.dev/role-arn="+role)
	s.Apply(strings.ReplaceAll(reader, "IMAGE", kube.BusyboxImage))
	s.Wait("pod/reader", "Ready", time.Minute)
	count := func() (ok int, failed string) {
		out, err := s.Exec("reader", "workload", "sh", "-c", "cat /count/ok; cat /count/failed 2>/dev/null || true")
		if err == nil {
			_, _ = fmt.Sscan(out, &ok)
		}
		return ok, strings.TrimPrefix(strings.TrimSpace(out), fmt.Sprint(ok))
	}
	s.Eventually(30*time.Second, "a reader that reads", func() error {
		if ok, _ := count(); ok < 10 {
			return fmt.Errorf("%d times", ok)
		}
		return nil
	})
	if _, err := s.Exec("reader", "workload", "sh", "-c", ": > /count/failed"); err != nil { // the pod's own first moments
		s.t.Fatal(err)
	}
	before, _ := count()
	release.Kubectl("rollout", "restart", "daemonset/daypass-node")
	release.Kubectl("rollout", "status", "daemonset/daypass-node", "--timeout=4m")
	after, failed := count()
	s.t.Logf("%d reads while the agents were exchanged", after-before)
	if failed != "" || after-before < 10 {
		s.t.Errorf("%d reads, failures: %q", after-before, failed)
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
