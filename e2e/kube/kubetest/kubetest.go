// Package kubetest gives each test a namespace of its own on the one cluster of
// a run, and says what went on there when the test fails.
//
// Tests with a cluster run when DAYPASS_CLUSTER=1, and are skipped otherwise; a
// name in the place of 1 means a cluster of that name, beside others. The first
// of a run starts the cluster if it does not run; it stays up:
//
//	go run ./e2e/kube/cmd/cluster down
package kubetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass.dev/e2e/build"
	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/peers"
)

// Need skips the test unless the run has asked for a cluster and may have one:
// as root on Linux.
func Need(t testing.TB) {
	t.Helper()
	if clusterName() == "" {
		t.Skip("skipped without a cluster: DAYPASS_CLUSTER=1 starts one (as root on Linux; the first time takes minutes)")
	}
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		peers.Need(t, "cluster", fmt.Errorf("it needs root on Linux: %w", peers.ErrAbsent))
	}
}

// clusterName is that of the cluster that the run has asked for; empty without one.
func clusterName() string {
	if n := os.Getenv("DAYPASS_CLUSTER"); n != "1" {
		return n
	}
	return "tests"
}

// shared is the cluster of this run; every test binary finds the same one.
var shared = sync.OnceValues(func() (*kube.Cluster, error) { return Start(context.Background(), clusterName()) })

// Starter is the program that starts and ends clusters: a cluster's nodes go on
// to run it.
func Starter(ctx context.Context) (string, error) {
	return build.Ours(ctx, "", "daypass.dev/e2e/kube/cmd/cluster")
}

// Start starts the cluster of this name, of two nodes, unless it runs.
func Start(ctx context.Context, name string) (*kube.Cluster, error) {
	starter, err := Starter(ctx)
	if err != nil {
		return nil, err
	}
	up := exec.CommandContext(ctx, starter, "up", "--name", name)
	up.Stdout, up.Stderr = os.Stderr, os.Stderr
	if err := up.Run(); err != nil {
		return nil, fmt.Errorf("starting the cluster: %w", err)
	}
	c, err := kube.Find(name)
	if err != nil {
		return nil, err
	}
	c.Nodes = 2
	return c, nil
}

// Cluster returns the run's cluster of two nodes, which it starts if need be.
func Cluster(t testing.TB) *kube.Cluster {
	t.Helper()
	Need(t)
	c, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A Namespace belongs to one test and goes with it.
type Namespace struct {
	Name    string
	Cluster *kube.Cluster
	t       testing.TB
}

var plain = regexp.MustCompile(`[^a-z0-9]+`)

// New makes a namespace on the run's cluster. If the test fails, what can be
// known about the namespace goes into a folder, whose path the test logs.
func New(t testing.TB) *Namespace {
	t.Helper()
	return On(t, Cluster(t))
}

// On is New on a cluster of the test's own.
func On(t testing.TB, c *kube.Cluster) *Namespace {
	t.Helper()
	var random [3]byte
	if _, err := rand.Read(random[:]); err != nil {
		t.Fatal(err)
	}
	name := strings.Trim(plain.ReplaceAllString(strings.ToLower(t.Name()), "-"), "-")
	n := &Namespace{Cluster: c, t: t, Name: fmt.Sprintf("%.40s-%s", name, hex.EncodeToString(random[:]))}
	n.Kubectl("create", "namespace", n.Name)
	t.Cleanup(func() {
		if t.Failed() {
			n.collect()
		}
		// Not waited for: the next test has a namespace of its own.
		if _, err := n.Try("delete", "namespace", n.Name, "--wait=false"); err != nil {
			t.Log(err)
		}
	})
	// Pods are refused until the namespace has its default ServiceAccount.
	n.Eventually(20*time.Second, "the namespace's ServiceAccount", func() error {
		_, err := n.Try("get", "serviceaccount", "default")
		return err
	})
	return n
}

// Try runs kubectl in the namespace, for at most five minutes. It works in
// t.Cleanup, too, where the test's own context is over.
func (n *Namespace) Try(args ...string) (string, error) {
	return n.kubectl("", args...)
}

func (n *Namespace) kubectl(input string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	return n.Cluster.Kubectl(ctx, strings.NewReader(input), append([]string{"--namespace=" + n.Name}, args...)...)
}

// Kubectl runs kubectl in the namespace and ends the test if it fails.
func (n *Namespace) Kubectl(args ...string) string {
	n.t.Helper()
	out, err := n.Try(args...)
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

// Apply applies a manifest, any number of YAML documents.
func (n *Namespace) Apply(manifest string) {
	n.t.Helper()
	if err := n.TryApply(manifest); err != nil {
		n.t.Fatal(err)
	}
}

// TryApply is Apply for a manifest that may be refused.
func (n *Namespace) TryApply(manifest string) error {
	_, err := n.kubectl(manifest, "apply", "--server-side", "--filename=-")
	return err
}

// Wait waits until an object (pod/web, deployment/web) has a condition.
func (n *Namespace) Wait(object, condition string, limit time.Duration) {
	n.t.Helper()
	n.Kubectl("wait", "--for=condition="+condition, "--timeout="+limit.String(), object)
}

// Exec runs a command in a pod's container and returns its output.
func (n *Namespace) Exec(pod, container string, command ...string) (string, error) {
	return n.Try(append([]string{"exec", pod, "--container=" + container, "--"}, command...)...)
}

// Eventually repeats check until it returns nil, and ends the test with its
// last error when the time is over.
func (n *Namespace) Eventually(limit time.Duration, what string, check func() error) {
	n.t.Helper()
	var err error
	pause := 100 * time.Millisecond // a check is mostly a kubectl, which costs as much CPU time
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(pause) {
		if err = check(); err == nil {
			return
		}
		pause = min(pause*3/2, time.Second)
	}
	n.t.Fatalf("%s: not within %s: %v", what, limit, err)
}
