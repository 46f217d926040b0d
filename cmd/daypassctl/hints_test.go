package main

import (
	"bytes"
	"context"
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
	if err == nil {
		t.Fatal("the client has credentials")
	}
	var slugs []string
	for _, m := range named.FindAllStringSubmatch(daypass.Advice(err), -1) {
		slugs = append(slugs, m[1])
	}
	return slugs
}

// shown are the rules that a certificate itself shows to be broken: the hint
// names these first.
func shown() []string {
	return []string{
		"leaf-version", "leaf-ca", "leaf-key-usage", "leaf-signature-algorithm", "leaf-subject-empty", "leaf-key-type",
		"leaf-not-yet-valid", "leaf-expired", "leaf-serial", "chain-depth",
	}
}

// TestHintsNameWhatTheSandboxNames gives clients the sandbox's answers: their
// hint names the reason of the decision, alone or with others for which AWS has
// the same words.
func TestHintsNameWhatTheSandboxNames(t *testing.T) {
	seen := map[string]bool{}
	check := func(slug string, d world.Decision, from daypass.Source) {
		if d.Allowed {
			return // spoiled where only explain looks
		}
		seen[d.Reason] = true
		slugs := hinted(t, from)
		if !slices.Contains(slugs, d.Reason) {
			t.Errorf("%s: the decision names %s, the hint %v", slug, d.Reason, slugs)
			return
		}
		if slices.Contains(shown(), d.Reason) && slugs[0] != d.Reason {
			t.Errorf("%s: the certificate shows it, and the hint names %v", slug, slugs)
		}
	}
	anywhere := func(s *scene, answer *httptest.ResponseRecorder) daypass.Source {
		answer.Header().Set("Date", sceneTime.Format(http.TimeFormat))
		return &exchange.RolesAnywhere{
			Key:     fixedKey{&proof.Key{Signer: s.key, Leaf: s.leaf, Chain: s.chain}},
			Client:  &http.Client{Transport: replayed{answer}},
			RoleARN: s.role.ARN, TrustAnchorARN: sceneAnchor, ProfileARN: s.profile.ARN,
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
			check(slug, d, anywhere(s, answer))
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
	for _, slug := range shown() {
		if !seen[slug] {
			t.Errorf("%s: no row", slug)
		}
	}
}
