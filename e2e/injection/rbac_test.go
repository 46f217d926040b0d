package injection

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"daypass.dev/e2e/kube/addons"
	"daypass.dev/kube/api/v1alpha1"
)

// A right is one verb on one resource, of one rule.
type right struct {
	program string // ServiceAccount
	role    string // kind
	rule    int
	verb    string
	kind    string // resource
}

func (r right) String() string {
	return fmt.Sprintf("%s, %s, rule %d: %s %s", r.program, r.role, r.rule+1, r.verb, r.kind)
}

// TestNoRightIsSpare takes every right of the chart's away in turn, and sees
// the program that has it stop at what it was for.
func TestNoRightIsSpare(t *testing.T) {
	s := newSite(t)
	roles := s.roles("webhook", "detector", "webhook-install", "webhook-uninstall")
	authority := s.register()
	t.Cleanup(func() {
		_, _ = s.Try("delete", "clusterroles,clusterrolebindings", "--selector=test="+s.Name)
		_, _ = s.Try("delete", "mutatingwebhookconfiguration", "daypass", "--ignore-not-found")
	})
	tried := 0
	for _, role := range roles {
		for i, rule := range role.Rules {
			for _, kind := range rule.Resources {
				for _, verb := range rule.Verbs {
					r := right{strings.TrimPrefix(role.Metadata.Name, "daypass-"), role.Kind, i, verb, kind}
					s.grant(roles, r)
					s.misses(r, authority)
					tried++
				}
			}
		}
	}
	if tried < 20 {
		t.Errorf("%d rights", tried)
	}
	t.Logf("%d rights", tried)
}

// rules are a Role or ClusterRole of the chart.
type rules struct {
	Kind     string
	Metadata struct{ Name string }
	Rules    []rbacv1.PolicyRule
}

// roles reads them out of the chart.
func (s *site) roles(programs ...string) []rules {
	s.t.Helper()
	helm, err := addons.Helm(s.t.Context(), s.Cluster)
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := exec.Command(helm, "template", "daypass", filepath.Join(s.Cluster.Source, "charts/daypass"), "--namespace="+s.Name, "--set=registry=localhost").Output()
	if err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	var all []rules
	for _, text := range strings.Split(string(out), "\n---") {
		var r rules
		if err := yaml.Unmarshal([]byte(text), &r); err != nil {
			continue // of no kind that is looked for
		}
		for _, p := range programs {
			if (r.Kind == "Role" || r.Kind == "ClusterRole") && r.Metadata.Name == "daypass-"+p {
				all = append(all, r)
			}
		}
	}
	if len(all) != 6 { // install and uninstall have two
		s.t.Fatalf("the chart has %d roles for %v", len(all), programs)
	}
	return all
}

// grant gives the ServiceAccounts of these roles all of their rights but one.
func (s *site) grant(all []rules, but right) {
	s.t.Helper()
	var manifest strings.Builder
	for _, r := range all {
		if strings.TrimPrefix(r.Metadata.Name, "daypass-") != but.program {
			continue
		}
		var left []rbacv1.PolicyRule
		for i, rule := range r.Rules {
			for _, kind := range rule.Resources {
				one := *rule.DeepCopy()
				one.Resources, one.Verbs = []string{kind}, nil
				for _, verb := range rule.Verbs {
					if but != (right{but.program, r.Kind, i, verb, kind}) {
						one.Verbs = append(one.Verbs, verb)
					}
				}
				if len(one.Verbs) > 0 {
					left = append(left, one)
				}
			}
		}
		text, err := yaml.Marshal(map[string]any{"rules": left})
		if err != nil {
			s.t.Fatal(err)
		}
		meta := "apiVersion: rbac.authorization.k8s.io/v1\nkind: " + r.Kind + "%s\nmetadata: {name: " + s.Name + "-" + r.Metadata.Name + ", labels: {test: " + s.Name + "}}\n"
		fmt.Fprintf(&manifest, meta+"%s---\n", "", text)
		fmt.Fprintf(&manifest, meta+"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: %s, name: %s}\nsubjects: [{kind: ServiceAccount, name: %s, namespace: %s}]\n---\n",
			"Binding", r.Kind, s.Name+"-"+r.Metadata.Name, r.Metadata.Name, s.Name)
	}
	s.Namespace.Apply(manifest.String())
}

