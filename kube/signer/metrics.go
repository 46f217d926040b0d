package signer

import (
	"crypto/x509"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	certs "k8s.io/api/certificates/v1"

	"daypass.dev/pki"
)

// Label values.
const (
	kindPod       = "pod"
	kindAgent     = "agent"
	outcomeIssued = "issued"
	outcomeDenied = "denied"
	outcomeLost   = "lost" // another replica was first
	outcomeFailed = "failed"
)

// metrics count answers, and remember when the last leaf below each root ends:
// of all that is issued in the cluster, whichever replica did it, since this
// one began to watch.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	rootEnd  *prometheus.GaugeVec
	leafEnd  *prometheus.GaugeVec

	mu    sync.Mutex
	last  map[string]time.Time // seen, by the root's common name
	until map[string]time.Time // of an old root, as the Secret says
}

func newMetrics(to prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "daypass_signer_requests_total", Help: "Requests answered by this replica.",
		}, []string{"kind", "outcome", "reason"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "daypass_signer_answer_seconds", Help: "Time from a request's turn to its answer being written.",
			Buckets: []float64{.002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5},
		}, []string{"kind"}),
		rootEnd: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "daypass_signer_root_end_timestamp_seconds", Help: "When a root's own certificate ends; state is current, next or old, or outside.",
		}, []string{"root", "state"}),
		leafEnd: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "daypass_signer_last_leaf_end_timestamp_seconds",
			Help: "When the last certificate that goes back to a root ends. For an old root: when it need not be trusted any more.",
		}, []string{"root"}),
		last: map[string]time.Time{}, until: map[string]time.Time{},
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.rootEnd, m.leafEnd} {
		if err := to.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func outcomeOf(err error, outcome string) string {
	switch {
	case lost(err):
		return outcomeLost
	case err != nil:
		return outcomeFailed
	}
	return outcome
}

func (m *metrics) answered(kind, outcome, reason string, took time.Duration) {
	m.requests.WithLabelValues(kind, outcome, reason).Inc()
	m.seconds.WithLabelValues(kind).Observe(took.Seconds())
}

// roots shows what the Secret says.
func (m *metrics) roots(r Roots) {
	m.rootEnd.Reset()
	for state, c := range map[string]pki.CA{"current": r.Current, "next": r.Next, "old": {Certificate: r.Old}} {
		if c.Certificate != nil {
			m.rootEnd.WithLabelValues(name(c.Certificate), state).Set(float64(c.Certificate.NotAfter.Unix()))
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.Old != nil {
		m.until[name(r.Old)] = r.OldUntil
		m.show(name(r.Old))
	}
}

// outside shows roots that are not in the Secret.
func (m *metrics) outside(trust []*x509.Certificate) {
	for _, c := range trust {
		m.rootEnd.WithLabelValues(name(c), "outside").Set(float64(c.NotAfter.Unix()))
	}
}

func (m *metrics) see(root string, end time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if end.After(m.last[root]) {
		m.last[root] = end
		m.show(root)
	}
}

func (m *metrics) show(root string) {
	end := m.last[root]
	if until := m.until[root]; until.After(end) {
		end = until
	}
	m.leafEnd.WithLabelValues(root).Set(float64(end.Unix()))
}

func (m *metrics) lastLeaf(root string) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last[root]
}

// seeChain looks at what was issued: the CA above the leaf names its root.
func (m *metrics) seeChain(chain []byte) {
	if all, err := pki.ParseCertificates(chain); err == nil && len(all) > 1 {
		m.see(all[len(all)-1].Issuer.CommonName, all[0].NotAfter)
	}
}

// watched sees what comes by from the API server, and keeps no more of it than
// the answers need.
func (m *metrics) watched(object any) (any, error) {
	switch r := object.(type) {
	case *certs.PodCertificateRequest:
		r.ManagedFields = nil
		if r.Status.CertificateChain != "" {
			m.seeChain([]byte(r.Status.CertificateChain))
			r.Spec.StubPKCS10Request, r.Status.CertificateChain = nil, "seen"
		}
	case *certs.CertificateSigningRequest:
		r.ManagedFields = nil
		if len(r.Status.Certificate) > 0 {
			m.seeChain(r.Status.Certificate)
			r.Spec.Request, r.Status.Certificate = nil, []byte("seen")
		}
	}
	return object, nil
}
