//go:build soak

package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"daypass.dev/e2e/build"
	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/setup"
)

// What calls: so many pods, each of a ServiceAccount and role of its own, with so
// many callers each.
const (
	crowds  = 10
	callers = 50
)

// crowdPod is a pod with the crowd's program, which lies in a folder that nodes
// see.
const crowdPod = `
apiVersion: v1
kind: Pod
metadata: {name: NAME, labels: {app: crowd}}
spec:
  serviceAccountName: NAME
  nodeName: node1
  terminationGracePeriodSeconds: 1
  containers:
  - name: crowd
    image: IMAGE
    command: [/crowd, "CALLERS", "1s", "http://169.254.170.23/v1/credentials", /token/token]
    volumeMounts: [{name: token, mountPath: /token}, {name: program, mountPath: /crowd}]
  volumes:
  - name: token
    projected: {sources: [{serviceAccountToken: {audience: pods.eks.amazonaws.com, expirationSeconds: 86400, path: token}}]}
  - {name: program, hostPath: {path: PROGRAM, type: File}}
`

// TestTheAgentIsKilled has 500 callers of ten identities ask the agent of their
// node, once a second each, while it is killed: all of them are served again as
// soon as it is there again, none is told anything but that nobody answers, or
// where nothing is kept that AWS has not answered yet, and AWS is asked at most
// once for each identity, or not at all where credentials are kept.
func TestTheAgentIsKilled(t *testing.T) {
	release := kubetest.Chart(t, values)
	for _, row := range []struct {
		name, values string
		most         int // calls of AWS after the kill
	}{
		{"keeping", values, 0},
		{"keeping nothing", strings.Replace(values, "node: {enabled: true,", "node: {enabled: true, keep: false,", 1), crowds},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, release := newStage(t), release.For(t)
			release.Upgrade(row.values)
			release.Kubectl("rollout", "status", "daemonset/daypass-node", "--timeout=3m")
			s.gather()
			s.killed(release, row.most)
		})
	}
}

// gather starts the crowds, once all are served.
func (s *stage) gather() {
	s.t.Helper()
	program, err := build.Ours(s.t.Context(), "", "daypass.dev/e2e/agent/crowd")
	s.must(err)
	provider := s.provider()
	var all strings.Builder
	for i := range crowds {
		name := fmt.Sprint("crowd-", i)
		s.account(name, "daypass.dev/role-arn="+s.role(name, s.rights(), setup.Token{
			ProviderARN: provider, Subject: "system:serviceaccount:" + s.Name + ":" + name, Audience: audience,
		}))
		all.WriteString("---" + strings.NewReplacer("NAME", name, "IMAGE", kube.BusyboxImage, "CALLERS", fmt.Sprint(callers), "PROGRAM", program).Replace(crowdPod))
	}
	s.Apply(all.String())
	s.Kubectl("wait", "--for=condition=Ready", "pods", "--selector=app=crowd", "--timeout=2m")
}

// met is what the callers of one pod met.
type met struct {
	OK             int
	Failed         map[string]int
	Without, Never int
	Longest        float64
	Keys           int
}

// all is what all callers met since they began. It is an error that somebody is
// not served now, or that a pod says nothing.
func (s *stage) all() (sum met, err error) {
	sum.Failed = map[string]int{}
	for i := range crowds {
		out, err := s.Try("logs", fmt.Sprint("crowd-", i), "--tail=1")
		if err != nil {
			return sum, err
		}
		var one met
		if err := json.Unmarshal([]byte(out), &one); err != nil {
			return sum, fmt.Errorf("%w: %q", err, out)
		}
		for kind, n := range one.Failed {
			sum.Failed[kind] += n
		}
		sum.OK, sum.Without, sum.Never, sum.Keys = sum.OK+one.OK, sum.Without+one.Without, sum.Never+one.Never, sum.Keys+one.Keys
		sum.Longest = max(sum.Longest, one.Longest)
	}
	if sum.Without+sum.Never > 0 {
		return sum, fmt.Errorf("not served: %+v", sum)
	}
	return sum, nil
}

// served waits until all callers are, n times more than they were.
func (s *stage) served(before met, n int) (now met) {
	s.t.Helper()
	s.Eventually(2*time.Minute, "callers that are all served", func() (err error) {
		if now, err = s.all(); err == nil && now.OK < before.OK+n {
			err = fmt.Errorf("%d answers", now.OK-before.OK)
		}
		return err
	})
	return now
}

// killed kills the agent of node1 while all call it, and counts.
func (s *stage) killed(release *kubetest.Release, most int) {
	before := s.served(met{}, 3*crowds*callers)
	asked := s.asked()
	pod := release.Kubectl("get", "pods", "--selector=app.kubernetes.io/component=node", "--field-selector=spec.nodeName=node1", "--output=jsonpath={.items[0].metadata.name}")
	const restarts = "--output=jsonpath={.status.containerStatuses[0].restartCount}"
	if n := release.Kubectl("get", "pod", pod, restarts); n != "0" {
		s.t.Fatalf("the agent has started anew %s times before", n)
	}
	process, err := kube.Process(release.Kubectl("get", "pod", pod, "--output=jsonpath={.status.containerStatuses[0].containerID}"))
	s.must(err)
	s.must(syscall.Kill(process, syscall.SIGKILL))
	began := time.Now()
	release.Eventually(time.Minute, "a new process of the agent", func() error {
		if n := release.Kubectl("get", "pod", pod, restarts); n != "1" {
			return errors.New(n)
		}
		return nil
	})
	release.Wait("pod/"+pod, "Ready", time.Minute)
	restart := time.Since(began)
	after := s.served(before, 3*crowds*callers)
	calls := s.asked() - asked
	s.t.Logf("ready again after %s; meanwhile %d answers, failures since the pods began %v, the longest %.1f s without an answer, %.1f s before; %d calls of AWS, %d access keys",
		restart.Round(time.Millisecond), after.OK-before.OK, after.Failed, after.Longest, before.Longest, calls, after.Keys)
	if calls > most {
		s.t.Errorf("AWS was asked %d times, more than %d", calls, most)
	}
	failed := 0
	for kind, n := range after.Failed {
		switch kind {
		case "refused", "reset", "ended":
			failed += n - before.Failed[kind]
		case "status 503: AWS has not answered yet: try again":
			if most == 0 && n > before.Failed[kind] {
				s.t.Errorf("%d callers waited for AWS, although their credentials are kept", n-before.Failed[kind])
			}
		default:
			if n > before.Failed[kind] {
				s.t.Errorf("%d callers were told %q", n-before.Failed[kind], kind)
			}
		}
	}
	if failed == 0 {
		s.t.Error("no caller saw that the agent was gone: that shows nothing")
	}
	// A caller asks every second; what it adds to the restart is its own pause.
	if longest := time.Duration(after.Longest * float64(time.Second)); after.Longest > before.Longest && longest > restart+5*time.Second {
		s.t.Errorf("a caller was without an answer for %s", longest)
	}
}

// asked is how often AWS was asked for credentials of the crowds' roles.
func (s *stage) asked() (n int) {
	s.t.Helper()
	all, err := s.sandbox.Decisions(s.t.Context())
	s.must(err)
	for _, d := range all {
		if d.Operation == "AssumeRoleWithWebIdentity" && strings.Contains(d.Caller, "system:serviceaccount:"+s.Name+":crowd-") {
			n++
		}
	}
	if n == 0 {
		s.t.Error("AWS was never asked")
	}
	return n
}
