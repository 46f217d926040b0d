package deliver

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Health tells probes and Prometheus how a process does. It holds nothing that
// needs guarding, so it may listen where kubelet reaches it:
//
//	/healthz  200 as long as the process answers
//	/readyz   200, or 503 with the reason why not
//	/metrics  Prometheus text format 0.0.4
type Health struct {
	// Ready says why the process cannot do its work; it is asked for at most a
	// second. Nil: always ready.
	Ready func(context.Context) error
	// Metrics are read for every request to /metrics.
	Metrics func() []Metric
}

// A Metric is one number. Its name and help are ours, never a caller's. Those of
// one name stand one after the other.
type Metric struct {
	Name, Help string
	// Role is its label role; empty: it has none.
	Role    string
	Counter bool // else a gauge
	Value   float64
}

func (h *Health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
		return
	}
	switch r.URL.Path {
	case "/healthz":
		write(w, "ok\n")
	case "/readyz":
		h.ready(w, r)
	case "/metrics":
		h.metrics(w)
	default:
		http.NotFound(w, r)
	}
}

func (h *Health) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), time.Second)
	defer cancel()
	if h.Ready != nil {
		if err := h.Ready(ctx); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
	}
	write(w, "ok\n")
}

func (h *Health) metrics(w http.ResponseWriter) {
	var page bytes.Buffer
	if h.Metrics != nil {
		last := ""
		for _, m := range h.Metrics() {
			kind, label := "gauge", ""
			if m.Counter {
				kind = "counter"
			}
			if m.Role != "" {
				label = fmt.Sprintf("{role=%q}", m.Role)
			}
			if m.Name != last {
				fmt.Fprintf(&page, "# HELP %s %s\n# TYPE %s %s\n", m.Name, m.Help, m.Name, kind)
			}
			last = m.Name
			fmt.Fprintf(&page, "%s%s %s\n", m.Name, label, strconv.FormatFloat(m.Value, 'f', -1, 64))
		}
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	_, _ = w.Write(page.Bytes())
}
