package sts_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// issuerURL is who the tokens of these tests are from.
const issuerURL = "https://oidc.example.com/id/1"

// A signer is one of the issuer's keys, under a name of AWS's algorithms.
type signer struct {
	alg  string
	hash crypto.Hash
	key  crypto.Signer
}

// signers are made once, since RSA keys take their time.
var signers = sync.OnceValue(func() map[string]signer {
	must := func(key crypto.Signer, err error) crypto.Signer {
		if err != nil {
			panic(err)
		}
		return key
	}
	all := map[string]signer{}
	r := must(rsa.GenerateKey(rand.Reader, 2048))
	for alg, hash := range map[string]crypto.Hash{"RS256": crypto.SHA256, "RS384": crypto.SHA384, "RS512": crypto.SHA512} {
		all[alg] = signer{alg, hash, r}
	}
	all["other RSA"] = signer{"RS256", crypto.SHA256, must(rsa.GenerateKey(rand.Reader, 2048))}
	for alg, c := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		hash := map[string]crypto.Hash{"ES256": crypto.SHA256, "ES384": crypto.SHA384, "ES512": crypto.SHA512}[alg]
		all[alg] = signer{alg, hash, must(ecdsa.GenerateKey(c, rand.Reader))}
	}
	return all
})

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// sign makes a compact token of any header and claims, in this test's own code.
func (s signer) sign(header, claims string) string {
	text := b64([]byte(header)) + "." + b64([]byte(claims))
	h := s.hash.New()
	h.Write([]byte(text))
	digest := h.Sum(nil)
	if key, ok := s.key.(*ecdsa.PrivateKey); ok {
		r, v, err := ecdsa.Sign(rand.Reader, key, digest)
		if err != nil {
			panic(err)
		}
		size := (key.Curve.Params().BitSize + 7) / 8
		return text + "." + b64(append(r.FillBytes(make([]byte, size)), v.FillBytes(make([]byte, size))...))
	}
	sig, err := s.key.Sign(rand.Reader, digest, s.hash)
	if err != nil {
		panic(err)
	}
	return text + "." + b64(sig)
}

// A jwk is a key as the issuer lists it.
type jwk map[string]any

func (s signer) jwk(kid string) jwk {
	switch key := s.key.Public().(type) {
	case *rsa.PublicKey:
		return jwk{"kid": kid, "kty": "RSA", "alg": s.alg, "use": "sig", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())}
	case *ecdsa.PublicKey:
		point, err := key.Bytes() // 4, x, y
		if err != nil {
			panic(err)
		}
		size := len(point) / 2
		return jwk{
			"kid": kid, "kty": "EC", "alg": s.alg, "use": "sig", "crv": key.Curve.Params().Name,
			"x": b64(point[1 : 1+size]), "y": b64(point[1+size:]),
		}
	}
	panic("no such key")
}

func (k jwk) with(name string, value any) jwk {
	other := maps.Clone(k)
	other[name] = value
	return other
}

func (k jwk) without(names ...string) jwk {
	other := maps.Clone(k)
	for _, n := range names {
		delete(other, n)
	}
	return other
}

// An issuer serves discovery and keys, and can be made to serve them badly.
type issuer struct {
	*httptest.Server
	mu        sync.Mutex
	discovery map[string]any
	keys      []jwk
	cache     string
	bad       map[string]http.HandlerFunc // :: path → what it does instead
	asked     map[string]int              // :: path → times
}

const keysPath = "/keys.json"

func newIssuer(t *testing.T, start func(http.Handler) *httptest.Server) *issuer {
	i := &issuer{
		discovery: map[string]any{"issuer": issuerURL, "jwks_uri": issuerURL + keysPath},
		bad:       map[string]http.HandlerFunc{}, asked: map[string]int{},
	}
	for _, alg := range []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"} {
		i.keys = append(i.keys, signers()[alg].jwk(alg))
	}
	i.Server = start(i)
	t.Cleanup(i.Server.Close)
	return i
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.asked[r.URL.Path]++
	bad, answer := i.bad[r.URL.Path], any(i.discovery)
	if r.URL.Path == keysPath {
		answer = map[string]any{"keys": i.keys}
	}
	text, err := json.Marshal(answer)
	if i.cache != "" {
		w.Header().Set("Cache-Control", i.cache)
	}
	i.mu.Unlock()
	switch {
	case bad != nil:
		bad(w, r)
	case err != nil:
		panic(err)
	default:
		fmt.Fprintf(w, "%s", text)
	}
}

// allowCache says for how long answers may be kept.
func (i *issuer) allowCache(value string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.cache = value
}

// times is how often something was asked for.
func (i *issuer) times(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked[path]
}

// publish replaces the keys.
func (i *issuer) publish(keys ...jwk) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = keys
}
