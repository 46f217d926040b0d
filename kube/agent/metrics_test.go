package agent

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"daypass.dev"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
	"daypass.dev/sandbox/world"
)

// gathered are a registry's numbers, by NAME{LABEL=VALUE,...}: of histograms,
// how often something was counted.
func gathered(t *testing.T, from prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			value := m.GetGauge().GetValue()
			if f.GetType() == dto.MetricType_HISTOGRAM {
				value = float64(m.Histogram.GetSampleCount())
			}
			all[f.GetName()+"{"+strings.Join(labels, ",")+"}"] = value
		}
	}
	return all
}

// Calls to AWS are counted by what came of them, and the latest says whether
// AWS is there.
func TestCallsByResult(t *testing.T) {
	m := NewMetrics()
	rows := []struct {
		result string
		up     float64
		err    error
	}{
		{"ok", 1, nil},
		{"refused", 1, &daypass.Error{Code: "AccessDenied", Status: 403}},
		{"throttled", 0, &daypass.Error{Code: "ThrottlingException", Status: 400}},
		{"throttled", 0, &daypass.Error{Code: "Throttling", Status: 400}},
		{"throttled", 0, &daypass.Error{Code: "TooMany", Status: 429}},
		{"failed", 0, &daypass.Error{Code: "InternalFailure", Status: 500}},
		{"failed", 0, errors.New("no route to host")},
		{"ok", 1, nil},
		{"refused", 1, &identity.Refusal{Slug: "agent-request-workload", Detail: "node n1 runs no pod of ServiceAccount job"}},
		{"failed", 0, &identity.Refusal{Slug: "agent-no-signer", Detail: "nobody has answered"}},
		{"refused", 0, &identity.Refusal{Slug: "agent-request-workload", Detail: "AWS was not asked"}},
	}
	want := map[string]float64{}
	for _, row := range rows {
		m.Observe(identity.Identity{Method: v1alpha1.WebIdentity}, row.err, time.Second)
		want["daypass_agent_upstream_seconds{method=web-identity,result="+row.result+"}"]++
		if got := gathered(t, m.registry)["daypass_agent_upstream_up{method=web-identity}"]; got != row.up {
			t.Errorf("after %v: up is %v", row.err, got)
		}
		if (m.Upstream() == nil) != (row.up == 1) {
			t.Errorf("after %v: %v", row.err, m.Upstream())
		}
	}
	got := gathered(t, m.registry)
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%s is %v, not %v", name, got[name], n)
		}
	}
	m.Observe(identity.Identity{Method: v1alpha1.EKS}, errors.New("eks is away"), 0)
	m.Observe(identity.Identity{Method: v1alpha1.RolesAnywhere}, errors.New("anywhere is away"), 0)
	if err := m.Upstream(); err == nil || !strings.Contains(err.Error(), "method eks: eks is away\nmethod roles-anywhere: anywhere is away") {
		t.Errorf("%v", err)
	}
}

// Where AWS throttles is trouble as long as a pod is there that is throttled, and
// no longer: nobody would ask again and find that it is over.
func TestTroubleGoesWithItsPods(t *testing.T) {
	s, m := newStage(t), NewMetrics()
	s.agent.Vendor.Observe = m.Observe
	m.Watch(s.agent.Vendor)
	s.sandbox.World.SetFaults(world.Fault{Throttle: true})
	if given := s.ask(s.sign(claims("shop", "web-1", "web")), ""); given.status == http.StatusOK {
		t.Fatal(given)
	}
	look := func() (error, bool) {
		s.agent.Vendor.Forget(t.Context())
		m.Forget()
		_, shown := gathered(t, m.registry)["daypass_agent_upstream_up{method=web-identity}"]
		return m.Upstream(), shown
	}
	if err, shown := look(); err == nil || !shown {
		t.Errorf("while the pod is there: %v", err)
	}
	s.without("shop", "web-1")
	if err, shown := look(); err != nil || shown {
		t.Errorf("once it is gone: %v", err)
	}
}

// Answers to pods are counted by status.
func TestAnswersByStatus(t *testing.T) {
	m := NewMetrics()
	for _, status := range []int{0, 200, 403, 403} {
		m.Count(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if status != 0 {
				w.WriteHeader(status)
			}
			_, _ = w.Write([]byte("x"))
		})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/v1/credentials", nil))
	}
	got := gathered(t, m.registry)
	if got["daypass_agent_request_seconds{status=200}"] != 2 || got["daypass_agent_request_seconds{status=403}"] != 2 {
		t.Errorf("%v", got)
	}
}

// What is held is told by ServiceAccount: its life, and that it is not there.
// No key, token or role is among the numbers.
func TestCredentialsHeld(t *testing.T) {
	s, m := newStage(t), NewMetrics()
	s.agent.Vendor.Observe = m.Observe
	m.Watch(s.agent.Vendor)
	s.account("shop", "denied", "daypass.dev/role-arn", roleARN)
	s.pod("shop", "denied-1", "denied", "n1")
	given := s.ask(s.sign(claims("shop", "web-1", "web")), "")
	if given.status != http.StatusOK {
		t.Fatal(given)
	}
	if refused := s.ask(s.sign(claims("shop", "denied-1", "denied")), ""); refused.status == http.StatusOK {
		t.Fatal("a role that does not trust the account gave credentials")
	}
	got := gathered(t, m.registry)
	of := func(account string) string {
		return "daypass_agent_credentials_seconds_to_expiry{method=web-identity,service_account=" + account + ",workload_namespace=shop}"
	}
	if life := got[of("web")]; life < 3000 || life > 3600 {
		t.Errorf("life of what was given: %v", life)
	}
	if life, ok := got[of("denied")]; !ok || life != 0 {
		t.Errorf("life of what was not: %v, %v", life, ok)
	}
	for name, want := range map[string]float64{
		"daypass_agent_credentials{method=web-identity}": 2, "daypass_agent_credentials_expired{method=web-identity}": 1,
		"daypass_agent_upstream_seconds{method=web-identity,result=ok}": 1, "daypass_agent_upstream_seconds{method=web-identity,result=refused}": 1,
		"daypass_agent_upstream_up{method=web-identity}": 1,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, not %v", name, got[name], want)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if strings.Contains(name, "arn:") || strings.Contains(name, "ASIA") {
			t.Errorf("%s tells too much", name)
		}
	}
}
