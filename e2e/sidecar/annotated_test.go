package sidecar

import (
	_ "embed"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/kube/kubetest"
)

//go:embed testdata/annotated.yaml
var annotated string

// TestOneAnnotation has a pod beside the installed chart whose author wrote
// nothing but an annotation on its ServiceAccount.
func TestOneAnnotation(t *testing.T) {
	sandbox := kubetest.Sandbox(t)
	kubetest.Provide(t, sandbox, kubetest.AWSCLI)
	n := kubetest.New(t)
	a := newAccount(t, sandbox, n.Name)
	kubetest.Chart(t, a.fill(`
cluster: {name: e2e, method: roles-anywhere, region: us-east-1, trustAnchorARN: TRUST-ANCHOR, profileARN: PROFILE-ARN}
webhook: {certificates: {secret: "{serviceAccount}-certificate"}}
`))
	n.Apply(a.secret())
	n.Apply(a.fill(annotated))
	n.Wait("pod/acmpca-csi-test", "Ready", 2*time.Minute)
	if who := cli(t, n, "sts", "get-caller-identity", "--query", "Arn", "--output", "text"); !strings.Contains(who, ":assumed-role/"+roleName) {
		t.Errorf("the caller is %q", who)
	}
	cli(t, n, "s3", "cp", "/etc/hostname", "s3://"+a.bucket+"/from-annotated.txt")
}
