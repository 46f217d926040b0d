package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"daypass.dev/sandbox/world"
)

// now is when the tokens of this test are good.
var now = time.Unix(1789123698, 0)

// seeds are real tokens of real issuers' shapes, and the keys that verify them.
func seeds(t testing.TB) (tokens []string, keys []byte) {
	r, e := fixedRSA(t), fixedEC(t)
	times := `"iat":1789123688,"nbf":1789123688,"exp":1789124598`
	claims := []string{
		// Kubernetes
		`{"aud":["sts.amazonaws.com"],` + times + `,"iss":"https://oidc.example.com/id/1","jti":"0f9c","kubernetes.io":{"namespace":"default","pod":{"name":"app-0","uid":"6a1e"},"serviceaccount":{"name":"app","uid":"77b2"}},"sub":"system:serviceaccount:default:app"}`,
		// GitHub
		`{"sub":"repo:octo-org/octo-repo:environment:prod","aud":"sts.amazonaws.com","ref":"refs/heads/main","repository":"octo-org/octo-repo","run_attempt":"2","iss":"https://token.actions.githubusercontent.com",` + times + `}`,
		// Google
		`{"aud":"pod","azp":"117","email":"a@p.iam.gserviceaccount.com","email_verified":true,"iss":"https://accounts.google.com","sub":"117",` + times + `}`,
		// everything that AWS reads
		`{"iss":"https://a.example","sub":123,"aud":["x","y"],"azp":"y","amr":["pwd"],"iat":"1789123688","exp":"1789124598",` +
			`"https://aws.amazon.com/tags":{"principal_tags":{"Team":["red"]},"transitive_tag_keys":["team"]},` +
			`"https://aws.amazon.com/tags/principal_tags/Other":"x","https://aws.amazon.com/source_identity":"source",` +
			`"https://aws.amazon.com/roles":"arn:aws:iam::111122223333:role/a;arn:aws:iam::111122223333:role/b"}`,
	}
	set := jose.JSONWebKeySet{}
	for kid, key := range map[string]any{"r": r, "e": e} {
		alg := jose.RS256
		if kid == "e" {
			alg = jose.ES256
		}
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range claims {
			signed, err := s.Sign([]byte(c))
			if err != nil {
				t.Fatal(err)
			}
			text, err := signed.CompactSerialize()
			if err != nil {
				t.Fatal(err)
			}
			tokens = append(tokens, text)
		}
		own := jose.JSONWebKey{Key: key, KeyID: kid, Use: "sig"}
		set.Keys = append(set.Keys, own.Public())
	}
	keys, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return tokens, keys
}

// fixedRSA and fixedEC are the same keys in every process, since fuzzing
// workers verify what another process has signed. They guard nothing.
func fixedRSA(t testing.TB) *rsa.PrivateKey {
	one := big.NewInt(1)
	p, q := fixedPrime(1), fixedPrime(2)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537},
		D:         new(big.Int).ModInverse(big.NewInt(65537), phi), Primes: []*big.Int{p, q},
	}
	key.Precompute()
	if err := key.Validate(); err != nil {
		t.Fatal(err)
	}
	return key
}

// fixedPrime is the first prime of 1024 bits after a number made of seed.
func fixedPrime(seed byte) *big.Int {
	var b []byte
	for i := range byte(4) {
		sum := sha256.Sum256([]byte{seed, i})
		b = append(b, sum[:]...)
	}
	b[0] |= 0xc0
	p := new(big.Int).SetBytes(b)
	p.SetBit(p, 0, 1)
	for two := big.NewInt(2); !p.ProbablyPrime(0); p.Add(p, two) {
	}
	return p
}

