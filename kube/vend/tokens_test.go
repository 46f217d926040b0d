package vend

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"daypass.dev/kube/identity"
)

// An issuerOf signs tokens and says with which keys.
type issuerOf struct {
	mu      sync.Mutex
	keys    map[string]*ecdsa.PrivateKey
	err     error
	fetched int
}

func newIssuer(t testing.TB, ids ...string) *issuerOf {
	t.Helper()
	i := &issuerOf{keys: map[string]*ecdsa.PrivateKey{}}
	for _, id := range ids {
		i.add(t, id)
	}
	return i
}

func (i *issuerOf) add(t testing.TB, id string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys[id] = key
}

func (i *issuerOf) set(change func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change()
}

func (i *issuerOf) fetch(context.Context) (Issuer, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fetched++
	if i.err != nil {
		return Issuer{}, i.err
	}
	all := Issuer{URL: "https://issuer.test"}
	for id, key := range i.keys {
		all.Keys.Keys = append(all.Keys.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: id, Algorithm: "ES256", Use: "sig"})
	}
	return all, nil
}

func (i *issuerOf) token(t testing.TB, id string, life time.Duration) string {
	t.Helper()
	i.mu.Lock()
	key := i.keys[id]
	i.mu.Unlock()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	payload, err := json.Marshal(map[string]any{
		"iss": "https://issuer.test", "sub": "system:serviceaccount:shop:web", "aud": []string{Audience},
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(life).Unix(),
		"kubernetes.io": map[string]any{
			"namespace": "shop", "serviceaccount": object{"web", "a"}, "pod": object{"web-1", "p"}, "node": object{"n1", "n"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func slug(err error) string {
	why := (*identity.Refusal)(nil)
	if errors.As(err, &why) {
		return why.Slug
	}
	return ""
}

func TestKeysChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, "k1")
		tokens := &Tokens{Fetch: i.fetch, Node: "n1"}
		old := i.token(t, "k1", 24*time.Hour)
		caller, err := tokens.Caller(t.Context(), old)
		if err != nil || caller.Pod != "web-1" || caller.ServiceAccount != "web" || caller.UID != "p" {
			t.Fatalf("%+v, %v", caller, err)
		}
		time.Sleep(between)
		i.add(t, "k2")
		if _, err := tokens.Caller(t.Context(), i.token(t, "k2", time.Hour)); err != nil {
			t.Errorf("by a new key: %v", err)
		}
		i.set(func() { delete(i.keys, "k1") })
		for range 3 { // the first look finds them stale, and is answered by what is known
			time.Sleep(stale)
			synctest.Wait()
			_, err = tokens.Caller(t.Context(), old)
			synctest.Wait()
		}
		if slug(err) != "agent-token-signature" {
			t.Errorf("by a key that was taken away: %v", err)
		}
	})
}

func TestKeysCannotBeFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, "k1")
		tokens := &Tokens{Fetch: i.fetch, Node: "n1"}
		i.set(func() { i.err = errors.New("connection refused") })
		if _, err := tokens.Caller(t.Context(), i.token(t, "k1", time.Hour)); err == nil || slug(err) != "" || !strings.Contains(err.Error(), "fetching the cluster's keys: connection refused") {
			t.Errorf("at the start: %v", err)
		}
		if tokens.Ready(t.Context()) == nil {
			t.Error("ready without keys")
		}
		i.set(func() { i.err = nil })
		time.Sleep(between)
		token := i.token(t, "k1", 24*time.Hour)
		if _, err := tokens.Caller(t.Context(), token); err != nil || tokens.Ready(t.Context()) != nil {
			t.Errorf("afterwards: %v", err)
		}
		i.set(func() { i.err = errors.New("connection refused") })
		for range 100 {
			time.Sleep(10 * time.Minute)
			if _, err := tokens.Caller(t.Context(), token); err != nil || tokens.Ready(t.Context()) != nil {
				t.Fatalf("the keys that are known do not serve: %v", err)
			}
			synctest.Wait()
		}
	})
}

// A token of a key that nobody knows costs a fetch every five seconds at most,
// however often it is shown.
func TestUnknownKeysAreNotFetchedForEachRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, forger := newIssuer(t, "k1"), newIssuer(t, "k9")
		tokens := &Tokens{Fetch: i.fetch, Node: "n1"}
		forged := forger.token(t, "k9", time.Hour)
		for range 600 {
			if _, err := tokens.Caller(t.Context(), forged); slug(err) != "agent-token-signature" {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if i.fetched > 13 {
			t.Errorf("%d fetches in a minute", i.fetched)
		}
	})
}

func TestParseIssuer(t *testing.T) {
	i, err := ParseIssuer([]byte(`{"issuer":"https://a"}`), []byte(`{"keys":[]}`))
	if err != nil || i.URL != "https://a" {
		t.Error(i, err)
	}
	for _, row := range [][2]string{{"x", `{"keys":[]}`}, {`{"issuer":"https://a"}`, "x"}} {
		if _, err := ParseIssuer([]byte(row[0]), []byte(row[1])); err == nil {
			t.Error(row)
		}
	}
}

func FuzzCaller(f *testing.F) {
	i := newIssuer(f, "k1")
	good := i.token(f, "k1", 100*365*24*time.Hour)
	f.Add(good)
	f.Add("")
	f.Add("a.b.c")
	f.Add(good[:len(good)-1])
	f.Add(strings.Replace(good, ".", "..", 1))
	tokens := &Tokens{Fetch: i.fetch, Node: "n1"}
	f.Fuzz(func(t *testing.T, text string) {
		caller, err := tokens.Caller(t.Context(), text)
		if err == nil && (caller.Pod != "web-1" || caller.Namespace != "shop") {
			t.Errorf("%q is taken for %+v", text, caller)
		}
		if err != nil && slug(err) == "" {
			t.Errorf("%q: %v is no refusal", text, err)
		}
		if err != nil && len(text) > 100 && strings.Contains(err.Error(), text) {
			t.Error("the token is quoted")
		}
	})
}

func BenchmarkCaller(b *testing.B) {
	i := newIssuer(b, "k1")
	tokens, token := &Tokens{Fetch: i.fetch, Node: "n1"}, i.token(b, "k1", time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tokens.Caller(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}
