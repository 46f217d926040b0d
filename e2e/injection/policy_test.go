package injection

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/kube/addons"
	"daypass.dev/kube/inject"
)

// inexpressible are the golden pods that the policies leave as they are, with
// why. docs/injection.md tells it to people.
var inexpressible = map[string]string{
	"cluster-token+policy":                 "an association's session policy; policies see ServiceAccounts alone",
	"cluster-token+chain":                  "an association's target role",
	"cluster-token+session-name":           "an association's role and template",
	"cluster-token+session-name-generated": "an association's role and template",
}

// unnamed are those that get all but AWS_ROLE_SESSION_NAME.
var unnamed = map[string]string{
	"cluster-token+long-name": "the name's tail would be a hash",
}

// TestGoldenPodsByPolicy has the API server itself give golden pods what they
// need, where its policies can.
func TestGoldenPodsByPolicy(t *testing.T) {
	s := newSite(t)
	helm, err := addons.Helm(t.Context(), s.Cluster)
	if err != nil {
		t.Fatal(err)
	}
	all := slices.DeleteFunc(goldens(t), func(g golden) bool { return isMirror(g) || delivery(g) == "" })
	if len(all) < 50 {
		t.Fatalf("%d golden pods", len(all))
	}
	wants, bare := s.wants(all), map[string]string{}
	for _, g := range all {
		if inexpressible[g.name] != "" {
			if bare[g.name], err = s.ask(g.pod); err != nil {
				t.Fatal(err)
			}
		}
		if unnamed[g.name] != "" {
			wants[g.name] = s.without(g)
		}
	}
	t.Cleanup(func() {
		kinds := "mutatingadmissionpolicies,mutatingadmissionpolicybindings,validatingadmissionpolicies,validatingadmissionpolicybindings"
		s.Kubectl("delete", kinds, "--selector=app.kubernetes.io/name=daypass", "--ignore-not-found")
	})
	as := func(g golden) string { return strings.Join(heeded(g.settings), " ") }
	for _, group := range bySettings(all, as) {
		s.Namespace.Apply(s.policies(helm, heeded(group[0].settings)))
		began := time.Now()
		for _, g := range group {
			s.set(g, map[string]string{"daypass.dev/delivery": delivery(g)})
			want, refused := wants[g.name], g.refused
			if inexpressible[g.name] != "" {
				want, refused = bare[g.name], ""
			}
			s.expect(g.name, g.pod, want, refused)
			if g.patched != nil && inexpressible[g.name]+unnamed[g.name] == "" {
				s.expect(g.name+", a second time", g.patched, wants[g.name], "")
			}
		}
		t.Logf("%d after %s", len(group), time.Since(began).Round(time.Millisecond))
	}
	for name := range inexpressible {
		if bare[name] == "" {
			t.Errorf("there is no golden pod %s", name)
		}
	}
}

// delivery is that of a golden pod, if policies know it.
func delivery(g golden) string {
	d, _, _ := strings.Cut(g.name, "+")
	if d == string(inject.ClusterToken) || d == string(inject.Agent) {
		return d
	}
	return ""
}

// heeded are the chart's values for settings that policies heed.
func heeded(s inject.Settings) []string {
	all := []string{"cluster.region=" + s.Region, fmt.Sprint("webhook.regionalSTS=", s.RegionalSTS), fmt.Sprint("webhook.agentIPv6=", s.AgentIPv6)}
	if s.TokenLife != 0 {
		all = append(all, fmt.Sprint("webhook.tokenLifeSeconds=", int(s.TokenLife.Seconds())))
	}
	return all
}

func (s *site) policies(helm string, values []string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	args := []string{"template", "daypass", filepath.Join(s.Cluster.Source, "charts/daypass"), "--namespace=daypass", "--show-only=templates/policy.yaml",
		"--api-versions=admissionregistration.k8s.io/v1/MutatingAdmissionPolicy", "--set=registry=localhost,policy.enabled=true"}
	for _, v := range values {
		args = append(args, "--set="+v)
	}
	cmd := exec.CommandContext(ctx, helm, args...)
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("rendering the policies: %v: %s", err, out)
	}
	return string(out)
}

// without asks what a patched pod is without a name for its session.
func (s *site) without(g golden) string {
	s.t.Helper()
	bare := g.patched.DeepCopy()
	spec := bare.Object["spec"].(map[string]any)
	taken := 0
	for _, k := range []string{"containers", "initContainers"} {
		list, _ := spec[k].([]any)
		for _, c := range list {
			container := c.(map[string]any)
			env, _ := container["env"].([]any)
			container["env"] = slices.DeleteFunc(env, func(v any) bool {
				is := v.(map[string]any)["name"] == "AWS_ROLE_SESSION_NAME"
				if is {
					taken++
				}
				return is
			})
		}
	}
	if taken == 0 {
		s.t.Fatalf("%s has no AWS_ROLE_SESSION_NAME", g.name)
	}
	want, err := s.ask(bare)
	if err != nil {
		s.t.Fatal(err)
	}
	return want
}
