package sidecar

import (
	_ "embed"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/kube/kubetest"
)

//go:embed testdata/workload.yaml
var workload string

// TestSDKs runs programs with AWS's SDKs to their end; they write, read and
// list objects in virtual-host style.
func TestSDKs(t *testing.T) {
	for image, object := range map[string]string{
		kubetest.GoSDK:      "from-go.txt",
		kubetest.JavaScript: "from-javascript.txt",
	} {
		t.Run(object, func(t *testing.T) {
			sandbox := kubetest.Sandbox(t)
			n := kubetest.New(t)
			kubetest.Provide(t, sandbox, kubetest.Daypass)
			kubetest.Provide(t, sandbox, image)
			a := newAccount(t, sandbox, n.Name)
			n.Apply(a.secret())
			n.Apply(strings.ReplaceAll(a.fill(workload), "IMAGE", image))
			n.Kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "--timeout="+(2*time.Minute).String(), "pod/workload")
			if out := n.Kubectl("logs", "workload", "--container=workload"); !strings.Contains(out, "object "+object+"\n") {
				t.Errorf("the workload prints %q", out)
			}
			virtual(t, sandbox, a.bucket, "/"+object)
		})
	}
}
