package injection

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	registration "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/kube/inject"
)

// Where a webhook of these tests listens, on the first node.
const reviews, health = "127.0.0.1:18443", "127.0.0.1:18444"

// A process is a program that runs on the first node, with its log.
type process struct {
	end  func()
	wait func() error // for it to end by itself
	log  *buffer
}

// A buffer may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// run starts daypass-kube on the first node, with more variables, and ends it
// with the test.
func (s *site) run(env []string, args ...string) *process {
	s.t.Helper()
	file, err := s.program()
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd, err := s.Cluster.Command(ctx, file, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	p := &process{log: &buffer{}}
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 15 * time.Second
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	p.wait = sync.OnceValue(cmd.Wait)
	p.end = sync.OnceFunc(func() { cancel(); _ = p.wait() })
	s.t.Cleanup(p.end)
	return p
}

// answers reports whether a path of a program's health endpoint says yes.
func (s *site) answers(path string) bool {
	c := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		return s.Cluster.Dial(ctx, network, address)
	}}}
	r, err := c.Get("http://" + health + path)
	if err != nil {
		return false
	}
	defer r.Body.Close()
	return r.StatusCode == http.StatusOK
}

// flags are settings as the webhook takes them.
func flags(s inject.Settings) []string {
	var all []string
	add := func(name, value string) {
		if value != "" {
			all = append(all, "--"+name+"="+value)
		}
	}
	c := s.Cluster
	add("cluster-name", c.Name)
	add("trust-domain", c.TrustDomain)
	add("method", string(c.Method))
	add("trust-anchor-arn", c.RolesAnywhere.TrustAnchorARN)
	add("profile-arn", c.RolesAnywhere.ProfileARN)
	add("image", s.Image)
	add("region", s.Region)
	add("regional-sts", strconv.FormatBool(s.RegionalSTS))
	add("agent", strconv.FormatBool(s.Agent))
	add("agent-ipv6", strconv.FormatBool(s.AgentIPv6))
	add("certificate-signer", s.Certificates.Signer)
	add("certificate-issuer", s.Certificates.Issuer.Name)
	add("certificate-issuer-kind", s.Certificates.Issuer.Kind)
	add("certificate-issuer-group", s.Certificates.Issuer.Group)
	add("certificate-secret", s.Certificates.Secret)
	if s.TokenLife != 0 {
		add("token-life", strconv.Itoa(int(s.TokenLife.Seconds())))
	}
	return all
}

// webhook starts one on the first node, with these settings.
func (s *site) webhook(authority string, more ...string) *process {
	s.t.Helper()
	p := s.run(nil, append([]string{"webhook", "--kubeconfig=" + s.Cluster.Kubeconfig(), "--listen=" + reviews, "--health-listen=" + health, "--authority=" + authority}, more...)...)
	s.Eventually(30*time.Second, "the webhook", func() error {
		if !s.answers("/readyz") {
			return errors.New("it is not ready: " + p.log.String())
		}
		return nil
	})
	return p
}

// register has the API server ask a webhook on its own machine, by a
// configuration that differs from the installed one in its address alone.
func (s *site) register() (authority string) {
	s.t.Helper()
	now := time.Now()
	a, err := inject.NewAuthority([]string{"localhost"}, now)
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := a.PEM()
	if err != nil {
		s.t.Fatal(err)
	}
	authority = filepath.Join(s.t.TempDir(), "authority.pem")
	if err := os.WriteFile(authority, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	c := inject.Configuration(inject.Registration{Namespace: "nowhere", Service: "nobody"})
	_, port, _ := strings.Cut(reviews, ":")
	url := "https://localhost:" + port + "/mutate"
	for i := range c.Webhooks {
		c.Webhooks[i].ClientConfig = registration.WebhookClientConfig{URL: &url, CABundle: a.Trust(nil, now)}
	}
	c.Name = "daypass-golden"
	_ = s.Delete(s.t.Context(), c.DeepCopy())
	if err := s.Create(s.t.Context(), c); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := client.IgnoreNotFound(s.Delete(context.Background(), c)); err != nil {
			s.t.Error(err)
		}
	})
	return authority
}

// TestGoldenPodsByWebhook asks a running webhook, through a real API server,
// about every golden pod.
func TestGoldenPodsByWebhook(t *testing.T) {
	s := newSite(t)
	all := slices.DeleteFunc(goldens(t), isMirror)
	wants := s.wants(all)
	authority := s.register()
	asked := 0
	for _, group := range bySettings(all, func(g golden) string { return key(g.settings) }) {
		began := time.Now()
		p := s.webhook(authority, flags(group[0].settings)...)
		ready := time.Since(began)
		for _, g := range group {
			s.set(g, nil)
			s.expect(g.name, g.pod, wants[g.name], g.refused)
			if g.patched != nil && strings.Join(s.said.all, "\n") != g.warnings { // it may have learnt of the change between two reviews of one pod
				s.expect(g.name, g.pod, wants[g.name], g.refused)
			}
			if got := strings.Join(s.said.all, "\n"); g.patched != nil && got != g.warnings {
				t.Errorf("%s: whoever makes it is told\n%s\nnot\n%s", g.name, got, g.warnings)
			}
			if g.patched != nil {
				s.expect(g.name+", a second time", g.patched, wants[g.name], "")
			}
			asked++
		}
		p.end()
		t.Logf("%d of them after %s, all after %s", len(group), ready.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
		if t.Failed() {
			t.Fatalf("the webhook says:\n%s", p.log)
		}
	}
	if asked != len(all) {
		t.Errorf("%d of %d were asked about", asked, len(all))
	}
	t.Logf("%d golden pods", asked)
}
