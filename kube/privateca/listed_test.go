package privateca

import (
	"flag"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	listed "daypass.dev/e2e/metrics"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

func TestMetricsAreDocumented(t *testing.T) {
	all, err := listed.Registered(func(r prometheus.Registerer) error {
		_, err := newMetrics(r)
		return err
	})
	if err == nil {
		err = listed.Document("../../docs/metrics.md", "daypass-kube issuer", all, *update)
	}
	if err != nil {
		t.Error(err)
	}
}
