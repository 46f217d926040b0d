package doctor

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass.dev/config"
	"daypass.dev/doctor"
	"daypass.dev/doctor/gather"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
	"daypass.dev/setup"
)

const (
	issuerURL = "https://oidc.example.com/id/1"
	webWorld  = `
accounts:
  "111122223333":
    oidcProviders:
      - {url: https://oidc.example.com/id/1, clientIds: [sts.amazonaws.com]}
    roles:
      reader:
        trust: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: "sts:AssumeRole"}]}
        policies:
          read: {Version: 2012-10-17, Statement: {Effect: Allow, Action: "s3:GetObject", Resource: "arn:aws:s3:::reports/*"}}
`
)

const (
	issuerHost = "oidc.example.com/id/1"
	webTrust   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/oidc.example.com/id/1"},` +
		`"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"KEY":"x"}}}]}`
)

// A web is a scene whose workload has a token of an issuer, until one thing is
// spoiled.
type web struct {
	*scene
	key            *rsa.PrivateKey
	header, claims map[string]any
	provider       string // its URL
	keys           int
	gone, slow     bool // it answers nobody, at once or as long as anybody waits
	kid            string
	// The issuer's documents; paths that are not there answer 404.
	pages map[string]string
}

// issuerKey signs the tokens of all scenes: to make one takes long.
var issuerKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// aside sends requests for the issuer's host to the issuer of the test.
type aside struct{ to *url.URL }

func (a aside) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = a.to.Scheme, a.to.Host
	r.URL.Path = strings.TrimPrefix(r.URL.Path, "/id/1")
	return http.DefaultTransport.RoundTrip(r)
}

func newWeb(t *testing.T) *web {
	t.Helper()
	s := &scene{TB: t, dir: t.TempDir(), box: sandboxtest.Start(t, webWorld)}
	w := &web{scene: s, pages: map[string]string{}, key: issuerKey()}
	settings := config.Defaults()
	settings.WebIdentityTokenFile, settings.RoleARN, settings.Region = s.file("token"), roleARN, "us-east-1"
	settings.Endpoint, settings.CABundle, settings.WithoutProxy = s.box.URL, s.box.CAFile, true
	operator := s.box.Config()
	s.kase = &gather.Case{Settings: &settings, Operator: &operator, Ask: true}
	w.move(httptest.NewServer)
	w.sound()
	return w
}

// move has a server of this kind be the issuer's.
func (w *web) move(start func(http.Handler) *httptest.Server) {
	w.Helper()
	server := start(w)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail as they must
	w.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		w.Fatal(err)
	}
	w.box.World.SetIssuer(issuerURL, world.Issuer{URL: server.URL})
	w.kase.Client = &http.Client{Transport: aside{at}}
}

func (w *web) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	if w.gone {
		panic(http.ErrAbortHandler) // the connection ends without an answer
	}
	if w.slow {
		<-r.Context().Done()
		return
	}
	page, ok := w.pages[r.URL.Path]
	if strings.HasPrefix(page, "http") {
		http.Redirect(out, r, page, http.StatusFound)
		return
	}
	if !ok {
		http.NotFound(out, r)
		return
	}
	_, _ = out.Write([]byte(page))
}

// google has the token be one of Google's, whom the role trusts, and the account
// have a provider for it.
func (w *web) google() {
	w.Helper()
	const issuer, number = "https://accounts.google.com", "117000000000000000001"
	at := w.where()
	w.claims["iss"], w.claims["sub"], w.claims["azp"], w.claims["aud"] = issuer, number, number, "shop"
	w.token()
	w.pages["/.well-known/openid-configuration"] = text(map[string]any{"issuer": issuer, "jwks_uri": issuer + "/keys"})
	w.box.World.SetIssuer(issuer, at)
	trust, err := setup.TrustPolicy(setup.GoogleAccount{UniqueID: number, Audience: "shop"})
	if err != nil {
		w.Fatal(err)
	}
	w.trust(string(trust))
	w.inAccount(func(a *world.Account) { a.AddOIDCProvider("accounts.google.com") })
}

// sound is a token that keeps the rules, an issuer that lists its key, and the
// narrowest trust policy.
func (w *web) sound() {
	w.Helper()
	now := time.Now().Unix()
	w.keys++
	w.kid = fmt.Sprint("key-", w.keys) // AWS remembers for a while what it read of a key
	w.header = map[string]any{"alg": "RS256", "kid": w.kid, "typ": "JWT"}
	w.claims = map[string]any{"iss": issuerURL, "sub": "system:serviceaccount:shop:web", "aud": []string{"sts.amazonaws.com"}, "iat": now - 10, "exp": now + 3600}
	w.publish(nil)
	w.token()
	w.inAccount(func(a *world.Account) {
		for _, p := range a.OIDCProviders {
			p.ClientIDs = []string{"sts.amazonaws.com"}
		}
	})
	text, err := setup.TrustPolicy(setup.Token{
		ProviderARN: setup.ProviderARN("aws", account, issuerURL), Subject: "system:serviceaccount:shop:web", Audience: "sts.amazonaws.com",
	})
	if err != nil {
		w.Fatal(err)
	}
	w.trust(string(text))
}

