package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"testing"
	"time"

	"daypass.dev"
	"daypass.dev/exchange"
	"daypass.dev/proof"
	"daypass.dev/sandbox/oidc"
	"daypass.dev/sandbox/rolesanywhere"
	"daypass.dev/sandbox/world"
)

// replayed is the sandbox's answer to a spoiled call, given to a client whose
// own key or token is in order.
type replayed struct{ answer *httptest.ResponseRecorder }

func (r replayed) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: r.answer.Code, Header: r.answer.Header(), Body: io.NopCloser(bytes.NewReader(r.answer.Body.Bytes())),
	}, nil
}

type fixedKey struct{ key *proof.Key }

func (k fixedKey) Key(context.Context) (*proof.Key, error) { return k.key, nil }

type fixedToken struct{ token *proof.Token }

func (k fixedToken) Token(context.Context) (*proof.Token, error) { return k.token, nil }

var named = regexp.MustCompile(`\[([a-z0-9-]+)\]`)

// hinted returns the slugs that the client's hint names.
func hinted(t *testing.T, from daypass.Source) []string {
	t.Helper()
	_, err := from.Credentials(t.Context())
	var e *daypass.Error
	if !errors.As(err, &e) {
		t.Fatalf("the client says %v", err)
	}
	var slugs []string
	for _, m := range named.FindAllStringSubmatch(e.Hint, -1) {
		slugs = append(slugs, m[1])
	}
	return slugs
}

// untold are the rules for which AWS has words that it has for many others, or
// none that are known: the client's hint names no slug then. Any other names
// the decision's.
func untold() []string {
	return []string{
		"anchor-bundle", "anchor-bundle-size", "ca-basic-constraints", "ca-expired", "ca-key-type", "ca-key-usage",
		"ca-name-constraints", "ca-not-yet-valid", "ca-path-length", "ca-signature-algorithm", "ca-version",
		"chain-critical-extension", "chain-depth", "chain-issuer-missing", "chain-signature", "duration-over-role",
		"leaf-expired", "leaf-is-anchor", "leaf-key-size", "leaf-key-type", "leaf-not-yet-valid", "leaf-serial",
		"leaf-subject-empty", "policy-action", "policy-condition", "policy-condition-key-missing",
		"policy-condition-multivalued", "policy-explicit-deny", "policy-principal", "role-elsewhere", "source-identity",
		"token-algorithm", "token-claim-type", "token-critical-header", "token-encrypted", "token-not-jwt",
		"token-source-identity", "token-transitive-tags", "trust-no-statement", "trust-source-identity", "trust-tag-session",
	}
}

// TestHintsNameWhatTheSandboxNames gives clients the sandbox's answers: their
// hint names the reason of the decision, or none.
func TestHintsNameWhatTheSandboxNames(t *testing.T) {
	good := newScene(t)
	var silent []string
	check := func(slug string, d world.Decision, from daypass.Source) {
		if d.Allowed {
			return // spoiled where only explain looks
		}
		switch slugs := hinted(t, from); {
		case len(slugs) == 0:
			silent = append(silent, d.Reason)
		case !slices.Contains(slugs, d.Reason):
			t.Errorf("%s: the decision names %s, the hint %v", slug, d.Reason, slugs)
		}
	}
	anywhere := func(answer *httptest.ResponseRecorder) daypass.Source {
		return &exchange.RolesAnywhere{
			Key: fixedKey{&proof.Key{Signer: good.key, Leaf: good.leaf}}, Client: &http.Client{Transport: replayed{answer}},
			RoleARN: sceneRole, TrustAnchorARN: sceneAnchor, ProfileARN: sceneProfile,
		}
	}
	rows, tokens := sceneRows(), tokenRows()
	if len(rows) == 0 || len(tokens) == 0 {
		t.Fatal("there are no rows")
	}
	for slug, spoils := range rows {
		for _, spoil := range spoils {
			s := newScene(t)
			spoil(s)
			answer, d := s.createSession(s.furnish())
			check(slug, d, anywhere(answer))
		}
	}
	for slug, spoils := range tokens {
		for _, spoil := range spoils {
			s := newTokenScene(t)
			spoil(s)
			answer, d := s.ask(s.token())
			check(slug, d, &exchange.WebIdentity{
				Token:   fixedToken{&proof.Token{Text: "a.b.c", Expires: time.Now().Add(time.Hour)}},
				RoleARN: sceneRole, Region: "us-east-1", Client: &http.Client{Transport: replayed{answer}},
			})
		}
	}
	slices.Sort(silent)
	want := untold()
	if got := slices.Compact(silent); !slices.Equal(got, want) {
		t.Errorf("the hints name nothing for\n%q\nwanted\n%q", got, want)
	}
	rules := slices.Concat(rolesanywhere.Rules(), oidc.Rules())
	for _, slug := range want {
		if !slices.Contains(rules, slug) {
			t.Errorf("%s is no rule of the sandbox", slug)
		}
	}
}
