package signer

import (
	"flag"
	"testing"

	listed "daypass.dev/e2e/metrics"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

func TestMetricsAreDocumented(t *testing.T) {
	r := listed.NewRegistry()
	if _, err := newMetrics(r); err != nil {
		t.Fatal(err)
	}
	all, err := r.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	if err := listed.Document("../../docs/metrics.md", "daypass-kube signer", all, *update); err != nil {
		t.Error(err)
	}
}
