package metrics

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const (
	list      = "../../docs/metrics.md"
	alerts    = "../../charts/daypass/files/alerts.yaml"
	dashboard = "../../charts/daypass/dashboards/daypass.json"
	operate   = "../../docs/operate.md"
)

// documented is the list, and one metric that Prometheus makes itself for
// whatever it scrapes.
func documented(t *testing.T) map[string]Metric {
	t.Helper()
	all, err := Documented(list)
	if err != nil {
		t.Fatal(err)
	}
	programs := map[string]bool{}
	for name := range all {
		programs[strings.Split(name, "_")[1]] = true
	}
	if len(all) < 20 || len(programs) < 8 {
		t.Fatalf("%s has %d metrics, of %v", list, len(all), programs)
	}
	all["up"] = Metric{Name: "up", Type: "gauge"}
	return all
}

// scraped are labels that Prometheus gives to all that it reads by the chart's
// ServiceMonitor.
var scraped = []string{"app_kubernetes_io_component", "pod", "namespace", "instance", "job"} // never changed

// find is the metric that a series belongs to.
func find(all map[string]Metric, series string) (Metric, bool) {
	if m, ok := all[series]; ok && m.Type != "histogram" {
		return m, true
	}
	for _, part := range []string{"_bucket", "_count", "_sum"} {
		if of, ok := strings.CutSuffix(series, part); ok && all[of].Type == "histogram" {
			m := all[of]
			if part == "_bucket" {
				m.Labels = append(slices.Clone(m.Labels), "le")
			}
			return m, true
		}
	}
	return Metric{}, false
}

// wrong says what an expression asks for that nobody has; shown are labels that
// its text names.
func wrong(all map[string]Metric, expr string, shown []string) error {
	e, err := parseQuery(expr)
	if err != nil {
		return err
	}
	if len(e.metrics) == 0 {
		return fmt.Errorf("%s is about nothing", expr)
	}
	has := slices.Clone(scraped)
	for _, r := range e.metrics {
		m, ok := find(all, r.name)
		if !ok {
			return fmt.Errorf("no program has %s", r.name)
		}
		for _, l := range r.labels {
			if !slices.Contains(m.Labels, l) && !slices.Contains(scraped, l) {
				return fmt.Errorf("%s has no label %s", r.name, l)
			}
		}
		has = append(has, m.Labels...)
	}
	for _, l := range slices.Concat(e.grouped, shown) {
		if !slices.Contains(has, l) {
			return fmt.Errorf("nothing in %s has a label %s", expr, l)
		}
	}
	// What is summed up by some labels has no others to show.
	if len(e.grouped) > 0 && !strings.Contains(expr, "on (") {
		for _, l := range shown {
			if !slices.Contains(e.grouped, l) {
				return fmt.Errorf("%s leaves no label %s", expr, l)
			}
		}
	}
	return nil
}

func TestWrongReferencesAreFound(t *testing.T) {
	all := documented(t)
	for expr, ok := range map[string]bool{
		"daypass_pods_missed > 0":                                      true,
		"daypass_pods_mist > 0":                                        false,
		"daypass_agent_request_seconds":                                false, // a histogram's own name is no series
		"rate(daypass_agent_request_seconds_count[5m])":                true,
		`daypass_agent_upstream_up{methd="eks"}`:                       false,
		"sum by (metod) (daypass_agent_upstream_up)":                   false,
		"sum by (le) (rate(daypass_agent_request_seconds_count[5m]))":  false,
		"sum by (le) (rate(daypass_agent_request_seconds_bucket[5m]))": true,
		"time()": false,
	} {
		if err := wrong(all, expr, nil); (err == nil) != ok {
			t.Errorf("%s: %v", expr, err)
		}
	}
	if wrong(all, "sum by (method) (daypass_agent_upstream_up)", []string{"pod"}) == nil {
		t.Error("a label that was summed away is shown")
	}
}

var labelShown = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}`)

func shownIn(text string) (all []string) {
	for _, m := range labelShown.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

// Each alert is about metrics and labels that are there, says what is the matter,
// and stands in the table of docs/operate.md.
func TestAlerts(t *testing.T) {
	all := documented(t)
	text, err := os.ReadFile(alerts)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalStrict(text, &file); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(operate)
	if err != nil {
		t.Fatal(err)
	}
	told := regexp.MustCompile(`(?m)^\| (Daypass[A-Za-z]+) \|`).FindAllStringSubmatch(string(page), -1)
	var alerts []string
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			alerts = append(alerts, r.Alert)
			if err := wrong(all, r.Expr, shownIn(r.Annotations["summary"])); err != nil {
				t.Errorf("%s: %v", r.Alert, err)
			}
			if r.For == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" {
				t.Errorf("%s lacks something: %+v", r.Alert, r)
			}
		}
	}
	var rows []string
	for _, row := range told {
		rows = append(rows, row[1])
	}
	slices.Sort(alerts)
	slices.Sort(rows)
	if len(alerts) < 8 || !slices.Equal(alerts, rows) {
		t.Errorf("alerts are %v, docs/operate.md has %v", alerts, rows)
	}
}

// Each panel of the dashboard is about metrics and labels that are there.
func TestDashboard(t *testing.T) {
	all := documented(t)
	text, err := os.ReadFile(dashboard)
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	seen, ids := 0, map[int]bool{}
	for i, p := range board.Panels {
		if p.Title == "" || len(p.Targets) == 0 || ids[p.ID] {
			t.Errorf("panel %d: %+v", p.ID, p)
		}
		ids[p.ID] = true
		for _, q := range p.Targets {
			seen++
			if err := wrong(all, q.Expr, shownIn(q.LegendFormat)); err != nil {
				t.Errorf("%s: %v", p.Title, err)
			}
		}
		for _, o := range board.Panels[:i] {
			a, b := p.GridPos, o.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H || a.X+a.W > 24 {
				t.Errorf("%s lies on %s", p.Title, o.Title)
			}
		}
	}
	if seen < 20 {
		t.Errorf("%d queries", seen)
	}
}
