package sts_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
)

func requestRows() map[string][]row {
	google := func(s *stage) {
		s.claim("iss", "https://accounts.google.com")
		s.role("google")
	}
	return map[string][]row{
		"parameter-invalid": {
			{"token of 3 characters", func(s *stage) { s.token = "a.b" }, "Value at 'webIdentityToken' failed to satisfy constraint: Member must have length greater than or equal to 4"},
			{"token of 20001 characters", func(s *stage) { s.token = strings.Repeat("a", 20001) }, "Member must have length less than or equal to 20000"},
			{"huge token", func(s *stage) { s.token = strings.Repeat("a.", 2<<20) }, "Member must have length less than or equal to 20000"},
			{"session name", func(s *stage) { s.in.RoleSessionName = aws.String("a b") }, `Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*`},
			{"short", func(s *stage) { s.in.DurationSeconds = aws.Int32(899) }, "greater than or equal to 900"},
			{"long", func(s *stage) { s.in.DurationSeconds = aws.Int32(43201) }, "less than or equal to 43200"},
			{"role", func(s *stage) { s.in.RoleArn = aws.String("arn:aws:iam::111122223333:user/u") }, "user/u is invalid"},
			{"provider id", func(s *stage) { s.in.ProviderId = aws.String("abc") }, "'providerId'"},
			{"policy", func(s *stage) { s.in.Policy = aws.String(strings.Repeat(" ", 2049)) }, "'policy'"},
		},
		"parameter-malformed": {{"duration over 32 bits", func(s *stage) { s.malformed = "99999999999" }, ""}},
		"policy-malformed":    {{"session policy", func(s *stage) { s.in.Policy = aws.String("{") }, ""}},
		"provider-id-amazon":  {{"a JWT", func(s *stage) { s.in.ProviderId = aws.String("www.amazon.com") }, ""}},
		"provider-id": {
			{"Google", func(s *stage) { s.in.ProviderId = aws.String("accounts.google.com") }, ""},
			{"a URL", func(s *stage) { s.in.ProviderId = aws.String("https://www.amazon.com") }, ""},
			{"own", func(s *stage) { s.in.ProviderId = aws.String("custom.example.test") }, ""},
		},
		"operation-not-built": {
			{"Cognito", func(s *stage) { s.claim("iss", "https://cognito-identity.amazonaws.com") }, ""},
			{"Facebook", func(s *stage) { s.in.ProviderId, s.token = aws.String("graph.facebook.com"), "EAAB" }, ""},
			{"Amazon", func(s *stage) { s.in.ProviderId, s.token = aws.String("www.amazon.com"), "Atza|IQEB" }, ""},
		},
		"provider-google": {{"a provider of one's own", func(s *stage) {
			google(s)
			s.s.World.Lock()
			s.s.World.Account("111122223333").AddOIDCProvider("accounts.google.com")
			s.s.World.Unlock()
		}, ""}},
		"provider-missing": {
			{"unknown issuer", func(s *stage) { s.claim("iss", "https://elsewhere.example.com") }, "No OpenIDConnect provider found in your account for https://elsewhere.example.com"},
			{"slash at the end", func(s *stage) { s.claim("iss", issuerURL+"/") }, ""},
			{"case", func(s *stage) { s.claim("iss", strings.ToUpper(issuerURL)) }, ""},
			{"http", func(s *stage) { s.claim("iss", strings.Replace(issuerURL, "https", "http", 1)) }, ""},
			{"no scheme", func(s *stage) { s.claim("iss", strings.TrimPrefix(issuerURL, "https://")) }, ""},
			{"empty", func(s *stage) { s.claim("iss", "") }, ""},
			{"issuer twice, the last counts", func(s *stage) { s.repeat("iss", issuerURL, "https://elsewhere.example.com") }, "elsewhere"},
			{"role of another account", func(s *stage) { s.in.RoleArn = aws.String("arn:aws:iam::444455556666:role/elsewhere") }, ""},
			{"account that is not there", func(s *stage) { s.in.RoleArn = aws.String("arn:aws:iam::999999999999:role/r") }, ""},
			{"provider deleted", func(s *stage) {
				s.allowed()
				s.s.World.Lock()
				delete(s.s.World.Account("111122223333").OIDCProviders, "oidc.example.com/id/1")
				s.s.World.Unlock()
			}, ""},
		},
		"session-policy-not-found": {{"none", func(s *stage) {
			s.in.PolicyArns = []types.PolicyDescriptorType{{Arn: aws.String(account + "policy/none")}}
		}, "does not exist"}},
	}
}

// public is the issuer's RSA key, as a forger finds it.
func public() *rsa.PublicKey { return signers()["RS256"].key.Public().(*rsa.PublicKey) }

// hs256 signs with a secret.
func (s *stage) hs256(secret []byte) {
	s.header["alg"] = "HS256"
	signed := b64([]byte(text(s.T, s.header))) + "." + b64([]byte(text(s.T, s.claims)))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(signed))
	s.token = signed + "." + b64(mac.Sum(nil))
}

// unsigned is a token without signature, whatever it says of it.
func (s *stage) unsigned(alg string) {
	s.header["alg"] = alg
	s.token = b64([]byte(text(s.T, s.header))) + "." + b64([]byte(text(s.T, s.claims))) + "."
}

