package privateca

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Label values of what became of a try.
const (
	outcomeIssued = "issued"
	outcomeFailed = "failed"
	outcomeWaits  = "waits"
)

type metrics struct {
	tries *prometheus.CounterVec
	calls *prometheus.CounterVec
	end   *prometheus.GaugeVec
}

func newMetrics(to prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		tries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "daypass_issuer_tries_total", Help: "Tries to answer a CertificateRequest; reason is why it waits or failed.",
		}, []string{"outcome", "reason"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "daypass_issuer_calls_total", Help: "Calls of AWS Private CA.",
		}, []string{"operation", "outcome"}),
		end: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "daypass_issuer_ca_end_timestamp_seconds", Help: "When the private CA's own certificate ends.",
		}, []string{"ca"}),
	}
	for _, c := range []prometheus.Collector{m.tries, m.calls, m.end} {
		if err := to.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) called(operation string, err error) {
	outcome := "answered"
	if err != nil {
		outcome = sort(err).slug
	}
	m.calls.WithLabelValues(operation, outcome).Inc()
}

func (m *metrics) ends(ca string, at time.Time) { m.end.WithLabelValues(ca).Set(float64(at.Unix())) }
