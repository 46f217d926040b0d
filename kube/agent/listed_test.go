package agent

import (
	"flag"
	"testing"

	"daypass.dev/e2e/metrics"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

func TestMetricsAreDocumented(t *testing.T) {
	r := metrics.NewRegistry()
	r.MustRegister(NewMetrics().collectors()...)
	all, err := r.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	if err := metrics.Document("../../docs/metrics.md", "daypass-kube node", all, *update); err != nil {
		t.Error(err)
	}
}
