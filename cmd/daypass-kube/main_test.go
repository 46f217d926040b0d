package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/internal/cli"
	"daypass.dev/kube/identity"
)

var update = flag.Bool("update", false, "write docs/cli.md anew")

func TestReferenceIsUpToDate(t *testing.T) {
	if err := cli.Document("../../docs/cli.md", root(), *update); err != nil {
		t.Error(err)
	}
}

func TestWrongSettings(t *testing.T) {
	for args, want := range map[string]string{
		"--method magic":       `--method: "magic" is no method`,
		"--trust-anchor-arn a": "--trust-anchor-arn and --profile-arn belong together",
		"--token-life 599":     "no token a life below 10 minutes",
		"--certificate-signer a --certificate-secret b":     "exclude each other",
		"--certificate-issuer-kind a":                       "--certificate-issuer is missing",
		"--log-format xml":                                  "is no format",
		"--kubeconfig /nowhere":                             "reaching the cluster",
		"install":                                           "--namespace is missing",
		"install --namespace daypass --kubeconfig /nowhere": "reaching the cluster",
	} {
		c := root()
		c.SetArgs(append([]string{"webhook"}, strings.Fields(args)...))
		c.SetOut(io.Discard)
		c.SetErr(io.Discard)
		err := c.ExecuteContext(t.Context())
		var told *cli.Error
		if !errors.As(err, &told) || told.Code != cli.Usage || !strings.Contains(err.Error(), want) || told.Hint == "" {
			t.Errorf("%s: %v", args, err)
		}
	}
}

func TestSettingsReachTheWebhook(t *testing.T) {
	all := settings{
		cluster: "prod", trustDomain: "t", method: "google", anchor: "a", profile: "p", image: "i", region: "r",
		regionalSTS: true, agent: true, agentIPv6: true, tokenLife: time.Hour, issuer: "n", issuerKind: "k", issuerGroup: "g",
	}
	s, err := all.read()
	if err != nil {
		t.Fatal(err)
	}
	c := s.Cluster
	if c.Name != "prod" || c.TrustDomain != "t" || c.Method != "google" || c.RolesAnywhere.TrustAnchorARN != "a" || c.RolesAnywhere.ProfileARN != "p" ||
		s.Image != "i" || s.Region != "r" || !s.RegionalSTS || !s.Agent || !s.AgentIPv6 || s.TokenLife != time.Hour ||
		s.Certificates.Issuer.Name != "n" || s.Certificates.Issuer.Kind != "k" || s.Certificates.Issuer.Group != "g" {
		t.Errorf("%+v", s)
	}
	for _, one := range []settings{{signer: "x"}, {secret: "x"}} {
		if s, err := one.read(); err != nil || s.Certificates.Signer+s.Certificates.Secret != "x" {
			t.Errorf("%+v, %v", s, err)
		}
	}
}

// A shelf takes Events and nothing else.
type shelf struct {
	client.Client
	got chan *corev1.Event
}

func (s shelf) Create(_ context.Context, o client.Object, _ ...client.CreateOption) error {
	s.got <- o.(*corev1.Event)
	return nil
}

func TestRefusalsAreToldOnceInAWhile(t *testing.T) {
	s := shelf{got: make(chan *corev1.Event, 10)}
	e := newEvents(t.Context(), "webhook", s, slog.New(slog.DiscardHandler))
	now := time.Now()
	e.now = func() time.Time { return now }
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "1"}}
	long := &identity.Refusal{Slug: "identity-disagreement", Detail: "x" + strings.Repeat("é", 1000)}
	e.refused(account, long)
	event := <-s.got
	if o := event.InvolvedObject; o.Kind != "ServiceAccount" || o.Namespace != "shop" || o.Name != "web" || o.UID != "1" || event.Namespace != "shop" ||
		len(event.Message) > 1024 || !utf8.ValidString(event.Message) || !strings.HasSuffix(event.Message, "é... (identity-disagreement)") || event.Type != "Warning" || event.Count != 1 {
		t.Errorf("%+v", event)
	}
	e.refused(account, long)
	e.refused(account, &identity.Refusal{Slug: "role-arn-malformed", Detail: "d"})
	if event = <-s.got; event.Message != "d (role-arn-malformed)" {
		t.Errorf("told again: %s", event.Message)
	}
	now = now.Add(tellAgain)
	e.refused(account, long)
	<-s.got
	if len(s.got) > 0 {
		t.Errorf("%d more are told", len(s.got))
	}
}

func TestServiceAccountsAreKeptBare(t *testing.T) {
	full := &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "1", ResourceVersion: "7",
			Annotations: map[string]string{identity.RuleEKS: "arn"}, Labels: map[string]string{"a": "b"},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}},
		Secrets: []corev1.ObjectReference{{Name: "s"}},
	}
	kept, err := bare(full)
	a, ok := kept.(*corev1.ServiceAccount)
	if err != nil || !ok || a.Namespace != "shop" || a.Name != "web" || a.UID != "1" || a.ResourceVersion != "7" ||
		a.Annotations[identity.RuleEKS] != "arn" || a.Labels != nil || a.ManagedFields != nil || a.Secrets != nil {
		t.Errorf("%+v, %v", kept, err)
	}
	if other, err := bare("x"); other != "x" || err != nil {
		t.Errorf("%v, %v", other, err)
	}
}
