package injection

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"daypass.dev/e2e/kube/addons"
	"daypass.dev/e2e/kube/kubetest"
)

const chart = "../../charts/daypass"

func TestChartHoldsTheDefinition(t *testing.T) {
	ours, err := os.ReadFile(chart + "/files/" + filepath.Base(definition))
	if err != nil {
		t.Fatal(err)
	}
	made, err := os.ReadFile(definition)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ours, made) {
		t.Errorf("the chart's is another: cp kube/api/v1alpha1/%s charts/daypass/files/", filepath.Base(definition))
	}
}

// template renders the chart with values, or returns what helm says.
func template(t *testing.T, values ...string) (string, error) {
	t.Helper()
	helm, err := addons.Helm(t.Context(), kubetest.Cluster(t))
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"template", "daypass", chart, "--namespace=daypass", "--set=registry=localhost"}
	for _, v := range values {
		args = append(args, "--set="+v)
	}
	out, err := exec.Command(helm, args...).CombinedOutput()
	return string(out), err
}

// TestWrongValuesAreRefused before anything reaches a cluster.
func TestWrongValuesAreRefused(t *testing.T) {
	for values, want := range map[string]string{
		"registry=":                     "registry is not set",
		"webhok.enabled=true":           "webhok",
		"webhook.replicas=0":            "/webhook/replicas",
		"webhook.tokenLifeSeconds=60":   "/webhook/tokenLifeSeconds",
		"cluster.method=magic":          "/cluster/method",
		"cluster.trustAnchorARN=anchor": "/cluster/trustAnchorARN",
		"cluster.trustAnchorARN=arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/11111111-2222-4333-8444-555555555555": "belong together",
		"policy.enabled=true":              "needs MutatingAdmissionPolicy v1",
		"imagePullPolicy=Sometimes":        "/imagePullPolicy",
		"networkPolicy.apiServerPorts={0}": "/networkPolicy/apiServerPorts/0",
	} {
		if out, err := template(t, values); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v: %.300s", values, err, out)
		}
	}
}

// TestEveryProgramIsKeptApart: a ServiceAccount of its own, no service links, a
// priority, a read-only root, no privileges, a budget where it has replicas.
func TestEveryProgramIsKeptApart(t *testing.T) {
	out, err := template(t, "signer.enabled=true", "issuer.enabled=true", "node.enabled=true", "cluster.name=e2e", "cluster.trustDomain=e2e.test")
	if err != nil {
		t.Fatal(out)
	}
	type object struct {
		Kind     string
		Metadata struct{ Name, Namespace string }
		Spec     struct {
			Replicas int
			Template struct{ Spec corev1.PodSpec }
		}
	}
	accounts, there := map[string]string{}, map[string]bool{}
	var programs []object
	for _, text := range strings.Split(out, "\n---") {
		var o object
		if err := yaml.Unmarshal([]byte(text), &o); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		there[o.Kind+" "+o.Metadata.Name] = true
		if o.Kind == "Deployment" || o.Kind == "DaemonSet" || o.Kind == "Job" {
			programs = append(programs, o)
		}
	}
	for _, p := range programs {
		name, spec := p.Metadata.Name, p.Spec.Template.Spec
		if other := accounts[spec.ServiceAccountName]; other != "" || !there["ServiceAccount "+spec.ServiceAccountName] {
			t.Errorf("%s runs as %q, as %q does", name, spec.ServiceAccountName, other)
		}
		accounts[spec.ServiceAccountName] = name
		if spec.EnableServiceLinks == nil || *spec.EnableServiceLinks {
			t.Errorf("%s has service links", name)
		}
		if p.Kind != "Job" && spec.PriorityClassName != "daypass" {
			t.Errorf("%s has priority %q", name, spec.PriorityClassName)
		}
		if p.Metadata.Namespace != "daypass" {
			t.Errorf("%s is in namespace %q", name, p.Metadata.Namespace)
		}
		if p.Spec.Replicas > 1 && (!there["PodDisruptionBudget "+name] || len(spec.TopologySpreadConstraints) == 0) {
			t.Errorf("%s may go at once", name)
		}
		if !spec.HostNetwork && p.Kind != "Job" && !there["NetworkPolicy "+name] {
			t.Errorf("%s may be spoken to by anybody", name)
		}
		for _, c := range append(spec.Containers, spec.InitContainers...) {
			s := c.SecurityContext
			if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
				s.Privileged != nil && *s.Privileged || s.Capabilities == nil || len(s.Capabilities.Drop) != 1 {
				t.Errorf("%s, container %s: %+v", name, c.Name, s)
			}
			if !spec.HostNetwork && (s.RunAsNonRoot == nil || !*s.RunAsNonRoot) {
				t.Errorf("%s, container %s may run as root", name, c.Name)
			}
		}
	}
	if len(programs) < 7 { // five programs, and two Jobs
		t.Errorf("%d programs", len(programs))
	}
}
