package agent

import (
	"flag"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"daypass.dev/e2e/metrics"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

func TestMetricsAreDocumented(t *testing.T) {
	all, err := metrics.Registered(func(r prometheus.Registerer) error {
		r.MustRegister(NewMetrics().collectors()...)
		return nil
	})
	if err == nil {
		err = metrics.Document("../../docs/metrics.md", "daypass-kube node", all, *update)
	}
	if err != nil {
		t.Error(err)
	}
}