func formRows() map[string][]row {
	whole := func(change func(string) string) func(*stage) {
		return func(s *stage) { s.token = change(s.compact()) }
	}
	header := func(name string, value any) func(*stage) { return func(s *stage) { s.header[name] = value } }
	without := func(claim string) func(*stage) { return func(s *stage) { delete(s.claims, claim) } }
	raw := func(claims string) func(*stage) { return func(s *stage) { s.raw = claims } }
	claim := func(name string, value any) func(*stage) { return func(s *stage) { s.claim(name, value) } }
	rows := map[string][]row{
		"token-not-jwt": {
			{"opaque", func(s *stage) { s.token = "ya29.opaque-access-token" }, ""},
			{"one part", func(s *stage) { s.token = "abcd" }, ""},
			{"two parts", whole(func(t string) string { return t[:strings.LastIndex(t, ".")] }), ""},
			{"four parts", whole(func(t string) string { return t + ".e30" }), ""},
			{"trailing garbage", whole(func(t string) string { return t + "!" }), ""},
			{"line break at the end", whole(func(t string) string { return t + "\n" }), ""},
			{"line break inside", whole(func(t string) string { return t[:20] + "\n" + t[20:] }), ""},
			{"blank before", whole(func(t string) string { return " " + t }), ""},
			{"padding", whole(func(t string) string { return t + "=" }), ""},
			{"JSON form", func(s *stage) { s.token = `{"payload":"e30","signatures":[]}` }, ""},
			{"header is no JSON", func(s *stage) { s.token = b64([]byte("junk")) + ".e30.YQ" }, ""},
			{"header is null", func(s *stage) { s.token = b64([]byte("null")) + ".e30.YQ" }, ""},
			{"header with garbage", func(s *stage) { s.token = b64([]byte(`{"alg":"RS256"}x`)) + ".e30.YQ" }, ""},
			{"header says alg twice", func(s *stage) {
				s.token = s.by.sign(`{"alg":"none","kid":"RS256","alg":"RS256"}`, text(s.T, s.claims))
			}, ""},
			{"header without alg", func(s *stage) { delete(s.header, "alg") }, ""},
			{"alg is a number", header("alg", 256), ""},
			{"kid is a number", header("kid", 1), ""},
			{"claims are a list", raw("[]"), ""},
			{"claims are null", raw("null"), ""},
			{"claims with garbage", raw(`{"iss":"` + issuerURL + `"}{}`), ""},
			{"claims nested without end", raw(strings.Repeat("[", 11000)), ""},
			{"an encrypted token signed", raw("eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.YQ.YQ.YQ.YQ"), ""},
		},
		"token-encrypted": {
			{"five parts", func(s *stage) {
				s.token = b64([]byte(`{"alg":"RSA-OAEP","enc":"A256GCM"}`)) + ".YQ.YQ.YQ.YQ"
			}, ""},
			{"enc in the header", header("enc", "A256GCM"), ""},
		},
		"token-critical-header": {
			{"unknown", func(s *stage) { s.header["crit"], s.header["custom"] = []string{"custom"}, "yes" }, ""},
			{"unencoded claims", func(s *stage) { s.header["crit"], s.header["b64"] = []string{"b64"}, false }, ""},
		},
		"token-algorithm": {
			{"none", func(s *stage) { s.unsigned("none") }, ""},
			{"None", func(s *stage) { s.unsigned("None") }, ""},
			{"empty", func(s *stage) { s.unsigned("") }, ""},
			{"none with a signature", header("alg", "none"), ""},
			{"HS256 with the public key's modulus", func(s *stage) { s.hs256(public().N.Bytes()) }, ""},
			{"HS256 with the public key's PEM", func(s *stage) {
				der, err := x509.MarshalPKIXPublicKey(public())
				if err != nil {
					s.Fatal(err)
				}
				s.hs256(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
			}, ""},
			{"PS256", func(s *stage) {
				s.header["alg"] = "PS256"
				s.by = signer{"PS256", crypto.SHA256, pss{signers()["RS256"].key}}
			}, ""},
			{"EdDSA", header("alg", "EdDSA"), ""},
			{"lower case", header("alg", "rs256"), ""},
		},
		"token-claim-type": {
			{"iss is a number", claim("iss", 1), ""},
			{"iss is null", claim("iss", nil), ""},
			{"sub is a list", claim("sub", []string{"subject"}), ""},
			{"sub is true", claim("sub", true), ""},
			{"aud is a number", claim("aud", 1), ""},
			{"aud is null", claim("aud", nil), ""},
			{"aud lists a number", claim("aud", []any{"client-a", 1}), ""},
			{"azp is a number", claim("azp", 1), ""},
			{"azp is null", claim("azp", nil), ""},
		},
	}
	for _, name := range []string{"iss", "sub", "aud", "iat", "exp"} {
		rows["token-claim-missing"] = append(rows["token-claim-missing"], row{name, without(name), fmt.Sprintf("Missing a required claim: %s", name)})
	}
	return rows
}

// pss signs as PS256 does.
type pss struct{ crypto.Signer }

func (p pss) Sign(r io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return p.Signer.Sign(r, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
}