func fixedEC(t testing.TB) *ecdsa.PrivateKey {
	sum := sha256.Sum256([]byte("EC"))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// FuzzToken reads tokens. One that verifies must be signed as one of the seeds
// is, and what is taken from it must be within AWS's bounds.
func FuzzToken(f *testing.F) {
	tokens, set := seeds(f)
	keys, err := parseKeys(set)
	if err != nil {
		f.Fatal(err)
	}
	signed := map[string]bool{}
	for _, t := range tokens {
		f.Add(t)
		signed[t[:strings.LastIndex(t, ".")]] = true
	}
	f.Add(tokens[0][:strings.LastIndex(tokens[0], ".")+1])
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.YQ.YQ.YQ.YQ")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := Parse(text)
		if err != nil {
			whole(t, err)
			return
		}
		if err := token.Verify(keys); err != nil {
			whole(t, err)
		} else if !signed[text[:strings.LastIndex(text, ".")]] {
			t.Fatalf("a forged token was verified: %q", text)
		}
		id, err := token.Identity(now)
		if err != nil {
			whole(t, err)
			return
		}
		if len(id.Tags) > maxTags || len(id.Audiences) == 0 || len(id.TransitiveTags) > maxTags {
			t.Errorf("out of bounds: %+v", id)
		}
		for _, key := range id.TransitiveTags {
			if _, ok := id.Tags[key]; !ok {
				t.Errorf("%q goes on and is no tag of %v", key, id.Tags)
			}
		}
		if err := id.Authorize("arn:aws:iam::111122223333:role/a"); err == nil && id.limited && !id.AuthorizedByIDP {
			t.Errorf("a role that the token does not name: %+v", id)
		}
	})
}

// FuzzKeys reads key sets, and chooses from them. What is chosen must be fit
// for the algorithm.
func FuzzKeys(f *testing.F) {
	_, set := seeds(f)
	f.Add(set, "r", "RS256")
	f.Add(set, "e", "ES256")
	f.Add(set, "", "RS256")
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"r","n":"AQAB","e":"AQAB","e":"Aw","use":"sig"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"e"},{"kty":"oct","k":"AA","kid":"o"}]}`), "r", "RS512")
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"r","x5c":["MII="]}]}`), "r", "RS256")
	f.Fuzz(func(t *testing.T, set []byte, kid, alg string) {
		want, known := algorithms[alg]
		keys, err := parseKeys(set)
		if err != nil || !known {
			return
		}
		key, err := keys.choose(kid, alg)
		if err != nil {
			whole(t, err)
			return
		}
		switch key := key.(type) {
		case *rsa.PublicKey:
			if want.kty != "RSA" {
				t.Errorf("an RSA key for %s", alg)
			}
		case *ecdsa.PublicKey:
			if want.crv != key.Curve.Params().Name {
				t.Errorf("a key of %s for %s", key.Curve.Params().Name, alg)
			}
		default:
			t.Errorf("a %T for %s", key, alg)
		}
	})
}

// whole fails for a refusal without a code, a cause or a known slug.
func whole(t *testing.T, err error) {
	t.Helper()
	var e *world.Refusal
	if !errors.As(err, &e) || e.Code == "" || e.Detail == "" || e.Message == "" || len(e.Detail) > 4<<10 {
		t.Errorf("refused with %#v", err)
	}
}

// The seeds are good, so that the fuzzer begins behind the first checks.
func TestSeedsAreTaken(t *testing.T) {
	tokens, set := seeds(t)
	keys, err := parseKeys(set)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range tokens {
		token, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := token.Verify(keys); err != nil {
			t.Error(err)
		}
		id, err := token.Identity(now)
		if err != nil {
			t.Error(err)
		} else if id.Issuer == "a.example" && (fmt.Sprintln(id.Tags, id.TransitiveTags, id.SourceIdentity, id.roles, id.Subject, id.Audience, id.AMR) !=
			"map[Other:x Team:red] [Team] source [arn:aws:iam::111122223333:role/a arn:aws:iam::111122223333:role/b] 123 y [pwd]\n") {
			t.Errorf("read %+v", id)
		}
	}
}
