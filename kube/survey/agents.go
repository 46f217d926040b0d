package survey

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
)

// An Agent is that of one node.
type Agent struct {
	Node string `json:"node"`
	// Ready is what the cluster says of it, AWS included.
	Ready bool `json:"ready"`
	// Upstream says for each method whether AWS answered the latest call; methods
	// that nobody has asked by are missing.
	Upstream map[string]bool `json:"upstream,omitempty"`
	// Unseen is why its numbers are not here.
	Unseen string `json:"unseen,omitempty"`

	credentials map[string]float64 // seconds that are left, by NAMESPACE/SERVICEACCOUNT
}

// Says are a few words for each thing that is to be known of the agent.
func (a *Agent) Says() []string {
	said := []string{"not ready"}
	if a.Ready {
		said[0] = "ready"
	}
	for _, method := range slices.Sorted(maps.Keys(a.Upstream)) {
		if a.Upstream[method] {
			said = append(said, "AWS answers "+method)
		} else {
			said = append(said, "AWS does not answer "+method)
		}
	}
	if a.Unseen != "" {
		said = append(said, "no more was seen: "+a.Unseen)
	}
	return said
}

const (
	agentPort      = "9912"
	agentsAtOnce   = 16
	agentPatience  = 3 * time.Second
	longestMetrics = 8 << 20
)

// agents asks the agents of these nodes, by the API server's proxy.
func (c *Cluster) agents(ctx context.Context, nodes map[string]bool) ([]Agent, error) {
	if len(nodes) == 0 {
		return nil, nil
	}
	pods, err := c.agentsOf(ctx, nodes)
	if err != nil {
		return nil, err
	}
	all := make([]Agent, len(pods))
	var wait sync.WaitGroup
	places := make(chan struct{}, agentsAtOnce)
	for i, p := range pods {
		all[i] = Agent{Node: p.Spec.NodeName, Ready: isReady(&p)}
		wait.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			if err := c.ask(ctx, &p, &all[i]); err != nil {
				all[i].Unseen = short(err)
			}
		})
	}
	wait.Wait()
	slices.SortFunc(all, func(a, b Agent) int { return strings.Compare(a.Node, b.Node) })
	return all, nil
}

// agentsOf are the agents' pods on these nodes. Labels are anybody's to set; the
// node's network, on which every agent is, is not where pods are held to a
// standard.
func (c *Cluster) agentsOf(ctx context.Context, nodes map[string]bool) ([]corev1.Pod, error) {
	var pods corev1.PodList
	if err := c.objects.List(ctx, &pods, component("node")); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool {
		return !nodes[p.Spec.NodeName] || !p.Spec.HostNetwork || over(&p)
	}), nil
}

func (c *Cluster) ask(ctx context.Context, pod *corev1.Pod, a *Agent) error {
	ctx, cancel := context.WithTimeout(ctx, agentPatience)
	defer cancel()
	in, err := c.core.CoreV1().RESTClient().Get().Namespace(pod.Namespace).Resource("pods").Name(pod.Name + ":" + agentPort).
		SubResource("proxy").Suffix("metrics").Stream(ctx)
	if err != nil {
		return err
	}
	defer in.Close()
	return a.read(io.LimitReader(in, longestMetrics))
}

// read takes from Prometheus' text what is about credentials and AWS.
func (a *Agent) read(in io.Reader) error {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(in)
	if err != nil {
		return fmt.Errorf("its metrics: %w", err)
	}
	a.Upstream, a.credentials = map[string]bool{}, map[string]float64{}
	for _, m := range families["daypass_agent_upstream_up"].GetMetric() {
		a.Upstream[label(m, "method")] = value(m) > 0
	}
	for _, m := range families["daypass_agent_credentials_seconds_to_expiry"].GetMetric() {
		key, left := label(m, "workload_namespace")+"/"+label(m, "service_account"), value(m)
		if before, ok := a.credentials[key]; !ok || left < before {
			a.credentials[key] = left
		}
	}
	return nil
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// value is a gauge's, or nothing where it says what no gauge of ours can.
func value(m *dto.Metric) float64 {
	v := max(m.GetGauge().GetValue(), m.GetUntyped().GetValue())
	if math.IsNaN(v) || v < 0 || v > (365*24*time.Hour).Seconds() {
		return 0
	}
	return v
}
