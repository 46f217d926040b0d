// Package metrics knows every number that daypass's programs show to Prometheus:
// docs/metrics.md lists them, written by each program's own test from what it
// registers, and the dashboard and the alerts of the chart are held to that list.
package metrics

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"daypass.dev/deliver"
	"daypass.dev/internal/cli"
)

// A Metric is one name with its labels.
type Metric struct {
	Name, Type, Help string // Type is counter, gauge or histogram
	Labels           []string
}

// Registered are those that register hands over, by name, whether they have been
// counted or not.
func Registered(register func(prometheus.Registerer) error) ([]Metric, error) {
	r := &registry{Registerer: prometheus.NewRegistry()}
	if err := register(r); err != nil {
		return nil, err
	}
	var all []Metric
	for _, c := range r.all {
		described := make(chan *prometheus.Desc)
		go func() {
			c.Describe(described)
			close(described)
		}()
		for d := range described {
			m, err := parse(d.String())
			if err != nil {
				return nil, err
			}
			m.Type = kind(c)
			all = append(all, m)
		}
	}
	return all, nil
}

// A registry is a prometheus.Registerer that remembers what is registered.
type registry struct {
	prometheus.Registerer
	all []prometheus.Collector
}

// Register implements prometheus.Registerer.
func (r *registry) Register(c prometheus.Collector) error {
	r.all = append(r.all, c)
	return r.Registerer.Register(c)
}

// MustRegister implements prometheus.Registerer.
func (r *registry) MustRegister(all ...prometheus.Collector) {
	r.all = append(r.all, all...)
	r.Registerer.MustRegister(all...)
}

// kind is a collector's type; those of our own making hold gauges.
func kind(c prometheus.Collector) string {
	switch c.(type) {
	case *prometheus.CounterVec, prometheus.Counter:
		if _, ok := c.(prometheus.Gauge); !ok { // whose methods are a counter's, too
			return "counter"
		}
	case *prometheus.HistogramVec, prometheus.Histogram:
		return "histogram"
	}
	return "gauge"
}

var description = regexp.MustCompile(`^Desc\{fqName: "([^"]*)", help: "(.*?)", (?:unit: "[^"]*", )?constLabels: \{\}, variableLabels: \{([^}]*)\}\}$`)

// parse reads what a description says of itself; nothing else tells its name.
func parse(text string) (Metric, error) {
	m := description.FindStringSubmatch(text)
	if m == nil {
		return Metric{}, fmt.Errorf("not understood: %s", text)
	}
	found := Metric{Name: m[1], Help: m[2]}
	if m[3] != "" {
		found.Labels = strings.Split(m[3], ",")
	}
	return found, nil
}

// Of are those of a deliver.Health.
func Of(shown []deliver.Metric) []Metric {
	var all []Metric
	for _, s := range shown {
		m := Metric{Name: s.Name, Help: s.Help, Type: "gauge"}
		if s.Counter {
			m.Type = "counter"
		}
		if s.Role != "" {
			m.Labels = []string{"role"}
		}
		all = append(all, m)
	}
	return all
}

const head = `# Metrics

What the programs show at ` + "`/metrics`" + `, in Prometheus' text format. Written by
` + "`go test ./cmd/... ./kube/agent ./kube/signer ./kube/privateca -update`" + ` from the programs themselves; do not edit.

No label holds what a caller wrote: names of namespaces, ServiceAccounts and roles
are Kubernetes' and yours, reasons are slugs of [troubleshooting](troubleshooting.md)
or codes of AWS. What to look at, and when to be woken, says
[operate](operate.md#monitoring).

`

// Document checks that path, the list of all programs' metrics in Markdown, holds
// what a program has, or with update writes that part of it. Nothing is no
// metrics at all, and an error.
func Document(path, program string, all []Metric, update bool) error {
	if len(all) == 0 {
		return fmt.Errorf("%s has no metrics", program)
	}
	slices.SortFunc(all, func(a, b Metric) int { return strings.Compare(a.Name, b.Name) })
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n", program)
	for _, m := range all {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, m.Type, quoted(m.Labels), m.Help)
	}
	b.WriteString("\n")
	return cli.Section(path, head, program, b.String(), update)
}

func quoted(labels []string) string {
	var all []string
	for _, l := range labels {
		all = append(all, "`"+l+"`")
	}
	return strings.Join(all, " ")
}

var tableRow = regexp.MustCompile("^\\| `([a-z_]+)` \\| ([a-z]+) \\| ([^|]*) \\| (.*) \\|$")

// Documented reads such a list, by name.
func Documented(path string) (map[string]Metric, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	all := map[string]Metric{}
	for line := range strings.Lines(string(text)) {
		if m := tableRow.FindStringSubmatch(strings.TrimSuffix(line, "\n")); m != nil {
			all[m[1]] = Metric{m[1], m[2], m[4], strings.Fields(strings.ReplaceAll(m[3], "`", ""))}
		}
	}
	return all, nil
}
