//go:build soak

package secrets

import (
	"fmt"
	"testing"
	"time"

	"daypass.dev/e2e/kube/kubetest"
)

// TestKilled has the provider killed again and again while 50 pods mount ten
// secrets each, and the driver restarted: all end mounted, whole.
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
			s.Kubectl("--namespace=kube-system", "delete", "pods", "--selector=app=csi-secrets-store", "--force", "--grace-period=0")
		}
	}
	for i := range pods {
		pod := fmt.Sprintf("many-%d", i)
		s.Wait("pod/"+pod, "Ready", 10*time.Minute)
		for k := range objects {
			if got := s.file(pod, fmt.Sprintf("value%d", k)); got != fmt.Sprintf("value %d", k) {
				t.Errorf("%s: value%d is %q", pod, k, got)
			}
		}
	}
}
