package injection

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/kube/kubetest"
)

// reader is a program that writes and reads an object, and perhaps goes on.
func reader(n *kubetest.Namespace, head, every string) string {
	return head + `
  serviceAccountName: web
  restartPolicy: Never
  terminationGracePeriodSeconds: 1
  containers:
  - {name: reader, image: "` + kubetest.GoSDK + `", env: [{name: BUCKET, value: ` + n.Name + `}, {name: EVERY, value: "` + every + `"}]}
`
}

// cronJobs: what pods are given does not keep them from ending.
func cronJobs(t *testing.T, _ *kubetest.Release, n *kubetest.Namespace) {
	sandbox := kubetest.Sandbox(t)
	kubetest.Provide(t, sandbox, kubetest.GoSDK)
	n.Apply("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web, annotations: {daypass.dev/role-arn: '" + sandbox.Role(t, n, "web") + "'}}\n")
	pod := strings.ReplaceAll(reader(n, "spec:", ""), "\n", "\n         ")
	n.Apply("apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: often}\nspec:\n  schedule: '* * * * *'\n  jobTemplate:\n    spec:\n      template:\n" +
		"        metadata: {labels: {app: often, " + labelled + "}}\n        " + pod + "\n")
	// Named, as a Job's is not until it is made.
	n.Kubectl("create", "job", "now", "--from=cronjob/often")
	n.Wait("job/now", "Complete", 2*time.Minute)
	n.Eventually(3*time.Minute, "the next minute's Job", func() error {
		if out, err := n.Try("get", "jobs", "--output=name"); err != nil || !strings.Contains(out, "often-") {
			return fmt.Errorf("the Jobs are %q: %v", out, err)
		}
		_, err := n.Try("wait", "--for=condition=Complete", "--timeout=10s", "job", "--all")
		return err
	})
	if out := n.Kubectl("get", "pods", "--selector=app=often", `--output=jsonpath={range .items[*]}{.status.phase} {.metadata.annotations.daypass\.dev/injected}{"\n"}{end}`); strings.Count(out, "Succeeded cluster-token\n") < 2 {
		t.Errorf("the pods are\n%s", out)
	}
	for _, name := range strings.Fields(n.Kubectl("get", "pods", "--selector=app=often", "--output=name")) {
		if out := n.Kubectl("logs", name); !strings.Contains(out, ":assumed-role/"+n.Name+"/"+strings.TrimPrefix(name, "pod/")) {
			t.Errorf("%s prints %q", name, out)
		}
	}
}
