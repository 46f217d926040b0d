package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"daypass.dev/sandbox/world"
)

const publicIssuer = "https://issuer.example.org/prod"

// A published is a folder, and a cluster whose keys change.
type published struct {
	t   *testing.T
	dir string
	now time.Time
}

func (p *published) file(name string) string { return filepath.Join(p.dir, name) }

func (p *published) write(name string, text []byte) string {
	p.t.Helper()
	if err := os.WriteFile(p.file(name), text, 0o600); err != nil {
		p.t.Fatal(err)
	}
	return p.file(name)
}

func (p *published) json(v any) []byte {
	p.t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

// publish publishes these keys as the cluster's and returns which are there
// then.
func (p *published) publish(next []string, keys ...jose.JSONWebKey) []string {
	p.t.Helper()
	o := p.options(next, keys...)
	if _, err := o.publish(p.t.Context(), p.now); err != nil {
		p.t.Fatal(err)
	}
	text, err := os.ReadFile(p.file("out/" + keysPath))
	if err != nil {
		p.t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(text, &set); err != nil {
		p.t.Fatal(err)
	}
	var all []string
	for _, k := range set.Keys {
		all = append(all, k.KeyID)
	}
	slices.Sort(all)
	return all
}

func (p *published) options(next []string, keys ...jose.JSONWebKey) *oidcOptions {
	about := map[string]any{"issuer": publicIssuer, "jwks_uri": "https://10.0.0.1:6443/openid/v1/jwks", "id_token_signing_alg_values_supported": []string{"RS256"}}
	return &oidcOptions{
		to: p.file("out"), keep: 48 * time.Hour, nextKeys: next,
		discoveryFile: p.write("discovery.json", p.json(about)), keysFile: p.write("jwks.json", p.json(jose.JSONWebKeySet{Keys: keys})),
	}
}

func newIssuerKey(t testing.TB, kid string) (jose.JSONWebKey, crypto.Signer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: key.Public(), KeyID: kid, Algorithm: "ES256", Use: "sig"}, key
}

func TestPublishedKeysOutliveTheCluster(t *testing.T) {
	p := &published{t, t.TempDir(), sceneTime}
	a, _ := newIssuerKey(t, "a")
	b, _ := newIssuerKey(t, "b")
	for _, step := range []struct {
		after time.Duration
		keys  []jose.JSONWebKey
		want  string
	}{
		{0, []jose.JSONWebKey{a}, "a"},
		{time.Hour, []jose.JSONWebKey{a, b}, "a b"},
		{time.Hour, []jose.JSONWebKey{b}, "a b"},      // a is gone as of now
		{47 * time.Hour, []jose.JSONWebKey{b}, "a b"}, // and pods may have tokens of it
		{time.Hour, []jose.JSONWebKey{b}, "b"},
		{time.Hour, []jose.JSONWebKey{a, b}, "a b"}, // it comes back
		{100 * time.Hour, []jose.JSONWebKey{b}, "a b"},
	} {
		p.now = p.now.Add(step.after)
		if got := strings.Join(p.publish(nil, step.keys...), " "); got != step.want {
			t.Fatalf("at %s: %s, wanted %s", p.now, got, step.want)
		}
	}
	about, err := os.ReadFile(p.file("out/" + discoveryPath))
	if err != nil || !strings.Contains(string(about), `"jwks_uri": "`+publicIssuer+`/openid/v1/jwks"`) {
		t.Errorf("%s, %v", about, err)
	}
}

// The kid of a key that is published before the cluster has it must be what
// Kubernetes will call it.
func TestTheNextKeyIsPublishedFirst(t *testing.T) {
	p := &published{t, t.TempDir(), sceneTime}
	a, _ := newIssuerKey(t, "a")
	// This key and its kid are of a Kubernetes 1.36.
	text, err := os.ReadFile("testdata/kubernetes-key.json")
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(text, &set); err != nil || len(set.Keys) != 1 {
		t.Fatal(err, len(set.Keys))
	}
	der, err := x509.MarshalPKIXPublicKey(set.Keys[0].Key)
	if err != nil {
		t.Fatal(err)
	}
	next := p.write("next.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	if got := p.publish([]string{next}, a); !slices.Contains(got, set.Keys[0].KeyID) || len(got) != 2 {
		t.Errorf("published are %v, without %s", got, set.Keys[0].KeyID)
	}
}

func TestWhatIsNotPublished(t *testing.T) {
	a, private := newIssuerKey(t, "a")
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	about := func(p *published, o *oidcOptions, issuer string) {
		p.write("discovery.json", p.json(map[string]string{"issuer": issuer}))
	}
	for want, spoil := range map[string]func(*published, *oidcOptions){
		"could sign": func(p *published, o *oidcOptions) {
			p.write("jwks.json", p.json(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: private, KeyID: "a"}}}))
		},
		"has no kid": func(p *published, o *oidcOptions) {
			p.write("jwks.json", p.json(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: a.Key}}}))
		},
		"it has 1024 bits": func(p *published, o *oidcOptions) {
			p.write("jwks.json", p.json(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: small.Public(), KeyID: "s"}}}))
		},
		"lists no key":                     func(p *published, o *oidcOptions) { p.write("jwks.json", []byte(`{"keys": []}`)) },
		"this is no JSON Web Key Set":      func(p *published, o *oidcOptions) { p.write("jwks.json", []byte(`[]`)) },
		"is no JSON object":                func(p *published, o *oidcOptions) { p.write("discovery.json", []byte(`[`)) },
		"is no https URL":                  func(p *published, o *oidcOptions) { about(p, o, "http://issuer.example.org") },
		"only the cluster itself":          func(p *published, o *oidcOptions) { about(p, o, "https://kubernetes.default.svc.cluster.local") },
		`name the issuer "` + publicIssuer: func(p *published, o *oidcOptions) { o.issuer = "https://other.example.org" },
		"this is the private key": func(p *published, o *oidcOptions) {
			o.nextKeys = []string{p.write("k.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))}
		},
		"it is not PEM":             func(p *published, o *oidcOptions) { o.nextKeys = []string{p.write("k.pem", []byte("x"))} },
		"--to is missing":           func(p *published, o *oidcOptions) { o.to = "" },
		"belong together":           func(p *published, o *oidcOptions) { o.keysFile = "" },
		"remove that file":          func(p *published, o *oidcOptions) { p.broken("out/" + keysPath) },
		"keys that are gone":        func(p *published, o *oidcOptions) { p.broken("out/" + goneFile) },
		"is in the past":            func(p *published, o *oidcOptions) { o.keep = -1 },
		"no such file or directory": func(p *published, o *oidcOptions) { o.keysFile = "nowhere" },
	} {
		t.Run(want, func(t *testing.T) {
			p := &published{t, t.TempDir(), sceneTime}
			o := p.options(nil, a)
			spoil(p, o)
			_, err := o.publish(t.Context(), p.now)
			var told interface{ Advice() string }
			if err == nil {
				t.Fatal("published")
			}
			hint := ""
			if errors.As(err, &told) {
				hint = told.Advice()
			}
			if !strings.Contains(err.Error()+hint, want) {
				t.Errorf("%v; hint: %s", err, hint)
			}
			if strings.Contains(err.Error(), b64(pkcs8)) {
				t.Error("the error holds the key")
			}
			if _, err := os.Stat(p.file("out/" + discoveryPath)); err == nil {
				t.Error("something is published")
			}
		})
	}
}

