package survey

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"daypass.dev"
	"daypass.dev/kube/agent"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
	"daypass.dev/kube/inject"
	"daypass.dev/reason"
)

// What an agent says of itself is understood: its own page of metrics, and
// lines of credentials, of which the shortest life counts.
func TestAnAgentsMetrics(t *testing.T) {
	m := agent.NewMetrics()
	m.Observe(identity.Identity{Method: v1alpha1.EKS}, nil, time.Second)
	m.Observe(identity.Identity{Method: v1alpha1.WebIdentity}, &daypass.Error{Code: "InternalFailure", Status: 500}, time.Second)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	of := func(account, method string, left any) string {
		return fmt.Sprintf("daypass_agent_credentials_seconds_to_expiry{workload_namespace=%q,service_account=%q,method=%q} %v\n", "shop", account, method, left)
	}
	text := w.Body.String() + "# TYPE daypass_agent_credentials_seconds_to_expiry gauge\n" +
		of("web", "eks", 1800) + of("web", "web-identity", 600) + of("none", "eks", 0) + of("odd", "eks", "+Inf") + of("odder", "eks", "NaN") + of("oddest", "eks", -4)
	a := Agent{Ready: true}
	if err := a.read(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	if want := map[string]bool{"eks": true, "web-identity": false}; !reflect.DeepEqual(a.Upstream, want) {
		t.Errorf("%v", a.Upstream)
	}
	if want := map[string]float64{"shop/web": 600, "shop/none": 0, "shop/odd": 0, "shop/odder": 0, "shop/oddest": 0}; !reflect.DeepEqual(a.credentials, want) {
		t.Errorf("%v", a.credentials)
	}
	if got := strings.Join(a.Says(), ", "); got != "ready, AWS answers eks, AWS does not answer web-identity" {
		t.Error(got)
	}
	if err := new(Agent).read(strings.NewReader("<html>")); err == nil {
		t.Error("anything is taken for metrics")
	}
}

func FuzzAgentMetrics(f *testing.F) {
	f.Add("# TYPE daypass_agent_credentials_seconds_to_expiry gauge\ndaypass_agent_credentials_seconds_to_expiry{workload_namespace=\"a\"} 1e300\n")
	f.Add("daypass_agent_upstream_up{method=\"x\"} 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		a := Agent{}
		if a.read(strings.NewReader(text)) != nil {
			return
		}
		for of, left := range a.credentials {
			if !(left >= 0 && left < 1e9) {
				t.Errorf("%s: %v", of, left)
			}
		}
	})
}

func event(detail, slug string, at time.Time) *corev1.Event {
	return &corev1.Event{Reason: "IdentityRefused", Message: detail + " (" + slug + ")", LastTimestamp: metav1.NewTime(at)}
}

func TestWhatAnEventTells(t *testing.T) {
	at := time.Now()
	if got := told(event("role (x) does not trust", "policy-condition", at)); got != (Refusal{"policy-condition", "role (x) does not trust", at}) {
		t.Errorf("%+v", got)
	}
	if got := told(&corev1.Event{Reason: "IdentityRefused", Message: "cut off..."}); got.Reason != "IdentityRefused" || got.Detail != "cut off..." {
		t.Errorf("%+v", got)
	}
}

func reads(t *testing.T, r reading, agents ...Agent) map[string]Workload {
	t.Helper()
	r.settings, r.known, r.injects = settings(), true, true
	s := &Status{At: time.Now(), Agents: agents}
	s.Workloads = r.workloads(s.At)
	s.held()
	all := map[string]Workload{}
	for _, w := range s.Workloads {
		all[w.Pod] = w
	}
	return all
}

