package main

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"daypass.dev/sandbox/oidc"
	"daypass.dev/sandbox/world"
)

const (
	tokenIssuer   = "oidc.example.org/id/1"
	tokenProvider = "arn:aws:iam::" + sceneAccount + ":oidc-provider/" + tokenIssuer
	tokenActions  = `"sts:AssumeRoleWithWebIdentity","sts:TagSession","sts:SetSourceIdentity"`
)

// A tokenScene is a scene whose caller shows a token.
type tokenScene struct {
	*scene
	header, claims map[string]any
	raw            string // in place of the token; empty: as it should be
	signer         *ecdsa.PrivateKey
	trustFile      string // that explain was given
}

func newTokenScene(t *testing.T) *tokenScene {
	s := &tokenScene{
		scene:  newScene(t),
		header: map[string]any{"alg": "ES256", "kid": "1", "typ": "JWT"},
		claims: map[string]any{
			"iss": "https://" + tokenIssuer, "sub": "system:serviceaccount:shop:web", "aud": "sts.amazonaws.com",
			"iat": sceneTime.Unix(), "exp": sceneTime.Add(time.Hour).Unix(),
		},
	}
	s.signer = s.newKey()
	s.name = "pod-1"
	s.trusting(tokenActions, "")
	a := s.world.Account(sceneAccount)
	a.AddOIDCProvider(tokenIssuer).ClientIDs = []string{"sts.amazonaws.com"}
	s.world.SetIssuer("https://"+tokenIssuer, world.Issuer{JWKS: s.keys()})
	return s
}

// trusting sets a trust policy for the provider.
func (s *tokenScene) trusting(actions, condition string) {
	text := sceneTrust(actions, condition)
	s.trust(strings.Replace(text, `"Service":"rolesanywhere.amazonaws.com"`, `"Federated":"`+tokenProvider+`"`, 1))
}

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

func (s *tokenScene) keys() []byte {
	point, err := s.signer.PublicKey.Bytes() // 4, x, y
	s.must(err)
	return s.json(map[string]any{"keys": []any{map[string]string{
		"kty": "EC", "crv": "P-256", "kid": "1", "use": "sig", "x": b64(point[1:33]), "y": b64(point[33:]),
	}}})
}

// token signs header and claims as RFC 7515 says.
func (s *tokenScene) token() string {
	if s.raw != "" {
		return s.raw
	}
	text := b64(s.json(s.header)) + "." + b64(s.json(s.claims))
	sum := sha256.Sum256([]byte(text))
	a, b, err := ecdsa.Sign(rand.Reader, s.signer, sum[:])
	s.must(err)
	signature := append(a.FillBytes(make([]byte, 32)), b.FillBytes(make([]byte, 32))...)
	return text + "." + b64(signature)
}

// ask shows the sandbox a token.
func (s *tokenScene) ask(token string) (*httptest.ResponseRecorder, world.Decision) {
	s.t.Helper()
	form := url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {sceneRole},
		"RoleSessionName": {s.name}, "WebIdentityToken": {token},
	}
	body := []byte(form.Encode())
	r, err := http.NewRequest(http.MethodPost, "https://sts.us-east-1.amazonaws.com/", nil)
	s.must(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.call(s.furnish(), r, body)
}

// both asks the sandbox and explain.
func (s *tokenScene) both() (world.Decision, explanation) {
	s.t.Helper()
	token := s.token()
	_, d := s.ask(token)
	path := filepath.Join(s.t.TempDir(), "token")
	s.must(os.WriteFile(path, []byte(token), 0o600))
	o := s.files()
	o.certificateFile, o.chainFile, o.anchorFile, o.profileFile, o.anchorARN, o.tokenFile = "", "", "", "", "", path
	s.trustFile = o.trustFile
	e, err := o.explain(sceneTime)
	s.must(err)
	if strings.Contains(string(s.json(e)), token) {
		s.t.Error("the explanation holds the token")
	}
	return d, e
}

// notInTokens are the rules of tokens that explain cannot see, and why.
func notInTokens() map[string]string {
	all := map[string]string{
		"token-signature": "needs the issuer's keys", "token-audience": "needs the provider's client ids",
		"provider-unreachable": "is of creating a provider",
	}
	for _, slug := range oidc.Rules() {
		if strings.HasPrefix(slug, "issuer-") || strings.HasPrefix(slug, "token-key-") {
			all[slug] = "needs the issuer's server"
		}
	}
	return all
}

func tokenRows() map[string][]func(*tokenScene) {
	claim := func(name string, value any) func(*tokenScene) {
		return func(s *tokenScene) { s.claims[name] = value }
	}
	header := func(name string, value any) func(*tokenScene) {
		return func(s *tokenScene) { s.header[name] = value }
	}
	const amazon = "https://aws.amazon.com/"
	at := func(d time.Duration) int64 { return sceneTime.Add(d).Unix() }
	return map[string][]func(*tokenScene){
		"token-not-jwt": {
			func(s *tokenScene) { s.raw = "hello" },
			func(s *tokenScene) { s.raw = s.token() + "\n" },
		},
		"token-encrypted":       {header("enc", "A256GCM")},
		"token-critical-header": {header("crit", []string{"x"})},
		"token-algorithm":       {header("alg", "none"), header("alg", "HS256")},
		"token-claim-missing":   {func(s *tokenScene) { delete(s.claims, "sub") }},
		"token-claim-type":      {claim("sub", []int{1}), claim("aud", 1), claim("azp", 1)},

		"token-timestamp":        {claim("exp", 1.5), claim("nbf", "soon")},
		"token-issued-in-future": {claim("iat", at(6*time.Minute))},
		"token-not-yet-valid":    {claim("nbf", at(6*time.Minute))},
		"token-expired":          {claim("exp", at(-6*time.Minute))},

		"token-subject-null":    {claim("sub", nil)},
		"token-audience-empty":  {claim("aud", []string{})},
		"token-audiences":       {claim("aud", []string{"a", "b"})},
		"token-source-identity": {claim(amazon+"source_identity", "a b")},
		"token-tags":            {claim(amazon+"tags", map[string]any{"principal_tags": map[string]any{"k": "v"}})},
		"token-transitive-tags": {claim(amazon+"tags/transitive_tag_keys", []string{"k"})},
		"token-roles-format":    {claim(amazon+"roles", 1)},
		"token-roles-none":      {claim(amazon+"roles", "reader")},
		"token-role":            {claim(amazon+"roles", sceneRole+"2")},
	}
}

