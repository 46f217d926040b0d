package proof

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// planted stands in the signature of every token that tests make.
const planted = "planted-signature-planted"

// jwt makes a token of claims; nobody here verifies its signature.
func jwt(claims map[string]any) string {
	return encode(map[string]any{"alg": "RS256", "kid": "1"}) + "." + encode(claims) + "." + base64.RawURLEncoding.EncodeToString([]byte(planted))
}

func encode(part any) string {
	text, err := json.Marshal(part)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// Claims of the four kinds of tokens that are met most, as their issuers
// document them.
func ofGoogle() map[string]any {
	return map[string]any{
		"iss": "https://accounts.google.com", "aud": "gtoken/sts/assume-role-with-web-identity",
		"azp": "113475438248934895348", "sub": "113475438248934895348",
		"email": "reports@example.iam.gserviceaccount.com", "email_verified": true,
		"exp": 1800003600, "iat": 1800000000,
	}
}

func ofKubernetes() map[string]any {
	return map[string]any{
		"iss": "https://oidc.example.com/id/1", "aud": []string{"sts.amazonaws.com"}, "sub": "system:serviceaccount:shop:reports",
		"exp": 1800086400, "iat": 1800000000, "nbf": 1800000000, "jti": "b1c2",
		"kubernetes.io": map[string]any{"namespace": "shop", "serviceaccount": map[string]string{"name": "reports", "uid": "u"}},
	}
}

func ofEntra() map[string]any {
	return map[string]any{
		"iss": "https://sts.windows.net/11111111-2222-4333-8444-555555555555/", "aud": "api://daypass", "sub": "66666666-7777-4888-8999-aaaaaaaaaaaa",
		"exp": 1800086400, "iat": 1800000000, "nbf": 1800000000, "aio": "opaque", "rh": "opaque", "uti": "opaque", "ver": "1.0",
	}
}

func ofGitHub() map[string]any {
	return map[string]any{
		"iss": "https://token.actions.githubusercontent.com", "aud": "sts.amazonaws.com", "sub": "repo:shop/reports:ref:refs/heads/main",
		"exp": 1800000300, "iat": 1800000000, "nbf": 1799999400, "jti": "b1c2", "repository": "shop/reports", "run_id": "7",
	}
}

func issuers() map[string]func() map[string]any {
	return map[string]func() map[string]any{"google": ofGoogle, "kubernetes": ofKubernetes, "entra": ofEntra, "github": ofGitHub}
}

func TestTokensAreTakenApart(t *testing.T) {
	for name, claims := range issuers() {
		c := claims()
		text := jwt(c)
		got, err := ParseToken(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var audience []string
		switch aud := c["aud"].(type) {
		case string:
			audience = []string{aud}
		case []string:
			audience = aud
		}
		if got.Text.Reveal() != text || got.Issuer != c["iss"] || got.Subject != c["sub"] || !slices.Equal(got.Audience, audience) ||
			!got.Expires.Equal(time.Unix(int64(c["exp"].(int)), 0)) {
			t.Errorf("%s: got %+v of %v", name, got, c)
		}
		if said := fmt.Sprintf("%v %+v", got, *got); strings.Contains(said, text[len(text)-20:]) {
			t.Errorf("%s: a token prints itself", name)
		}
	}
}

func TestExpInOtherSpellings(t *testing.T) {
	for spelling, want := range map[string]int64{"1800000000": 1800000000, "1.8e9": 1800000000, "1800000000.9": 1800000000} {
		got, err := ParseToken(jwt(map[string]any{"exp": json.RawMessage(spelling)}))
		if err != nil || got.Expires.Unix() != want {
			t.Errorf("%s: %v, %v", spelling, got, err)
		}
	}
}

// A renewed token of the same identity has its name; one that differs in
// anything else has not.
func TestIdentityStaysWhenTheTokenIsRenewed(t *testing.T) {
	identity := func(claims map[string]any) string {
		t.Helper()
		got, err := ParseToken(jwt(claims))
		if err != nil || len(got.Identity()) != 64 {
			t.Fatalf("%v, %v", got, err)
		}
		return got.Identity()
	}
	seen := map[string]string{}
	for name, claims := range issuers() {
		first := identity(claims())
		if other, taken := seen[first]; taken {
			t.Errorf("%s and %s are one", name, other)
		}
		seen[first] = name
		for claim := range claims() {
			c := claims()
			switch c[claim].(type) {
			case int:
				c[claim] = 1900000000
			case []string:
				c[claim] = []string{"another"}
			case map[string]any:
				c[claim] = map[string]any{"another": true}
			case bool:
				c[claim] = false
			default:
				c[claim] = "another"
			}
			if same := identity(c) == first; same != slices.Contains(renewed(), claim) {
				t.Errorf("%s: another %s, the same name: %t", name, claim, same)
			}
			if delete(c, claim); claim != "exp" && (identity(c) == first) != slices.Contains(renewed(), claim) {
				t.Errorf("%s: without %s", name, claim)
			}
		}
		added := claims()
		added["https://aws.amazon.com/tags"] = map[string]any{"principal_tags": map[string]any{"team": []string{"red"}}}
		if identity(added) == first {
			t.Errorf("%s: session tags do not count", name)
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d issuers", len(seen))
	}
}

// wrongTokens are texts that are no token, and what is said of them.
func wrongTokens() map[string]struct{ text, want string } {
	good := strings.Split(jwt(ofGoogle()), ".")
	with := func(change func(c map[string]any)) string {
		c := ofGoogle()
		change(c)
		return jwt(c)
	}
	null := base64.RawURLEncoding.EncodeToString([]byte("null"))
	return map[string]struct{ text, want string }{
		"empty":               {"", "empty"},
		"too large":           {with(func(c map[string]any) { c["x"] = strings.Repeat("x", MaxToken) }), "20000"},
		"PEM":                 {"-----BEGIN CERTIFICATE-----", "PEM"},
		"JSON":                {`{"access_token":"` + jwt(ofGoogle()) + `"}`, "JSON"},
		"two lines":           {jwt(ofGoogle()) + "\n" + jwt(ofGoogle()), "white space"},
		"a space before":      {" " + jwt(ofGoogle()), "white space"},
		"two newlines":        {jwt(ofGoogle()) + "\n\n", "white space"},
		"opaque":              {"ya29." + planted, "three parts"},
		"encrypted":           {strings.Join([]string{good[0], "", "", good[1], good[2]}, "."), "encrypted"},
		"no signature":        {good[0] + "." + good[1] + ".", "signature"},
		"two parts":           {good[0] + "." + good[1], "three parts"},
		"cut off":             {good[0] + "." + good[1][:len(good[1])/2] + "." + good[2], "payload"},
		"padded":              {good[0] + "." + good[1] + "." + good[2] + "==", "signature"},
		"ordinary base64":     {good[0] + "." + good[1] + ".++++", "signature"},
		"header is no JSON":   {"AAAA." + good[1] + "." + good[2], "header"},
		"header is null":      {null + "." + good[1] + "." + good[2], "header"},
		"payload is null":     {good[0] + "." + null + "." + good[2], "payload"},
		"algorithm none":      {encode(map[string]any{"alg": "None"}) + "." + good[1] + "." + good[2], "not signed"},
		"no algorithm":        {encode(map[string]any{"kid": "1"}) + "." + good[1] + "." + good[2], "not signed"},
		"algorithm of a type": {encode(map[string]any{"alg": 1}) + "." + good[1] + "." + good[2], "alg"},
		"no exp":              {with(func(c map[string]any) { delete(c, "exp") }), "lacks exp"},
		"exp in another case": {with(func(c map[string]any) { delete(c, "exp"); c["Exp"] = 1 }), "lacks exp"},
		"exp zero":            {with(func(c map[string]any) { c["exp"] = 0 }), "lacks exp"},
		"exp in the dark":     {with(func(c map[string]any) { c["exp"] = 1e15 }), "lacks exp"},
		"exp a text":          {with(func(c map[string]any) { c["exp"] = "1800000000" }), "exp is of the wrong type"},
		"iss a number":        {with(func(c map[string]any) { c["iss"] = 1 }), "iss"},
		"sub a list":          {with(func(c map[string]any) { c["sub"] = []string{"a"} }), "sub"},
		"aud an object":       {with(func(c map[string]any) { c["aud"] = map[string]any{} }), "aud"},
	}
}

func TestWhatIsNoToken(t *testing.T) {
	for name, c := range wrongTokens() {
		got, err := ParseToken(c.text)
		if err == nil || got != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, %v; want %q", name, got, err, c.want)
			continue
		}
		hidesTokens(t, name, err.Error()+hintOf(err))
	}
}

// hidesTokens fails if said holds a part of what tests plant.
func hidesTokens(t *testing.T, name, said string) {
	t.Helper()
	for _, secret := range []string{
		planted, base64.RawURLEncoding.EncodeToString([]byte(planted)), encode(map[string]any{"alg": "RS256", "kid": "1"}),
	} {
		if strings.Contains(said, secret) {
			t.Errorf("%s: %q holds a secret", name, said)
		}
	}
	if strings.ContainsAny(said, "\n\r\x1b") {
		t.Errorf("%s: %q breaks the line", name, said)
	}
}

func FuzzToken(f *testing.F) {
	for _, claims := range issuers() {
		f.Add(jwt(claims()))
	}
	for _, c := range wrongTokens() {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseToken(text)
		if err != nil {
			if got != nil || strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Fatalf("%v with %q", got, err)
			}
			return
		}
		if got.Text.Reveal() != text || len(text) > MaxToken || got.Expires.Year() > 9999 || got.Expires.Unix() < 1 || len(got.Identity()) != 64 {
			t.Fatalf("%+v", got)
		}
		again, err := ParseToken(text)
		if err != nil || cmp.Diff(got.Audience, again.Audience) != "" || again.Identity() != got.Identity() {
			t.Fatalf("read twice: %v, %v", again, err)
		}
	})
}
