package sts_test

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	model "daypass.dev/sandbox/world"
)

const discoveryPath = "/.well-known/openid-configuration"

// redirect sends to another path.
func redirect(path string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, path, http.StatusFound) }
}

// always answers one text to every request.
func always(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// overTLS moves the issuer to a server with a certificate of its own, and gives
// the provider its thumbprint or none.
func (s *stage) overTLS(thumbprint bool) {
	s.issuer = newIssuer(s.T, func(h http.Handler) *httptest.Server {
		server := httptest.NewUnstartedServer(h)
		server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail as they must
		server.StartTLS()
		return server
	})
	s.s.World.SetIssuer(issuerURL, model.Issuer{URL: s.issuer.URL})
	if !thumbprint {
		return
	}
	sum := sha1.Sum(s.issuer.Certificate().Raw)
	s.s.World.Lock()
	defer s.s.World.Unlock()
	s.s.World.Account("111122223333").OIDCProviders["oidc.example.com/id/1"].Thumbprints = []string{hex.EncodeToString(sum[:])}
}

func issuerRows() map[string][]row {
	at := func(path string, h http.HandlerFunc) func(*stage) { return func(s *stage) { s.issuer.bad[path] = h } }
	discovery := func(member string, value any) func(*stage) {
		return func(s *stage) { s.issuer.discovery[member] = value }
	}
	slow := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	drips := func(w http.ResponseWriter, r *http.Request) {
		for {
			select {
			case <-r.Context().Done():
				return
			case <-time.After(200 * time.Millisecond):
				fmt.Fprint(w, " ")
				_ = http.NewResponseController(w).Flush()
			}
		}
	}
	endless := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := fmt.Fprint(w, strings.Repeat(" ", 1<<16)); err != nil {
				return
			}
		}
	}
	giant := always(200, `{"keys":[],"x":"`+strings.Repeat("x", 1<<20)+`"}`)
	return map[string][]row{
		"issuer-unreachable": {
			{"nobody there", func(s *stage) { s.issuer.Close() }, ""},
			{"no such name", func(s *stage) { s.s.World.SetIssuer(issuerURL, model.Issuer{URL: "http://nowhere.invalid"}) }, ""},
			{"breaks off", at(keysPath, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), ""},
			{"half an answer", at(keysPath, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "100")
				fmt.Fprint(w, "{")
			}), ""},
			{"giant header", at(discoveryPath, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X", strings.Repeat("x", 1<<17))
			}), ""},
		},
		"issuer-slow":        {{"silent", at(discoveryPath, slow), ""}, {"dripping keys", at(keysPath, drips), ""}},
		"issuer-certificate": {{"unknown CA", func(s *stage) { s.overTLS(false) }, ""}, {"other name", func(s *stage) { s.overTLS(true); s.otherName() }, ""}},
		"issuer-redirect": {
			{"to another scheme", at(keysPath, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://"+r.Host+keysPath, http.StatusFound)
			}), ""},
			{"to a file", at(discoveryPath, redirect("file:///etc/passwd")), ""},
			{"round and round", at(discoveryPath, redirect(discoveryPath)), ""},
		},
		"issuer-status": {
			{"no discovery", at(discoveryPath, always(404, "")), ""},
			{"keys for some only", at(keysPath, always(403, `{"keys":[]}`)), ""},
			{"empty answer", at(keysPath, always(204, "")), ""},
		},
		"issuer-too-large": {{"discovery", at(discoveryPath, endless), ""}, {"keys", at(keysPath, giant), ""}},
		"issuer-discovery": {
			{"a page", at(discoveryPath, always(200, "<html>")), ""},
			{"a list", at(discoveryPath, always(200, "[]")), ""},
			{"without keys", discovery("jwks_uri", ""), ""},
			{"keys in a file", discovery("jwks_uri", "file:///etc/passwd"), ""},
			{"keys over FTP", discovery("jwks_uri", "ftp://oidc.example.com/keys"), ""},
			{"keys at a path", discovery("jwks_uri", "/keys.json"), ""},
			{"keys over http though issuer has https", func(s *stage) {
				plain := newIssuer(s.T, httptest.NewServer)
				s.overTLS(true)
				s.issuer.discovery["jwks_uri"] = plain.URL + keysPath
			}, ""},
		},
		"issuer-mismatch": {
			{"another", discovery("issuer", "https://elsewhere.example.com"), ""},
			{"slash at the end", discovery("issuer", issuerURL+"/"), ""},
			{"none", discovery("issuer", ""), ""},
		},
		"issuer-keys": {
			{"a page", at(keysPath, always(200, "<html>")), ""},
			{"a list", at(keysPath, always(200, "[]")), ""},
			{"no keys", at(keysPath, always(200, "{}")), ""},
			{"keys are null", at(keysPath, always(200, `{"keys":null}`)), ""},
			{"a key is a number", at(keysPath, always(200, `{"keys":[1]}`)), ""},
			{"garbage behind", at(keysPath, always(200, `{"keys":[]}x`)), ""},
		},
	}
}

// otherName reaches the issuer under a name that its certificate does not have.
func (s *stage) otherName() {
	s.s.World.SetIssuer(issuerURL, model.Issuer{URL: strings.Replace(s.issuer.URL, "127.0.0.1", "localhost", 1)})
}