// publish lists the issuer's key, with one change.
func (w *web) publish(change func(map[string]any)) {
	jwk := map[string]any{
		"kty": "RSA", "kid": w.kid, "use": "sig", "alg": "RS256",
		"n": base64.RawURLEncoding.EncodeToString(w.key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(w.key.E)).Bytes()),
	}
	if change != nil {
		change(jwk)
	}
	w.pages["/.well-known/openid-configuration"] = text(map[string]any{"issuer": issuerURL, "jwks_uri": issuerURL + "/keys"})
	w.pages["/keys"] = text(map[string]any{"keys": []any{jwk}})
	w.box.World.SetIssuer(issuerURL, w.where()) // forgets what was fetched
}

func (w *web) where() world.Issuer {
	at, _ := w.box.World.Issuer(issuerURL)
	return at
}

func text(v any) string { b, _ := json.Marshal(v); return string(b) }

// token writes the token of header and claims.
func (w *web) token() {
	w.Helper()
	part := base64.RawURLEncoding.EncodeToString
	signed := part([]byte(text(w.header))) + "." + part([]byte(text(w.claims)))
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, w.key, crypto.SHA256, sum[:])
	if err != nil {
		w.Fatal(err)
	}
	w.write("token", []byte(signed+"."+part(signature)))
}

