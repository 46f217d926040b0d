package world

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"daypass.dev/policy"
)

func TestParseReadsProvidersAndIssuers(t *testing.T) {
	text, err := os.ReadFile("testdata/oidc.yaml")
	if err != nil {
		t.Fatal(err)
	}
	w, err := Parse("testdata/oidc.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	all := w.Account("111122223333").OIDCProviders
	p := all["oidc.example.com/id/1"]
	if p == nil || len(all) != 2 || all["OIDC.example.com/id/1"] == nil {
		t.Fatalf("providers %v", all)
	}
	want := OIDCProvider{
		ARN: "arn:aws:iam::111122223333:oidc-provider/oidc.example.com/id/1", URL: "oidc.example.com/id/1",
		ClientIDs: []string{"sts.amazonaws.com", "other"}, Thumbprints: []string{strings.Repeat("a", 40)},
		Tags: map[string]string{"team": "red"}, Created: p.Created,
	}
	if !reflect.DeepEqual(*p, want) || p.Created.IsZero() {
		t.Errorf("provider %+v", p)
	}
	if at, ok := w.Issuer("https://oidc.example.com/id/1"); !ok || at.URL != "http://127.0.0.1:8080" {
		t.Errorf("issuer %+v, %v", at, ok)
	}
	if at, ok := w.Issuer("https://accounts.google.com"); !ok || string(at.JWKS) != `{"keys": []}` {
		t.Errorf("issuer %+v, %v", at, ok)
	}
	if _, ok := w.Issuer("https://elsewhere.example.com"); ok {
		t.Error("an issuer that the world does not name is mapped")
	}
}

func TestParseRefusesProvidersAndIssuers(t *testing.T) {
	for _, c := range []struct{ name, yaml, at, problem string }{
		{"issuer without https", "issuers: {http://a: {url: http://b}}\n", "1:11", "https://"},
		{"issuer with a port", "issuers: {\"https://a:8443\": {url: http://b}}\n", "1:11", "nor port"},
		{"issuer to nowhere", "issuers: {https://a: {}}\n", "1:11", "does not say where"},
		{"issuer to two places", "issuers: {https://a: {url: http://b, jwks: '{\"keys\":[]}'}}\n", "1:11", "does not say where"},
		{"issuer at no URL", "issuers: {https://a: {url: b}}\n", "1:28", "no URL"},
		{"keys of another kind", "issuers: {https://a: {jwks: '{}'}}\n", "1:29", "no JSON Web Key Set"},
		{"no keys file", "issuers: {https://a: {jwksFile: none.json}}\n", "1:33", "no such file"},
		{"provider without URL", inAccount("oidcProviders: [{clientIds: [a]}]"), "3:21", "has no URL"},
		{"provider with a query", inAccount("oidcProviders: [{url: \"https://a/?b\"}]"), "3:27", "neither query"},
		{"provider twice", inAccount("oidcProviders: [{url: https://a}, {url: https://a}]"), "3:39", "stands twice"},
		{"short thumbprint", inAccount("oidcProviders: [{url: https://a, thumbprints: [ab]}]"), "3:52", "40 characters"},
		{"six thumbprints", inAccount("oidcProviders: [{url: https://a, thumbprints: [" + strings.Repeat(strings.Repeat("b", 40)+", ", 6) + "]}]"), "3:51", "more than IAM's 5"},
		{"unknown field", inAccount("oidcProviders: [{uri: https://a}]"), "3:22", `no field "uri"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("w.yaml", []byte(c.yaml))
			var e *ParseError
			if !errors.As(err, &e) {
				t.Fatalf("error %v, want a *ParseError", err)
			}
			if !strings.HasPrefix(e.Error(), "w.yaml:"+c.at+": ") || !strings.Contains(e.Problem, c.problem) || e.Mend == "" {
				t.Errorf("%v\nwant %s: …%s…; mend %q", e, c.at, c.problem, e.Mend)
			}
		})
	}
}

// The first column of refusals was recorded of IAM on 2026-09-11, or is from
// a project that replays IAM's answers.
func TestProviderURL(t *testing.T) {
	for _, c := range []struct{ url, want, refused string }{
		{"https://example.com", "example.com", ""},
		{"https://example.com/path", "example.com/path", ""},
		{"https://example.com/path/", "example.com/path/", ""},
		{"https://example.com:443", "example.com", ""},
		{"https://a443/443", "a443/443", ""},
		{"https://EXAMPLE.COM/MixedCase", "EXAMPLE.COM/MixedCase", ""},
		{"https://example.com/?q=value", "", "InvalidInput: Unknown"},
		{"https://example.com/#fragment", "", "InvalidInput: Unknown"},
		{"http://example.com", "", "InvalidInput: Invalid Open ID Connect Provider URL. The URL must begin with https://."},
		{"https://example.com:8443", "", "InvalidInput: Invalid Open ID Connect Provider URL."},
		{"https://user@example.com", "", "InvalidInput: Invalid Open ID Connect Provider URL."},
		{"example.com", "", "ValidationError: Invalid Open ID Connect Provider URL"},
		{"https://", "", "ValidationError: Invalid Open ID Connect Provider URL"},
	} {
		got, err := ProviderURL(c.url)
		if c.refused != "" {
			if err == nil || err.Error() != c.refused {
				t.Errorf("%s: %q, %v; want %s", c.url, got, err, c.refused)
			}
		} else if err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.url, got, err, c.want)
		}
	}
}

// What a session of a web identity may be asked for, and what only its trust
// policy.
func TestWebIdentityIsInTheSession(t *testing.T) {
	w := New()
	r := w.Account(DefaultAccount).AddRole("r", "/", nil)
	id := &WebIdentity{
		Provider: "arn:aws:iam::111122223333:oidc-provider/a.example", Issuer: "a.example", Subject: "s",
		Audience: "x", Audiences: []string{"x", "y"}, AMR: []string{"pwd"}, AuthorizedByIDP: true,
	}
	key, _, token, err := w.Seal(Session{
		Account: DefaultAccount, RoleName: "r", RoleARN: r.ARN, RoleID: r.ID, Name: "n", WebIdentity: id, Expires: w.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, p, s, err := w.Identify(key, token)
	if err != nil {
		t.Fatal(err)
	}
	ctx := policy.Context{}
	w.AddCallerContext(ctx, p, s)
	for key, want := range map[string][]string{
		"a.example:aud": {"x"}, "a.example:sub": {"s"}, "a.example:amr": {"pwd"}, "a.example:oaud": nil,
		"aws:FederatedProvider": {id.Provider}, "sts:RoleAuthorizedByIdp": nil,
	} {
		if got := ctx[key].List; !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	trust := id.trustConditions(DefaultAccount)
	if v := trust["a.example:oaud"]; len(v.List) != 2 || !v.Multi || trust["sts:RoleAuthorizedByIdp"].List[0] != "true" ||
		trust["aws:userid"].List[0] != id.Provider || trust["aws:PrincipalType"].List[0] != "User" || len(trust["aws:PrincipalArn"].List) != 0 {
		t.Errorf("for the trust policy: %v", trust)
	}
}
