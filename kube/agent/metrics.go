package agent

import (
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"daypass.dev"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/vend"
)

// Metrics count what an agent does. Labels are ours, never a caller's.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	upstream *prometheus.HistogramVec

	mu       sync.Mutex
	troubles map[v1alpha1.Method]error // of the latest call, if it had no answer
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
		troubles: map[v1alpha1.Method]error{},
	}
	m.registry.MustRegister(m.requests, m.upstream)
	return m
}

// Watch adds what can be seen of a vendor at any moment.
func (m *Metrics) Watch(v *vend.Vendor) { m.registry.MustRegister(&held{vendor: v}) }

// Registry is where others of the same process add theirs.
func (m *Metrics) Registry() prometheus.Registerer { return m.registry }

// Handler answers Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Observe is a vend.Vendor's.
func (m *Metrics) Observe(method v1alpha1.Method, err error, took time.Duration) {
	outcome := result(err)
	m.upstream.WithLabelValues(string(method), outcome).Observe(took.Seconds())
	m.mu.Lock()
	defer m.mu.Unlock()
	switch outcome {
	case "ok", "refused": // it was AWS who answered
		delete(m.troubles, method)
	default:
		m.troubles[method] = err
	}
}

// Upstream is nil unless the latest call by some method got no answer from AWS,
// or one that asks for another try.
func (m *Metrics) Upstream() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []error
	for method, err := range m.troubles {
		all = append(all, errors.New("method "+string(method)+": "+err.Error()))
	}
	return errors.Join(all...)
}

func result(err error) string {
	aws := (*daypass.Error)(nil)
	switch {
	case err == nil:
		return "ok"
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

// held tells of the credentials that a vendor holds.
type held struct{ vendor *vend.Vendor }

var ( // never changed
	heldCount = prometheus.NewDesc("daypass_agent_credentials", "Credentials that are kept fresh, by method.", []string{"method"}, nil)
	heldDead  = prometheus.NewDesc("daypass_agent_credentials_expired", "Those of them that are not there, or have expired.", []string{"method"}, nil)
	heldLeast = prometheus.NewDesc("daypass_agent_credentials_seconds_to_expiry", "Life left in those that have least of it and are not expired.", []string{"method"}, nil)
)

// Describe implements prometheus.Collector.
func (h *held) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{heldCount, heldDead, heldLeast} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (h *held) Collect(to chan<- prometheus.Metric) {
	type sum struct {
		all, dead int
		least     time.Duration
	}
	sums := map[v1alpha1.Method]*sum{}
	for _, s := range h.vendor.Statuses() {
		of := sums[s.Method]
		if of == nil {
			of = &sum{}
			sums[s.Method] = of
		}
		of.all++
		switch {
		case s.Remaining <= 0:
			of.dead++
		case of.least == 0 || s.Remaining < of.least:
			of.least = s.Remaining
		}
	}
	for method, of := range sums {
		gauge := func(d *prometheus.Desc, v float64) {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, string(method))
		}
		gauge(heldCount, float64(of.all))
		gauge(heldDead, float64(of.dead))
		if of.least > 0 {
			gauge(heldLeast, of.least.Seconds())
		}
	}
}
