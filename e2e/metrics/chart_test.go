package metrics

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/kube/addons"
	"daypass.dev/e2e/peers"
)

// An object is as much of a manifest as is looked at here.
type object struct {
	APIVersion, Kind string
	Metadata         struct {
		Name, Namespace string
		Labels          map[string]string
	}
	Spec struct {
		// of a Service
		ClusterIP string
		Selector  any
		Ports     []struct {
			Name       string
			TargetPort int
		}
		// of a ServiceMonitor
		PodTargetLabels []string
		Endpoints       []map[string]string
		// of a PrometheusRule
		Groups []any
		// of what runs pods
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				Containers []struct {
					LivenessProbe struct{ HTTPGet struct{ Port int } }
				}
			}
		}
	}
	Data map[string]string
}

// render is the chart with all of its programs, by helm, which make test builds
// for the clusters.
func render(t *testing.T, set ...string) map[string]object {
	t.Helper()
	if os.Geteuid() != 0 {
		peers.Need(t, "helm", fmt.Errorf("it is built where clusters are, as root: %w", peers.ErrAbsent))
	}
	c, err := kube.Find("none")
	if err != nil {
		t.Fatal(err)
	}
	helm, err := addons.Helm(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"template", "daypass", filepath.Join(c.Source, "charts/daypass"), "--namespace=here", "--set=registry=localhost"}
	for _, program := range []string{"webhook", "detector", "signer", "issuer", "node"} {
		args = append(args, "--set="+program+".enabled=true")
	}
	for _, v := range append(set, "cluster.name=e2e", "cluster.trustDomain=e2e.test") {
		args = append(args, "--set="+v)
	}
	out, err := exec.CommandContext(t.Context(), helm, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	all := map[string]object{}
	for _, text := range bytes.Split(out, []byte("\n---\n")) {
		var o object
		if err := yaml.Unmarshal(text, &o); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if o.Kind != "" {
			all[o.Kind+"/"+o.Metadata.Name] = o
		}
	}
	return all
}

// With monitoring switched on Prometheus finds every program of the chart by the
// Service, and the rule and the dashboard are those that the tests beside this
// one look at; without, nothing of it is there.
func TestMonitoringOfTheChart(t *testing.T) {
	names := []string{"Service/daypass-metrics", "ServiceMonitor/daypass", "PrometheusRule/daypass", "ConfigMap/daypass-dashboard"}
	off := render(t)
	all := render(t, "monitoring.enabled=true", "monitoring.labels.release=prometheus")
	for _, name := range names {
		o, on := all[name]
		if _, there := off[name]; !on || there || o.Metadata.Namespace != "here" {
			t.Errorf("%s: with the switch %v, without it %v, in %q", name, on, there, o.Metadata.Namespace)
		}
		if of := o.APIVersion == "monitoring.coreos.com/v1"; of != (o.Metadata.Labels["release"] == "prometheus") {
			t.Errorf("%s of %s has the labels %v", name, o.APIVersion, o.Metadata.Labels)
		}
	}
	if len(all) != len(off)+len(names) {
		t.Errorf("the switch adds %d objects, the test knows of %v", len(all)-len(off), names)
	}

	service, monitor := all[names[0]], all[names[1]]
	selector, _ := monitor.Spec.Selector.(map[string]any)
	if wanted := labels(selector["matchLabels"]); len(wanted) == 0 || !within(wanted, service.Metadata.Labels) {
		t.Errorf("the ServiceMonitor selects %v, the Service has %v", wanted, service.Metadata.Labels)
	}
	if len(service.Spec.Ports) != 1 || len(monitor.Spec.Endpoints) != 1 || monitor.Spec.Endpoints[0]["port"] != service.Spec.Ports[0].Name ||
		monitor.Spec.Endpoints[0]["path"] != "/metrics" || service.Spec.ClusterIP != "None" {
		t.Errorf("the ServiceMonitor reads %v of %+v", monitor.Spec.Endpoints, service.Spec)
	}
	seen := 0
	for name, o := range all {
		if o.Kind != "Deployment" && o.Kind != "DaemonSet" {
			continue
		}
		seen++
		pod := o.Spec.Template
		if wanted := labels(service.Spec.Selector); len(wanted) == 0 || !within(wanted, pod.Metadata.Labels) {
			t.Errorf("the Service selects %v, pods of %s have %v", wanted, name, pod.Metadata.Labels)
		}
		for _, label := range monitor.Spec.PodTargetLabels {
			if pod.Metadata.Labels[label] == "" || !slices.Contains(scraped, strings.NewReplacer(".", "_", "/", "_").Replace(label)) {
				t.Errorf("pods of %s have no label %s, or no query may ask for it", name, label)
			}
		}
		// One listener answers probes and shows the metrics.
		if port := pod.Spec.Containers[0].LivenessProbe.HTTPGet.Port; port != service.Spec.Ports[0].TargetPort {
			t.Errorf("%s listens on port %d", name, port)
		}
	}
	if seen != 5 {
		t.Errorf("the chart has %d programs", seen)
	}

	var rules struct{ Groups []any }
	text, err := os.ReadFile(alerts)
	if err == nil {
		err = yaml.Unmarshal(text, &rules)
	}
	if err != nil || len(rules.Groups) == 0 || !reflect.DeepEqual(rules.Groups, all[names[2]].Spec.Groups) {
		t.Errorf("the PrometheusRule is not what %s says: %v", alerts, err)
	}
	board, err := os.ReadFile(dashboard)
	if o := all[names[3]]; err != nil || o.Data["daypass.json"] != string(board) || o.Metadata.Labels["grafana_dashboard"] != "1" {
		t.Errorf("the ConfigMap is not %s, or Grafana does not find it by %v: %v", dashboard, o.Metadata.Labels, err)
	}
	page, err := os.ReadFile(operate)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"daypass-metrics", "ServiceMonitor", "PrometheusRule", "monitoring.labels", "grafana_dashboard", "app_kubernetes_io_component", fmt.Sprint(service.Spec.Ports[0].TargetPort)} {
		if !strings.Contains(string(page), word) {
			t.Errorf("%s does not name %s", operate, word)
		}
	}
}

// labels are a map of them, as YAML has it.
func labels(of any) map[string]string {
	all := map[string]string{}
	some, _ := of.(map[string]any)
	for k, v := range some {
		all[k] = fmt.Sprint(v)
	}
	return all
}

func within(some, all map[string]string) bool {
	for k, v := range some {
		if all[k] != v {
			return false
		}
	}
	return true
}