// Each row has what the cluster, its Events and the agents know of it.
func TestRows(t *testing.T) {
	at := time.Now()
	made := func(name, delivery string) corev1.Pod {
		p := pod(map[string]string{inject.Injected: delivery})
		p.Name, p.Spec.NodeName = name, "n1"
		return *p
	}
	ended := made("ended", "agent")
	ended.Status.Phase = corev1.PodSucceeded
	r := reading{
		pods:     []corev1.Pod{made("one", "agent"), made("sidecar", "sidecar"), ended},
		accounts: []corev1.ServiceAccount{*account(nil), {ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "denied"}}, {ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "mended"}}},
		associations: []v1alpha1.PodIdentityAssociation{{
			ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: v1alpha1.PodIdentityAssociationSpec{Namespace: "shop", ServiceAccount: "web", RoleARN: roleARN, DisableSessionTags: true},
			Status: v1alpha1.PodIdentityAssociationStatus{LastOK: &metav1.Time{Time: at}},
		}},
		certificates: map[string]time.Time{"shop/one": at.Add(time.Hour)},
		refusals: map[string]Refusal{
			"Pod/shop/one":               {"AccessDenied", "no", at.Add(-time.Hour)},
			"ServiceAccount/shop/denied": {"role-arn-malformed", "x is no ARN", at.Add(-time.Minute)},
			"ServiceAccount/shop/mended": {"role-arn-malformed", "x is no ARN", at.Add(-time.Hour)},
		},
	}
	holds := func(left float64) Agent {
		return Agent{Node: "n1", credentials: map[string]float64{"shop/web": left}}
	}
	all := reads(t, r, holds(600))
	one := all["one"]
	if len(all) != 3 || one.Role != roleARN || one.Association != "web" || one.LastOK == nil || !one.LastOK.Equal(at) || one.CertificateExpires == nil {
		t.Errorf("%d rows: %+v", len(all), one)
	}
	if left := time.Until(*one.CredentialsExpire); left < 9*time.Minute || left > 10*time.Minute || one.Reason != "" || one.LastRefusal == nil {
		t.Errorf("%s: %+v", left, one)
	}
	if s := all["sidecar"]; s.CredentialsExpire != nil || s.Reason != "" {
		t.Errorf("%+v", s)
	}
	if d := all[""]; d.ServiceAccount != "denied" || d.Reason != "role-arn-malformed" {
		t.Errorf("%+v", d)
	}

	// Without credentials, the last refusal is the reason, or that there are none.
	if one := reads(t, r, holds(0))["one"]; one.Reason != "AccessDenied" || one.CredentialsExpire != nil {
		t.Errorf("%+v", one)
	}
	delete(r.refusals, "Pod/shop/one")
	one = reads(t, r, holds(0))["one"]
	if _, ok := reason.Lookup(one.Reason); !ok || one.Reason != "credentials-none" {
		t.Errorf("%+v", one)
	}
	// An agent that was not asked yet, or not seen, knows of nothing wrong.
	for _, a := range []Agent{{Node: "n1"}, {Node: "n2", credentials: map[string]float64{"shop/web": 0}}} {
		if one := reads(t, r, a)["one"]; one.Reason != "" || one.CredentialsExpire != nil {
			t.Errorf("%+v", one)
		}
	}
}

// What pods and ServiceAccounts hold beside their identity goes nowhere.
func TestNoSecretIsToldOn(t *testing.T) {
	const planted = "planted-9f2c"
	p, a := pod(map[string]string{inject.Injected: "agent", "example.org/token": planted}), account(map[string]string{"daypass.dev/role-arn": roleARN, "example.org/token": planted})
	p.Spec.NodeName, p.Labels = "n1", map[string]string{"token": planted}
	p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "AWS_SECRET_ACCESS_KEY", Value: planted}}
	p.Spec.Containers[0].Args = []string{"--password=" + planted}
	r := reading{
		pods: []corev1.Pod{*p}, accounts: []corev1.ServiceAccount{*a}, settings: settings(), known: true, injects: true,
	}
	s := &Status{At: time.Now(), Workloads: r.workloads(time.Now()), Agents: []Agent{{Node: "n1", credentials: map[string]float64{"shop/web": 60}}}}
	s.held()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Workloads) != 1 || !strings.Contains(string(text), roleARN) || strings.Contains(string(text), planted) {
		t.Errorf("%s", text)
	}
}