func webRows() []struct {
	row
	spoil func(*web)
	mend  func(*web)
} {
	type rows = []struct {
		row
		spoil func(*web)
		mend  func(*web)
	}
	claim := func(name string, value any) func(*web) {
		return func(w *web) {
			if w.claims[name] = value; value == nil {
				delete(w.claims, name)
			}
			w.token()
		}
	}
	header := func(name string, value any) func(*web) {
		return func(w *web) { w.header[name] = value; w.token() }
	}
	now := time.Now().Unix()
	return rows{
		{row: row{slug: "token-not-jwt", record: "-"}, spoil: func(w *web) { w.write("token", []byte("ya29.access-token")) }},
		{row: row{slug: "token-encrypted", record: "-"}, spoil: func(w *web) { w.write("token", []byte("a.b.c.d.e")) }},
		{row: row{slug: "token-critical-header"}, spoil: header("crit", []string{"exp"})},
		{row: row{slug: "token-algorithm"}, spoil: header("alg", "PS256")},
		{row: row{slug: "token-claim-missing"}, spoil: claim("iat", nil)},
		{row: row{slug: "token-timestamp"}, spoil: claim("iat", float64(now)+0.5)},
		{row: row{slug: "token-issued-in-future"}, spoil: claim("iat", now+3000)},
		{row: row{slug: "token-not-yet-valid"}, spoil: claim("nbf", now+3000)},
		{row: row{slug: "token-expired"}, spoil: claim("exp", now-3000)},
		{row: row{slug: "token-audience-empty"}, spoil: claim("aud", []string{})},
		{row: row{slug: "token-audiences"}, spoil: claim("aud", []string{"sts.amazonaws.com", "other"})},
		{row: row{slug: "token-audience"}, spoil: claim("aud", "other")},
		{row: row{slug: "token-source-identity"}, spoil: claim("https://aws.amazon.com/source_identity", "a")},
		{row: row{slug: "token-tags"}, spoil: claim("https://aws.amazon.com/tags", map[string]any{"principal_tags": map[string]any{"Team": "red"}})},
		{row: row{slug: "token-transitive-tags"}, spoil: claim("https://aws.amazon.com/tags", map[string]any{"principal_tags": map[string]any{}, "transitive_tag_keys": []string{"Team"}})},
		{row: row{slug: "token-roles-format"}, spoil: claim("https://aws.amazon.com/roles", 7)},
		{row: row{slug: "token-roles-none"}, spoil: claim("https://aws.amazon.com/roles", []string{"reader"})},
		{row: row{slug: "token-role"}, spoil: claim("https://aws.amazon.com/roles", []string{roleARN + "s"})},
		{row: row{slug: "token-key-unknown"}, spoil: header("kid", "other")},
		{row: row{slug: "token-key-type"}, spoil: header("alg", "ES256")},
		{row: row{slug: "token-key-ops"}, spoil: func(w *web) { w.publish(func(k map[string]any) { k["key_ops"] = []string{"verify"} }) }},
		{row: row{slug: "token-key-unusable"}, spoil: func(w *web) { w.publish(func(k map[string]any) { delete(k, "n") }) }},
		{row: row{slug: "token-signature"}, spoil: func(w *web) {
			own := w.key
			w.key, _ = rsa.GenerateKey(rand.Reader, 2048)
			w.publish(nil)
			w.key = own
		}},
		{row: row{slug: "token-claim-type", record: "-"}, spoil: claim("sub", true)},
		{row: row{slug: "token-subject-null"}, spoil: func(w *web) { w.claims["sub"] = json.RawMessage("null"); w.token() }},
		{row: row{slug: "token-key-ambiguous"}, spoil: func(w *web) {
			delete(w.header, "kid")
			w.token()
			w.publish(nil)
			w.pages["/keys"] = strings.Replace(w.pages["/keys"], "[", `[{"kty":"RSA","kid":"other","n":"AQAB","e":"AQAB"},`, 1)
		}},
		{row: row{slug: "issuer-keys-many"}, spoil: func(w *web) {
			w.pages["/keys"] = strings.Replace(w.pages["/keys"], "[", "["+strings.Repeat(`{"kty":"RSA","kid":"other","n":"AQAB","e":"AQAB"},`, 100), 1)
		}},
		{row: row{slug: "issuer-too-large"}, spoil: func(w *web) { w.pages["/keys"] += strings.Repeat(" ", 4<<20) }},
		{row: row{slug: "issuer-redirect"}, spoil: func(w *web) {
			w.pages["/.well-known/openid-configuration"] = issuerURL + "/.well-known/openid-configuration"
		}},
		{row: row{slug: "issuer-slow"}, spoil: func(w *web) { w.slow = true }, mend: func(w *web) { w.slow = false }},
		{row: row{slug: "issuer-unreachable"}, spoil: func(w *web) { w.gone = true }, mend: func(w *web) { w.gone = false }},
		{row: row{slug: "policy-condition-key-missing"}, spoil: func(w *web) {
			w.trust(strings.Replace(webTrust, "KEY", issuerHost+":amr", 1))
		}},
		{row: row{slug: "policy-condition-multivalued"}, spoil: func(w *web) {
			w.claims["amr"] = []string{"authenticated", "x"}
			w.token()
			w.trust(strings.Replace(webTrust, "KEY", issuerHost+":amr", 1))
		}},
		{row: row{slug: "trust-no-statement"}, spoil: func(w *web) {
			w.trust(strings.Replace(strings.Replace(webTrust, "KEY", issuerHost+":sub", 1), "Allow", "Deny", 1))
		}},
		{row: row{slug: "issuer-certificate"}, spoil: func(w *web) { w.move(httptest.NewTLSServer) }, mend: func(w *web) { w.move(httptest.NewServer) }},
		{row: row{slug: "provider-google"}, spoil: (*web).google, mend: func(w *web) {
			w.inAccount(func(a *world.Account) { delete(a.OIDCProviders, "accounts.google.com") })
		}},
		{row: row{slug: "issuer-status"}, spoil: func(w *web) { delete(w.pages, "/.well-known/openid-configuration") }},
		{row: row{slug: "issuer-discovery"}, spoil: func(w *web) { w.pages["/.well-known/openid-configuration"] = text(map[string]any{"issuer": issuerURL}) }},
		{row: row{slug: "issuer-mismatch"}, spoil: func(w *web) {
			w.pages["/.well-known/openid-configuration"] = text(map[string]any{"issuer": issuerURL + "/", "jwks_uri": issuerURL + "/keys"})
		}},
		{row: row{slug: "issuer-keys"}, spoil: func(w *web) { w.pages["/keys"] = "[]" }},
		{row: row{slug: "provider-missing"}, spoil: func(w *web) {
			w.inAccount(func(a *world.Account) {
				for arn := range a.OIDCProviders {
					w.provider = a.OIDCProviders[arn].URL
					delete(a.OIDCProviders, arn)
				}
			})
		}, mend: func(w *web) {
			w.inAccount(func(a *world.Account) { a.AddOIDCProvider(w.provider).ClientIDs = []string{"sts.amazonaws.com"} })
		}},
		{row: row{slug: "policy-condition"}, spoil: claim("sub", "system:serviceaccount:shop:other")},
		{row: row{slug: "role-not-found"}, spoil: func(w *web) { w.kase.Settings.RoleARN = roleARN + "s" },
			mend: func(w *web) { w.kase.Settings.RoleARN = roleARN }},
		{row: row{slug: "duration-over-role"}, spoil: func(w *web) { w.kase.Settings.SessionDuration = 2 * time.Hour },
			mend: func(w *web) { w.kase.Settings.SessionDuration = time.Hour }},
		{row: row{slug: "proof-missing", record: "-"}, spoil: func(w *web) { _ = os.Remove(w.file("token")) }},
	}
}

func TestWebIdentity(t *testing.T) {
	rows := webRows()
	if len(rows) < 25 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, r := range rows {
		if r.slug == "issuer-slow" && !everything {
			continue // it takes as long as AWS and doctor wait
		}
		t.Run(r.slug+"/"+r.name, func(t *testing.T) {
			t.Parallel()
			w := newWeb(t)
			r.row.spoil = func(*scene) { r.spoil(w) }
			r.row.mend = func(*scene) {
				if r.mend == nil {
					w.sound()
					return
				}
				r.mend(w)
			}
			r.row.run(t, w.scene)
		})
	}
}

func TestAHealthyTokenIsLeftAlone(t *testing.T) {
	w := newWeb(t)
	w.kase.Request = &doctor.Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::reports/q3"}
	healthy(t, w.diagnose())
	w.kase.Ask = false
	healthy(t, w.diagnose())
}
