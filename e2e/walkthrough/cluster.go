package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"daypass.dev/e2e/build"
	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/addons"
	"daypass.dev/e2e/kube/kubetest"
	"daypass.dev/e2e/peers"
	"daypass.dev/internal/walk"
)

// wantsCluster reports whether a page's commands talk to Kubernetes.
func wantsCluster(text string) bool { return strings.Contains(text, "$ kubectl ") }

// brings is how a page names the software of others that its cluster has from
// the start, because where the page is executed it does not come from the
// network: <!-- cluster: cert-manager approver-policy -->.
var brings = regexp.MustCompile(`(?m)^<!-- cluster: ([a-z -]+) -->$`)

// A stage is a cluster that was started for one page.
type stage struct {
	name    string
	cluster *kube.Cluster
	aws     *kubetest.AWS
	runner  *walk.Runner
}

// clusterName is of the page, so that pages can be walked beside each other.
func clusterName(page string) string {
	return "walkthrough-" + strings.TrimSuffix(filepath.Base(page), ".md")
}

// setStage starts a cluster anew, with the local AWS behind AWS's host names
// and the images that the page names or installs, and makes the runner's shell one that is
// on the cluster's network and DNS: kubectl and helm are its administrator's,
// and AWS's clients are the administrator's of the local AWS. gcloud is a
// stand-in. The page finds charts/ of this checkout in its folder.
func setStage(ctx context.Context, page, text string, runner *walk.Runner) (*stage, error) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return nil, fmt.Errorf("a cluster needs root on Linux: %w", peers.ErrAbsent)
	}
	s := &stage{name: clusterName(page), runner: runner}
	if err := s.down(ctx); err != nil {
		return nil, err
	}
	var err error
	if s.cluster, err = kubetest.Start(ctx, s.name); err != nil {
		return nil, err
	}
	s.cluster.Log = os.Stderr
	if s.aws, err = kubetest.StartSandbox(ctx, s.cluster); err != nil {
		return s, err
	}
	for _, image := range kubetest.Images() {
		installed := strings.Contains(text, "charts/daypass") && (image == kubetest.Daypass || image == kubetest.DaypassKube)
		if installed || strings.Contains(text, image) {
			fmt.Fprintln(os.Stderr, "walkthrough: bringing", image)
			if err := s.aws.Bring(ctx, image); err != nil {
				return s, err
			}
		}
	}
	for _, m := range brings.FindAllStringSubmatch(text, -1) {
		for _, name := range strings.Fields(m[1]) {
			if err := addons.Install(ctx, s.cluster, name); err != nil {
				return s, err
			}
		}
	}
	return s, s.enter(ctx, text)
}

// enter points the page's shell at the cluster.
func (s *stage) enter(ctx context.Context, text string) error {
	within, err := s.cluster.Within(ctx)
	if err != nil {
		return err
	}
	ca := filepath.Join(s.runner.Dir, "aws-ca.pem")
	if err := os.WriteFile(ca, s.aws.CA, 0o600); err != nil {
		return err
	}
	kubectl, err := s.cluster.Command(ctx, "kubectl")
	if err != nil {
		return err
	}
	path := ""
	for _, v := range kubectl.Env { // the last of a name counts
		if name, value, _ := strings.Cut(v, "="); name == "PATH" {
			path = filepath.SplitList(value)[0]
		}
	}
	if strings.Contains(text, "helm ") {
		helm, err := addons.Helm(ctx, s.cluster)
		if err != nil {
			return err
		}
		path += ":" + filepath.Dir(helm)
	}
	if strings.Contains(text, "gcloud ") {
		standIn, err := build.Ours(ctx, s.cluster.Source, "./e2e/walkthrough/gcloud")
		if err != nil {
			return err
		}
		path += ":" + filepath.Dir(standIn)
	}
	if err := os.Symlink(filepath.Join(s.cluster.Source, "charts"), filepath.Join(s.runner.Dir, "charts")); err != nil {
		return err
	}
	if err := toPath(s.runner, path); err != nil {
		return err
	}
	s.runner.Within, s.runner.Timeout = within, 5*time.Minute
	s.runner.Env = append(s.runner.Env, "KUBECONFIG="+s.cluster.Kubeconfig())
	s.runner.Env = append(s.runner.Env, s.aws.Environment(ca)...)
	return nil
}

// witness prints what the cluster and the local AWS have to say of a page that
// does not hold.
func (s *stage) witness(ctx context.Context) {
	for _, args := range [][]string{
		{"get", "pods", "--all-namespaces", "--output=wide"},
		{"get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"},
		{"--namespace=" + kubetest.SandboxNamespace, "logs", "deployment/sandbox", "--tail=30"},
	} {
		out, err := s.cluster.Kubectl(ctx, nil, args...)
		fmt.Fprintf(os.Stderr, "walkthrough: kubectl %s\n%s", strings.Join(args, " "), out)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

// down ends the stage's cluster, if there is one.
func (s *stage) down(ctx context.Context) error {
	starter, err := kubetest.Starter(ctx)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, starter, "down", "--name", s.name)
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("ending cluster %s: %s", s.name, out), err)
	}
	return nil
}
