package agent

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"daypass.dev"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
	"daypass.dev/kube/vend"
)

// Metrics count what an agent does. Labels are ours or names that Kubernetes
// knows, never what a caller wrote.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	upstream *prometheus.HistogramVec
	up       *prometheus.GaugeVec

	mu      sync.Mutex
	vendors []*vend.Vendor
	latest  map[v1alpha1.Method]error // call: why it had no answer; nil: it had one
}

// NewMetrics makes metrics that count from nothing.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "daypass_agent_request_seconds", Help: "Time to answer a pod, by status.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .05, .1, .3, .7, 1},
		}, []string{"status"}),
		upstream: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "daypass_agent_upstream_seconds", Help: "Time of calls to AWS, by method and result: ok, refused, throttled or failed.",
			Buckets: []float64{.01, .03, .1, .3, 1, 3, 10, 30},
		}, []string{"method", "result"}),
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "daypass_agent_upstream_up", Help: "1 if AWS answered the latest call by this method, 0 if nobody did, or it asked for another try.",
		}, []string{"method"}),
		latest: map[v1alpha1.Method]error{},
	}
	m.registry.MustRegister(m.collectors()...)
	return m
}

func (m *Metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.upstream, m.up, held{m}}
}

// Watch adds what can be seen of a vendor at any moment.
func (m *Metrics) Watch(v *vend.Vendor) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.vendors = append(m.vendors, v)
}

// Handler answers Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Observe is a vend.Vendor's.
func (m *Metrics) Observe(id identity.Identity, err error, took time.Duration) {
	method, outcome, up := id.Method, result(err), 0.0
	m.upstream.WithLabelValues(string(method), outcome).Observe(took.Seconds())
	if denied := (*identity.Refusal)(nil); outcome == "refused" && errors.As(err, &denied) {
		return // before AWS was asked
	}
	if outcome == "ok" || outcome == "refused" {
		err, up = nil, 1
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.latest[method] = err
	m.up.WithLabelValues(string(method)).Set(up)
}

// Forget drops what the latest call told of a method by which no pod has
// anything any more: nobody calls again. Call it after the vendors' Forget.
func (m *Metrics) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	used := map[v1alpha1.Method]bool{}
	for _, v := range m.vendors {
		for _, s := range v.Statuses() {
			used[s.Identity.Method] = true
		}
	}
	for method := range m.latest {
		if !used[method] {
			delete(m.latest, method)
			m.up.DeleteLabelValues(string(method))
		}
	}
}

// Upstream is nil unless the latest call by some method got no answer from AWS,
// or one that asks for another try.
func (m *Metrics) Upstream() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []error
	for _, method := range slices.Sorted(maps.Keys(m.latest)) {
		if err := m.latest[method]; err != nil {
			all = append(all, fmt.Errorf("method %s: %w", method, err))
		}
	}
	return errors.Join(all...)
}

// result sorts what came of a call. What the signer denies one workload is its
// answer; that nobody signs is a failure.
func result(err error) string {
	aws, denied := (*daypass.Error)(nil), (*identity.Refusal)(nil)
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &denied) && denied.Slug != "agent-no-signer":
		return "refused"
	case !errors.As(err, &aws):
		return "failed"
	case aws.Status == http.StatusTooManyRequests || aws.Code == "ThrottlingException" || aws.Code == "Throttling":
		return "throttled"
	case aws.Temporary():
		return "failed"
	}
	return "refused"
}

// Count has the answers of next counted and timed.
func (m *Metrics) Count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin, answer := time.Now(), &statused{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(answer, r)
		m.requests.WithLabelValues(strconv.Itoa(answer.status)).Observe(time.Since(begin).Seconds())
	})
}

type statused struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (s *statused) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// held tells of the credentials that the vendors hold.
type held struct{ of *Metrics }

var ( // never changed
	heldCount = prometheus.NewDesc("daypass_agent_credentials", "Credentials that are kept fresh, by method.", []string{"method"}, nil)
	heldDead  = prometheus.NewDesc("daypass_agent_credentials_expired", "Those of them that are not there, or have expired.", []string{"method"}, nil)
	heldLeft  = prometheus.NewDesc("daypass_agent_credentials_seconds_to_expiry",
		"Life left in the credentials of this node's pods of a ServiceAccount, of those that have the least; 0 if they are not there, or have expired.",
		[]string{"workload_namespace", "service_account", "method"}, nil) // "namespace" is the agent's, as Prometheus finds it
)

// Describe implements prometheus.Collector.
func (h held) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{heldCount, heldDead, heldLeft} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (h held) Collect(to chan<- prometheus.Metric) {
	type account struct {
		namespace, name string
		method          v1alpha1.Method
	}
	all, dead, left := map[v1alpha1.Method]int{}, map[v1alpha1.Method]int{}, map[account]time.Duration{}
	h.of.mu.Lock()
	vendors := h.of.vendors
	h.of.mu.Unlock()
	for _, v := range vendors {
		for _, s := range v.Statuses() {
			all[s.Identity.Method]++
			if s.Remaining <= 0 {
				dead[s.Identity.Method]++
			}
			of := account{s.Identity.Namespace, s.Identity.ServiceAccount, s.Identity.Method}
			if least, ok := left[of]; !ok || s.Remaining < least {
				left[of] = max(s.Remaining, 0)
			}
		}
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for method, n := range all {
		gauge(heldCount, float64(n), string(method))
		gauge(heldDead, float64(dead[method]), string(method))
	}
	for of, life := range left {
		gauge(heldLeft, life.Seconds(), of.namespace, of.name, string(of.method))
	}
}