// kubeconfig is the administrator's, who acts as a program's ServiceAccount.
func (s *site) kubeconfig(program string) string {
	s.t.Helper()
	text, err := os.ReadFile(s.Cluster.Kubeconfig())
	if err != nil {
		s.t.Fatal(err)
	}
	var c map[string]any
	if err := yaml.Unmarshal(text, &c); err != nil {
		s.t.Fatal(err)
	}
	user := c["users"].([]any)[0].(map[string]any)["user"].(map[string]any)
	user["as"] = "system:serviceaccount:" + s.Name + ":daypass-" + program
	user["as-groups"] = []string{"system:serviceaccounts", "system:serviceaccounts:" + s.Name, "system:authenticated"}
	if text, err = yaml.Marshal(c); err != nil {
		s.t.Fatal(err)
	}
	file := filepath.Join(s.t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

// misses runs a program that lacks a right, has it do what the right is for,
// and waits until it says so.
func (s *site) misses(r right, authority string) {
	s.t.Helper()
	config, admin := "--kubeconfig="+s.kubeconfig(r.program), "--kubeconfig="+s.Cluster.Kubeconfig()
	var env []string
	if r.verb == "list" { // as API servers without streamed lists need it
		env = []string{"KUBE_FEATURE_WatchListClient=false"}
	}
	var p *process
	do := func() {}
	switch r.program {
	case "webhook":
		s.set(torn(), nil)
		p = s.run(env, "webhook", config, "--listen="+reviews, "--health-listen="+health, "--authority="+authority, "--method=web-identity")
		account := "torn" // refused, of which an Event tells
		if r.verb == "get" {
			account = "made-a-moment-ago"
		}
		do = func() { s.review(authority, account) }
	case "detector":
		s.set(torn(), nil)
		if err := s.Create(s.t.Context(), missed()); client.IgnoreAlreadyExists(err) != nil {
			s.t.Fatal(err)
		}
		spare := &v1alpha1.PodIdentityAssociation{ObjectMeta: metav1.ObjectMeta{Name: "spare"}}
		spare.Spec.Namespace, spare.Spec.ServiceAccount, spare.Spec.RoleARN = "nowhere", "x", role
		if err := s.Create(s.t.Context(), spare); err != nil {
			s.t.Fatal(err)
		}
		p = s.run(env, "detector", config, "--health-listen="+health, "--method=web-identity")
	case "webhook-install":
		args := []string{"webhook", "install", config, "--namespace=" + s.Name}
		s.installed(admin, r.verb == "update")
		if r.verb == "update" {
			args = append(args, "--rotate")
		}
		p = s.run(env, args...)
	case "webhook-uninstall":
		s.installed(admin, true)
		p = s.run(env, "webhook", "uninstall", config, "--namespace="+s.Name)
	default:
		s.t.Fatalf("nobody knows what %s does", r.program)
	}
	defer p.end()
	want := fmt.Sprintf("cannot %s resource %q", r.verb, r.kind)
	s.Eventually(time.Minute, r.String()+" being missed", func() error {
		do()
		if log := strings.ReplaceAll(p.log.String(), `\"`, `"`); !strings.Contains(log, want) {
			return fmt.Errorf("no word of %q in\n%s", want, log)
		}
		return nil
	})
}

// installed has the installer's objects there, or not.
func (s *site) installed(config string, there bool) {
	s.t.Helper()
	verb := "uninstall"
	if there {
		verb = "install"
	}
	p := s.run(nil, "webhook", verb, config, "--namespace="+s.Name)
	if err := p.wait(); err != nil {
		s.t.Fatalf("%v: %s", err, p.log)
	}
}

// torn is a ServiceAccount whose pods are refused, with nothing else.
func torn() golden {
	return golden{name: "torn", account: corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "torn", Annotations: map[string]string{"daypass.dev/role-arn": "no role"},
	}}}
}

// missed is a pod of it that nobody refused.
func missed() *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "missed"}, Spec: corev1.PodSpec{
		ServiceAccountName: "torn", Containers: []corev1.Container{{Name: "pause", Image: "localhost/pause:1"}},
	}}
}

// review asks the webhook about a new pod of an account, past the API server,
// which would not let pods of unknown accounts come so far.
func (s *site) review(authority, account string) {
	s.t.Helper()
	text, err := os.ReadFile(authority)
	if err != nil {
		s.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return s.Cluster.Dial(ctx, network, address)
		},
	}}
	body := `{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "1", "operation": "CREATE", "namespace": "shop",
		"resource": {"group": "", "version": "v1", "resource": "pods"}, "object": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
		"spec": {"serviceAccountName": "` + account + `", "containers": [{"name": "c"}]}}}}`
	answer, err := c.Post("https://"+reviews+"/mutate", "application/json", strings.NewReader(body))
	if err == nil { // it may not have started yet
		_ = answer.Body.Close()
	}
}
