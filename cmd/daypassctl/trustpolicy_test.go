package main

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"daypass.dev/sandbox/world"
)

const googleNumber = "103456789012345678901"

// trustPolicyOf runs the command.
func trustPolicyOf(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	c := root()
	c.SetArgs(append([]string{"trust-policy"}, args...))
	c.SetOut(&out)
	if err := c.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// A neighbour is somebody who differs from the one that a policy lets in in
// one thing alone; key is the condition key that must tell them apart, or the
// reason's slug where another layer does.
type neighbour[S any] struct {
	name, key string
	move      func(S)
}

// refused holds the record of a neighbour's call, and what explain says of it,
// to the key.
func refused(t *testing.T, d world.Decision, slug, key string) {
	t.Helper()
	if d.Allowed || slug != d.Reason {
		t.Errorf("allowed %t, the decision says %q, explain %q", d.Allowed, d.Reason, slug)
	}
	if d.Reason != key && (!strings.HasPrefix(d.Reason, "policy-condition") || !strings.Contains(d.Detail, key)) {
		t.Errorf("refused for %s: %s; wanted %s", d.Reason, d.Detail, key)
	}
}

// TestNeighboursWithTokens shows the tokens of neighbours to the sandbox.
func TestNeighboursWithTokens(t *testing.T) {
	claim := func(name string, value any) func(*tokenScene) {
		return func(s *tokenScene) { s.claims[name] = value }
	}
	for method, c := range map[string]struct {
		args       []string
		prepare    func(*tokenScene)
		neighbours []neighbour[*tokenScene]
	}{
		"web-identity": {
			[]string{"--namespace", "shop", "--service-account", "web", "--issuer", "https://" + tokenIssuer, "--account", sceneAccount},
			func(*tokenScene) {},
			[]neighbour[*tokenScene]{
				{"other ServiceAccount", tokenIssuer + ":sub", claim("sub", "system:serviceaccount:shop:cart")},
				{"other namespace", tokenIssuer + ":sub", claim("sub", "system:serviceaccount:shopping:web")},
				{"name that begins alike", tokenIssuer + ":sub", claim("sub", "system:serviceaccount:shop:web2")},
				{"other audience, which the provider has, too", tokenIssuer + ":aud", func(s *tokenScene) {
					s.world.Account(sceneAccount).OIDCProviders[tokenIssuer].ClientIDs = []string{"sts.amazonaws.com", "vault"}
					s.claims["aud"] = "vault"
				}},
				{"other cluster, which the account knows, too", "policy-principal", func(s *tokenScene) {
					const other = "oidc.example.org/id/2"
					s.world.Account(sceneAccount).AddOIDCProvider(other).ClientIDs = []string{"sts.amazonaws.com"}
					s.world.SetIssuer("https://"+other, world.Issuer{JWKS: s.keys()})
					s.claims["iss"] = "https://" + other
				}},
			},
		},
		"google": {
			[]string{"--google-account-id", googleNumber},
			func(s *tokenScene) {
				s.world.SetIssuer("https://accounts.google.com", world.Issuer{JWKS: s.keys()})
				maps.Copy(s.claims, map[string]any{
					"iss": "https://accounts.google.com", "sub": googleNumber, "azp": googleNumber, "aud": "gtoken/sts/assume-role-with-web-identity",
				})
			},
			[]neighbour[*tokenScene]{
				{"other account of the project", "accounts.google.com:", func(s *tokenScene) {
					s.claims["sub"], s.claims["azp"] = "103456789012345678902", "103456789012345678902"
				}},
				{"somebody for whom the account's token was made out", "accounts.google.com:aud", claim("azp", "103456789012345678902")},
				{"other audience", "accounts.google.com:oaud", claim("aud", "https://vault.example.org")},
				{"a ServiceAccount of a cluster that the account knows", "policy-principal", func(s *tokenScene) {
					s.claims["iss"], s.claims["aud"] = "https://"+tokenIssuer, "sts.amazonaws.com"
					delete(s.claims, "azp")
				}},
			},
		},
	} {
		t.Run(method, func(t *testing.T) {
			text := trustPolicyOf(t, append([]string{method}, c.args...)...)
			scene := func(t *testing.T) *tokenScene {
				s := newTokenScene(t)
				s.trust(text)
				c.prepare(s)
				return s
			}
			if d, e := scene(t).both(); !d.Allowed || !e.Allowed {
				t.Errorf("who is meant is refused: %s: %s; explain: %s", d.Reason, d.Detail, e.Reason)
			}
			for _, n := range c.neighbours {
				t.Run(n.name, func(t *testing.T) {
					s := scene(t)
					n.move(s)
					d, e := s.both()
					refused(t, d, e.Reason, n.key)
				})
			}
		})
	}
}

// TestNeighboursWithCertificates shows theirs to Roles Anywhere.
func TestNeighboursWithCertificates(t *testing.T) {
	named := func(uri string) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			u, err := url.Parse(uri)
			if err != nil {
				t.Fatal(err)
			}
			c.URIs = []*url.URL{u}
		}
	}
	text := trustPolicyOf(t, "roles-anywhere", "-n", "shop", "--service-account", "web", "--trust-domain", "prod", "--trust-anchor-arn", sceneAnchor)
	set := func(t *testing.T, uri string) *scene {
		s := newScene(t)
		s.trust(text)
		s.certify(named(uri))
		return s
	}
	ask := func(s *scene) (world.Decision, explanation) {
		_, d := s.createSession(s.furnish())
		e, err := s.files().explain(sceneTime)
		if err != nil {
			t.Fatal(err)
		}
		return d, e
	}
	const web = "spiffe://prod/ns/shop/sa/web"
	if d, e := ask(set(t, web)); !d.Allowed || !e.Allowed {
		t.Fatalf("who is meant is refused: %s: %s; explain: %s", d.Reason, d.Detail, e.Reason)
	}
	for _, n := range []neighbour[*scene]{
		{"spiffe://prod/ns/shop/sa/cart", "x509SAN/URI", nil},
		{"spiffe://prod/ns/other/sa/web", "x509SAN/URI", nil},
		{"spiffe://staging/ns/shop/sa/web", "x509SAN/URI", nil},
		{"no URI", "x509SAN/URI", func(s *scene) { s.certify(nil) }},
		// The trust policy names the anchor of another cluster.
		{"other anchor", "aws:SourceArn", func(s *scene) {
			s.trust(strings.ReplaceAll(text, "11111111-1111", "99999999-1111"))
		}},
	} {
		t.Run(n.name, func(t *testing.T) {
			s := set(t, web)
			if n.move != nil {
				n.move(s)
			} else {
				s.certify(named(n.name))
			}
			d, e := ask(s)
			refused(t, d, e.Reason, n.key)
		})
	}
}

