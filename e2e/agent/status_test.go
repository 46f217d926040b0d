package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/e2e/kube/kubetest"
	binaries "daypass.dev/e2e/stage"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/survey"
	"daypass.dev/setup"
)

// status: an association says when AWS last gave credentials for it, and kubectl
// daypass what came of each pod.
func status(s *stage) {
	role := s.role("seen", s.rights(), setup.Token{
		ProviderARN: s.provider(), Subject: "system:serviceaccount:" + s.Name + ":seen", Audience: audience,
	})
	s.account("seen")
	s.associate("seen", "seen", `roleArn: "`+role+`", disableSessionTags: true`)
	last := func() string {
		return s.Kubectl("get", "podidentityassociation", s.Name+"-seen", "--output=jsonpath={.status.lastOK}")
	}
	if at := last(); at != "" {
		s.t.Errorf("before anybody asked: %s", at)
	}
	begin := time.Now().Add(-time.Second)
	s.cli("seen", "seen", "node1")
	s.is("seen", role)
	s.Eventually(20*time.Second, "an association with lastOK", func() error {
		at, err := time.Parse(time.RFC3339, last())
		if err == nil && at.Before(begin.Truncate(time.Second)) {
			err = fmt.Errorf("%s, before %s", at, begin)
		}
		return err
	})
	s.account("refused", "daypass.dev/role-arn="+role)
	s.pod("refused", "refused", "node2", kubetest.AWSCLI, "aws sts get-caller-identity; sleep 36000")
	s.seen()
	s.looker()
}

// seen: an administrator is told of both pods.
func (s *stage) seen() {
	var all survey.Status
	var refused, seen survey.Workload
	s.Eventually(time.Minute, "a pod that has credentials and one that is refused them", func() error {
		out, said, code := s.plugin("", "status", "--namespace="+s.Name, "--output=json")
		if err := json.Unmarshal([]byte(out), &all); err != nil {
			return fmt.Errorf("%w: %s%s", err, out, said)
		}
		for _, w := range all.Workloads { // and pods of other tests
			switch w.Pod {
			case "refused":
				refused = w
			case "seen":
				seen = w
			}
		}
		if seen.Pod == "" || refused.Reason == "" || code != 3 {
			return fmt.Errorf("%s%s, exit code %d", out, said, code)
		}
		return nil
	})
	if seen.Reason != "" || seen.Method != "web-identity" || seen.Association != s.Name+"-seen" || seen.LastOK == nil || seen.CredentialsExpire == nil {
		s.t.Fatalf("%+v", seen)
	}
	if left := time.Until(*seen.CredentialsExpire); left < 50*time.Minute || left > time.Hour {
		s.t.Errorf("its credentials last %s", left)
	}
	if refused.Reason != "AccessDenied" || refused.LastRefusal == nil || refused.CredentialsExpire != nil {
		s.t.Errorf("%+v", refused)
	}
	for _, a := range all.Agents {
		if !a.Ready || !a.Upstream["web-identity"] || a.Unseen != "" {
			s.t.Errorf("%+v", a)
		}
	}
	if len(all.Agents) != 2 || len(all.Unseen) != 0 {
		s.t.Errorf("%+v", all)
	}
	table, _, _ := s.plugin("", "status", "--namespace="+s.Name)
	for _, want := range []string{"LAST-OK", "AccessDenied", "agent on node1", "AWS answers web-identity"} {
		if !strings.Contains(table, want) {
			s.t.Errorf("%q is not in\n%s", want, table)
		}
	}
}

// looker: who may only look at the namespace is told what was not seen, and no
// false alarm.
func (s *stage) looker() {
	s.Kubectl("create", "serviceaccount", "looker")
	s.Kubectl("create", "rolebinding", "looker", "--clusterrole=view", "--serviceaccount="+s.Name+":looker")
	config, err := clientcmd.LoadFromFile(s.Cluster.Kubeconfig())
	s.must(err)
	for name := range config.AuthInfos {
		config.AuthInfos[name] = &api.AuthInfo{Token: strings.TrimSpace(s.Kubectl("create", "token", "looker"))}
	}
	file := filepath.Join(s.t.TempDir(), "kubeconfig")
	s.must(clientcmd.WriteToFile(*config, file))
	out, said, code := s.plugin(file, "status", "--namespace="+s.Name, "--output=json")
	var all survey.Status
	s.must(json.Unmarshal([]byte(out), &all))
	if unseen := strings.Join(all.Unseen, "\n"); code != 0 || !strings.Contains(unseen, "PodIdentityAssociations: the credentials here may not") || !strings.Contains(unseen, "settings") {
		s.t.Errorf("%s%s, exit code %d", out, said, code)
	}
}

// plugin runs kubectl daypass; without a kubeconfig as the administrator.
func (s *stage) plugin(kubeconfig string, args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	dir := s.t.TempDir()
	s.must(os.Symlink(binaries.Binary(s.t, "daypassctl"), filepath.Join(dir, "kubectl-daypass")))
	cmd, err := s.Cluster.Command(s.t.Context(), "sh", append([]string{"-c", `PATH="$0:$PATH"; exec kubectl daypass "$@"`, dir}, args...)...)
	s.must(err)
	if kubeconfig != "" {
		cmd.Env = append(cmd.Env, "KUBECONFIG="+kubeconfig)
	}
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	exit := (*exec.ExitError)(nil)
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return out.String(), said.String(), cmd.ProcessState.ExitCode()
}

// associations: of their status the agent may write lastOK alone.
func associations(s *stage, release *kubetest.Release) {
	s.associate("mine", "mine", `roleArn: "arn:aws:iam::`+home+`:role/mine"`)
	a := &v1alpha1.PodIdentityAssociation{ObjectMeta: metav1.ObjectMeta{Name: s.Name + "-mine"}}
	now := metav1.Now().Format(time.RFC3339)
	const policy = "changes nothing else"
	by := s.as(release)
	for _, row := range []struct{ what, patch, refused string }{
		{"its method", `{"status":{"method":"eks"}}`, policy},
		{"its reason", `{"status":{"reason":"identity-none"}}`, policy},
		{"what was observed", `{"status":{"observedGeneration":7}}`, policy},
		{"a condition", `{"status":{"conditions":[{"type":"Ready","status":"True","reason":"X","message":"","lastTransitionTime":"` + now + `"}]}}`, policy},
		{"lastOK", `{"status":{"lastOK":"` + now + `"}}`, ""},
		{"lastOK again, and its reason", `{"status":{"lastOK":"` + now + `","reason":"identity-none"}}`, policy},
	} {
		err := by.Status().Patch(s.t.Context(), a.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(row.patch)))
		if row.refused == "" && err != nil || row.refused != "" && (err == nil || !strings.Contains(err.Error(), row.refused)) {
			s.t.Errorf("%s: %v", row.what, err)
		}
	}
	// The API server takes of a write to status the status alone.
	if err := by.Status().Patch(s.t.Context(), a.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"serviceAccount":"*"},"metadata":{"labels":{"a":"b"}}}`))); err != nil {
		s.t.Error(err)
	}
	if out := s.Kubectl("get", "podidentityassociation", a.Name, "--output=jsonpath={.spec.serviceAccount} {.metadata.labels} {.status.reason}"); strings.TrimSpace(out) != "mine" {
		s.t.Errorf("it is %q now", out)
	}
	if err := by.Patch(s.t.Context(), a.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"serviceAccount":"*"}}`))); err == nil {
		s.t.Error("its spec was changed")
	}
}