func (p *published) broken(name string) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(p.file(name)), 0o755); err != nil {
		p.t.Fatal(err)
	}
	p.write(name, []byte("["))
}

// STS verifies tokens by the folder, as a web server serves it, through a
// rotation of the cluster's key.
func TestSTSReadsWhatIsPublished(t *testing.T) {
	p := &published{t, t.TempDir(), sceneTime}
	server := httptest.NewServer(http.FileServer(http.Dir(p.file("out"))))
	t.Cleanup(server.Close)
	first, firstKey := newIssuerKey(t, "1")
	second, secondKey := newIssuerKey(t, "2")
	ask := func(kid string, key crypto.Signer) world.Decision {
		s := newTokenScene(t)
		s.trust(trustPolicyOf(t, "web-identity", "-n", "shop", "--service-account", "web", "--issuer", publicIssuer, "--account", sceneAccount))
		s.world.Account(sceneAccount).AddOIDCProvider(strings.TrimPrefix(publicIssuer, "https://")).ClientIDs = []string{"sts.amazonaws.com"}
		s.world.SetIssuer(publicIssuer, world.Issuer{URL: server.URL})
		maps.Copy(s.claims, map[string]any{"iss": publicIssuer})
		s.header["kid"], s.signer = kid, key.(*ecdsa.PrivateKey)
		d, _ := s.both()
		return d
	}
	p.publish(nil, first)
	if d := ask("1", firstKey); !d.Allowed {
		t.Errorf("the first key: %s: %s", d.Reason, d.Detail)
	}
	if d := ask("2", secondKey); d.Reason != "token-key-unknown" {
		t.Errorf("a key that is not published: %q", d.Reason)
	}
	p.publish(nil, second)
	for kid, key := range map[string]crypto.Signer{"1": firstKey, "2": secondKey} {
		if d := ask(kid, key); !d.Allowed {
			t.Errorf("key %s after the rotation: %s: %s", kid, d.Reason, d.Detail)
		}
	}
	p.now = p.now.Add(48 * time.Hour)
	p.publish(nil, second)
	if d := ask("1", firstKey); d.Reason != "token-key-unknown" {
		t.Errorf("a key that has gone: %q", d.Reason)
	}
}

func FuzzPublished(f *testing.F) {
	a, _ := newIssuerKey(f, "a")
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{a}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text, []byte(`{"issuer":"https://a.example.org"}`))
	f.Fuzz(func(t *testing.T, keys, about []byte) {
		set, err := readIssuerKeys(keys)
		if err == nil {
			text, err := set.text()
			if err != nil {
				return
			}
			if bytes.Contains(text, []byte(`"d"`)) {
				t.Errorf("a private key is published: %s", text)
			}
			if again, err := readIssuerKeys(text); err != nil || len(again.keys) != len(set.keys) {
				t.Errorf("what is published cannot be read: %v", err)
			}
		}
		if doc, err := discoveryDocument(about, ""); err == nil && !json.Valid(doc) {
			t.Errorf("no JSON: %s", doc)
		}
	})
}