// TestTrustPolicyByEKS: whoever has tags of another ServiceAccount or comes from
// another cluster is told apart by these keys.
func TestTrustPolicyByEKS(t *testing.T) {
	text := trustPolicyOf(t, "eks", "-n", "shop", "--service-account", "web", "--cluster-arn", "arn:aws:eks:eu-west-1:111122223333:cluster/prod")
	var doc struct {
		Statement []struct{ Condition map[string]map[string]string }
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	got := maps.Collect(maps.All(doc.Statement[0].Condition["StringEquals"]))
	got["aws:SourceArn"] = doc.Statement[0].Condition["ArnEquals"]["aws:SourceArn"]
	want := map[string]string{
		"aws:SourceAccount": "111122223333", "aws:SourceArn": "arn:aws:eks:eu-west-1:111122223333:cluster/prod",
		"aws:RequestTag/kubernetes-namespace": "shop", "aws:RequestTag/kubernetes-service-account": "web",
	}
	if !maps.Equal(got, want) {
		t.Errorf("the policy compares %v", got)
	}
}

// Every method has neighbours above, or its keys are held to a list.
func TestEveryTrustMethodIsTried(t *testing.T) {
	tried := []string{"eks", "google", "roles-anywhere", "web-identity"}
	if all := slices.Sorted(maps.Keys(trustMethods())); !slices.Equal(all, tried) {
		t.Errorf("the methods are %v, tried are %v", all, tried)
	}
}
