package injection

import (
	"testing"

	"daypass.dev/e2e/kube/kubetest"
)

func TestChart(t *testing.T) {
	r := kubetest.Chart(t, "cluster: {name: e2e, method: web-identity, region: us-east-1}\n")
	t.Log(r.Kubectl("get", "all,secrets"))
}