func TestExplainNamesWhatTheSandboxNamesOfTokens(t *testing.T) {
	rows, rules := tokenRows(), oidc.Rules()
	if len(rules) == 0 {
		t.Fatal("there are no rules of tokens")
	}
	for _, slug := range rules {
		_, hidden := notInTokens()[slug]
		if hidden == (len(rows[slug]) > 0) {
			t.Errorf("rule %s must either have a row or be named as one that a token does not show", slug)
		}
	}
	for _, slug := range slices.Sorted(maps.Keys(rows)) {
		if !slices.Contains(rules, slug) {
			t.Errorf("the row for %s is of no rule", slug)
		}
		for i, spoil := range rows[slug] {
			t.Run(fmt.Sprint(slug, i), func(t *testing.T) {
				s := newTokenScene(t)
				spoil(s)
				d, e := s.both()
				if d.Reason != slug || e.Reason != slug || e.Allowed || e.Detail != d.Detail || e.Mend != d.Mend {
					t.Errorf("the sandbox names %q (%s; %s), explain %q (%s; %s)", d.Reason, d.Detail, d.Mend, e.Reason, e.Detail, e.Mend)
				}
			})
		}
	}
}

// What the trust policy says of a token, both say.
func TestExplainJudgesTokensAsTheSandbox(t *testing.T) {
	const amazon = "https://aws.amazon.com/"
	tagged := func(s *tokenScene) {
		s.claims[amazon+"tags"] = map[string]any{"principal_tags": map[string]any{"team": []string{"shop"}}, "transitive_tag_keys": []string{"team"}}
		s.claims[amazon+"source_identity"] = "alice"
	}
	only := func(condition string) func(*tokenScene) {
		return func(s *tokenScene) { s.trusting(tokenActions, condition) }
	}
	for name, row := range map[string]struct {
		spoil func(*tokenScene)
		slug  string // empty: allowed
	}{
		"sound":      {func(*tokenScene) {}, ""},
		"all claims": {only(`{"StringEquals":{"` + tokenIssuer + `:sub":"system:serviceaccount:shop:web","` + tokenIssuer + `:aud":"sts.amazonaws.com","sts:RoleSessionName":"pod-1","aws:FederatedProvider":"` + tokenProvider + `"}}`), ""},
		"tags":       {tagged, ""},
		"tags wanted": {func(s *tokenScene) {
			tagged(s)
			only(`{"StringEquals":{"aws:RequestTag/team":"shop","sts:SourceIdentity":"alice"},"ForAllValues:StringEquals":{"sts:TransitiveTagKeys":"team"}}`)(s)
		}, ""},
		"azp": {func(s *tokenScene) {
			s.claims["aud"], s.claims["azp"] = []string{"a", "b"}, "sts.amazonaws.com"
			only(`{"ForAnyValue:StringEquals":{"` + tokenIssuer + `:oaud":"b"}}`)(s)
		}, ""},
		"listed role": {func(s *tokenScene) {
			s.claims[amazon+"roles"] = sceneRole
			only(`{"Bool":{"sts:RoleAuthorizedByIdp":"true"}}`)(s)
		}, ""},
		"subject":   {only(`{"StringEquals":{"` + tokenIssuer + `:sub":"system:serviceaccount:desk:web"}}`), "policy-condition"},
		"no listed": {only(`{"Bool":{"sts:RoleAuthorizedByIdp":"true"}}`), "policy-condition"},
		"amr":       {only(`{"StringEquals":{"` + tokenIssuer + `:amr":"mfa"}}`), "policy-condition-key-missing"},
		"tag session": {func(s *tokenScene) {
			tagged(s)
			s.trusting(`"sts:AssumeRoleWithWebIdentity","sts:SetSourceIdentity"`, "")
		}, "trust-tag-session"},
		"source":          {func(s *tokenScene) { tagged(s); s.trusting(`"sts:AssumeRoleWithWebIdentity","sts:TagSession"`, "") }, "trust-source-identity"},
		"other action":    {func(s *tokenScene) { s.trusting(`"sts:AssumeRole"`, "") }, "policy-action"},
		"other provider":  {func(s *tokenScene) { s.trust(strings.Replace(s.role.Trust.Text, tokenIssuer, "other.example.org", 1)) }, "policy-principal"},
		"a certificate's": {func(s *tokenScene) { s.trust(sceneTrust(tokenActions, "")) }, "policy-principal"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTokenScene(t)
			row.spoil(s)
			d, e := s.both()
			mend := strings.ReplaceAll(e.Mend, s.trustFile, "trust policy of role reader")
			if d.Reason != row.slug || e.Reason != row.slug || d.Allowed != e.Allowed || mend != d.Mend {
				t.Errorf("want %q; the sandbox names %q (%s; %s), explain %q (%s; %s)", row.slug, d.Reason, d.Detail, d.Mend, e.Reason, e.Detail, mend)
			}
		})
	}
}