// certificate is one for a key, as x5c has it.
func certificate(s *stage, by signer) []string {
	s.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, by.key.Public(), by.key)
	if err != nil {
		s.Fatal(err)
	}
	return []string{base64.StdEncoding.EncodeToString(der)}
}

func keyRows() map[string][]row {
	publish := func(keys ...jwk) func(*stage) { return func(s *stage) { s.issuer.publish(keys...) } }
	own, ec, other := signers()["RS256"].jwk("RS256"), signers()["ES256"].jwk("ES256"), signers()["other RSA"].jwk("RS256")
	many := func(k jwk) (all []jwk) {
		for i := range 100 {
			all = append(all, k.with("kid", fmt.Sprint("extra", i)))
		}
		return append(all, k)
	}
	signWith := func(alg, kid string) func(*stage) {
		return func(s *stage) { s.by, s.header["alg"], s.header["kid"] = signers()[alg], alg, kid }
	}
	return map[string][]row{
		"issuer-keys-many": {
			{"101 RSA keys", publish(append(many(own), ec)...), ""},
			{"101 EC keys", func(s *stage) { signWith("ES256", "ES256")(s); publish(append(many(ec), own)...)(s) }, ""},
		},
		"token-key-ambiguous": {
			{"no kid, six keys", func(s *stage) { delete(s.header, "kid") }, ""},
			{"empty kid", func(s *stage) { s.header["kid"] = "" }, ""},
			{"no kid, the key has none either", func(s *stage) { delete(s.header, "kid"); publish(own.without("kid"))(s) }, ""},
			{"no kid, no keys", func(s *stage) { delete(s.header, "kid"); publish([]jwk{}...)(s); s.issuer.keys = []jwk{} }, ""},
		},
		"token-key-unknown": {
			{"unknown kid", func(s *stage) { s.header["kid"] = "unknown" }, ""},
			{"kid of another case", func(s *stage) { s.header["kid"] = "rs256" }, ""},
			{"key without kid", publish(own.without("kid")), ""},
			{"key for encryption", publish(own.with("use", "enc")), ""},
			{"secret as key", publish(jwk{"kty": "oct", "kid": "RS256", "k": "c2VjcmV0"}), ""},
			{"key of the header", func(s *stage) { s.by, s.header["jwk"], s.header["kid"] = signers()["other RSA"], other, "forged" }, ""},
			{"address of the header", func(s *stage) {
				forger := newIssuer(s.T, httptest.NewServer)
				forger.publish(other.with("kid", "forged"))
				s.by, s.header["jku"], s.header["kid"] = signers()["other RSA"], forger.URL+keysPath, "forged"
			}, ""},
		},
		"token-key-type": {
			{"RS256 with an EC key", func(s *stage) { s.header["kid"] = "ES256" }, ""},
			{"ES256 with an RSA key", signWith("ES256", "RS256"), ""},
			{"ES256 with a P-384 key", signWith("ES256", "ES384"), ""},
		},
		"token-key-ops": {
			{"verify", publish(own.with("key_ops", []string{"verify"})), ""},
			{"sign", publish(own.with("key_ops", []string{"sign"})), ""},
		},
		"token-key-unusable": {
			{"certificate only", func(s *stage) {
				publish(own.without("n", "e").with("x5c", certificate(s, signers()["RS256"])))(s)
			}, ""},
			{"certificate of another key", func(s *stage) {
				publish(own.with("x5c", certificate(s, signers()["other RSA"])))(s)
			}, ""},
			{"modulus is junk", publish(own.with("n", "?")), ""},
			{"point off the curve", func(s *stage) {
				signWith("ES256", "ES256")(s)
				publish(ec.with("x", b64(make([]byte, 32))))(s)
			}, ""},
		},
		"token-signature": {
			{"claims changed", func(s *stage) {
				parts := strings.Split(s.compact(), ".")
				s.claim("sub", "somebody")
				s.token = parts[0] + "." + b64([]byte(text(s.T, s.claims))) + "." + parts[2]
			}, ""},
			{"by another key", func(s *stage) { s.by = signers()["other RSA"] }, ""},
			{"empty", func(s *stage) { s.unsigned("RS256") }, ""},
			{"cut", func(s *stage) { s.token = s.compact(); s.token = s.token[:len(s.token)-4] }, ""},
			{"another hash", func(s *stage) { s.header["alg"] = "RS512" }, ""},
			{"kid twice, the last is wrong", publish(own, other), ""},
			{"EC signature in DER", func(s *stage) {
				signWith("ES256", "ES256")(s)
				t := s.compact()
				i := strings.LastIndex(t, ".")
				raw, err := base64.RawURLEncoding.DecodeString(t[i+1:])
				if err != nil {
					s.Fatal(err)
				}
				der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])})
				if err != nil {
					s.Fatal(err)
				}
				s.token = t[:i+1] + b64(der)
			}, ""},
			{"EC signature of zeros", func(s *stage) {
				signWith("ES256", "ES256")(s)
				t := s.compact()
				s.token = t[:strings.LastIndex(t, ".")+1] + b64(make([]byte, 64))
			}, ""},
		},
	}
}
