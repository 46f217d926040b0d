package doctor

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// A Provider is the account's OIDC provider for the token's issuer.
type Provider struct {
	Look
	ClientIDs []string
	// Google: the account has one for accounts.google.com, too.
	Google bool
}

func (d *diagnosis) provider() {
	if d.Token == nil || d.Token.claims == nil || d.Provider == nil {
		return
	}
	if d.Token.provider() == google {
		if d.Provider.Google {
			d.fail("provider-google", "the account has a provider for accounts.google.com")
			return
		}
		d.pass("AWS knows Google by itself")
		return
	}
	if !d.looked(d.Provider.Look, "OIDC provider for "+d.Token.Issuer(), "provider-missing") {
		return
	}
	audience := d.Token.audience()
	if !slices.Contains(d.Provider.ClientIDs, audience) {
		d.fail("token-audience", fmt.Sprintf("the token's audience is %.80q, the provider's client ids are %.200q", audience, d.Provider.ClientIDs))
		return
	}
	d.pass("the account has it, with the token's audience")
}

// An Issuer is what stands at the addresses of a token's issuer, as seen from
// where the evidence was collected, which need not be where AWS stands.
type Issuer struct {
	// Reason is a slug of the catalogue if one of the two documents could not be
	// read, and Detail says more.
	Reason, Detail string
	Discovery      []byte
	Keys           []byte
}

// KeysURL is where a discovery document says that the keys are; empty if it
// says nothing of use.
func KeysURL(discovery []byte) string {
	var doc struct {
		Keys string `json:"jwks_uri"`
	}
	if json.Unmarshal(discovery, &doc) != nil || !strings.HasPrefix(doc.Keys, "https://") {
		return ""
	}
	return doc.Keys
}

func (d *diagnosis) issuer() {
	i := d.Issuer
	if i == nil || d.Token == nil || d.Token.claims == nil {
		return
	}
	if i.Reason != "" {
		d.fail(i.Reason, d.Token.Issuer()+": "+i.Detail)
		return
	}
	if i.Discovery != nil {
		var doc struct {
			Issuer string `json:"issuer"`
		}
		switch err := json.Unmarshal(i.Discovery, &doc); {
		case err != nil || KeysURL(i.Discovery) == "":
			d.fail("issuer-discovery", "its discovery document is no JSON object with an https URL as jwks_uri")
			return
		case doc.Issuer != d.Token.Issuer():
			d.fail("issuer-mismatch", fmt.Sprintf("its discovery document says %.200q, the token %.200q", doc.Issuer, d.Token.Issuer()))
			return
		}
	}
	if i.Keys == nil {
		return
	}
	if f := d.Token.verify(i.Keys); f != nil {
		d.fail(f.Reason, f.Detail)
		return
	}
	d.pass("it lists the key by which the token is signed")
}

type algorithm struct {
	kty, crv string
	hash     crypto.Hash
}

func algorithms() map[string]algorithm {
	return map[string]algorithm{
		"RS256": {"RSA", "", crypto.SHA256}, "RS384": {"RSA", "", crypto.SHA384}, "RS512": {"RSA", "", crypto.SHA512},
		"ES256": {"EC", "P-256", crypto.SHA256}, "ES384": {"EC", "P-384", crypto.SHA384}, "ES512": {"EC", "P-521", crypto.SHA512},
	}
}

// digest keeps of what is signed only its hash.
func (t *Token) digest(signed string) {
	switch algorithms()[t.alg].hash {
	case crypto.SHA384:
		sum := sha512.Sum384([]byte(signed))
		t.longer = sum[:]
	case crypto.SHA512:
		sum := sha512.Sum512([]byte(signed))
		t.longer = sum[:]
	default:
		t.signed = sha256.Sum256([]byte(signed))
	}
}

// A jwk is a public key as issuers list it (RFC 7517).
type jwk struct {
	Kty, Kid, Use, Crv string
	N, E, X, Y         string
	Ops                json.RawMessage `json:"key_ops"`
	X5c                []string        `json:"x5c"`
}

// verify finds the token's key in a key set, by the rules of STS, and checks the
// signature.
func (t *Token) verify(set []byte) *Problem {
	var in struct{ Keys []jwk }
	if err := json.Unmarshal(set, &in); err != nil || in.Keys == nil {
		return fault("issuer-keys", "its jwks_uri answers no JSON Web Key Set")
	}
	want := algorithms()[t.alg]
	const most = 100
	same := 0
	var usable []jwk
	for _, k := range in.Keys {
		if k.Kty == want.kty {
			same++
		}
		if k.Kid != "" && (k.Use == "" || k.Use == "sig") && (k.Kty == "RSA" || k.Kty == "EC") {
			usable = append(usable, k)
		}
	}
	if same > most {
		return fault("issuer-keys-many", "it lists %d %s keys, STS takes %d", same, want.kty, most)
	}
	if t.kid == "" && len(usable) != 1 {
		return fault("token-key-ambiguous", "the token names no key, and the issuer lists %d", len(usable))
	}
	for _, k := range slices.Backward(usable) {
		if t.kid != "" && k.Kid != t.kid {
			continue
		}
		switch {
		case k.Kty != want.kty || k.Crv != want.crv:
			return fault("token-key-type", "the token is signed with %s, its key is of type %s %s", t.alg, k.Kty, k.Crv)
		case k.Ops != nil:
			return fault("token-key-ops", "the issuer's key %.60q has key_ops", k.Kid)
		}
		return t.verifyBy(k, want.hash)
	}
	return fault("token-key-unknown", "it lists no signing key with the kid %.60q", t.kid)
}

func (t *Token) verifyBy(k jwk, hash crypto.Hash) *Problem {
	sum := t.longer
	if hash == crypto.SHA256 {
		sum = t.signed[:]
	}
	ok := false
	switch key := k.public().(type) {
	case *rsa.PublicKey:
		ok = rsa.VerifyPKCS1v15(key, hash, sum, t.signature) == nil
	case *ecdsa.PublicKey:
		half := len(t.signature) / 2
		r, s := new(big.Int).SetBytes(t.signature[:half]), new(big.Int).SetBytes(t.signature[half:])
		ok = len(t.signature) == 2*((key.Curve.Params().BitSize+7)/8) && ecdsa.Verify(key, sum, r, s)
	default:
		return fault("token-key-unusable", "the issuer's key %.60q cannot be decoded", k.Kid)
	}
	if !ok {
		return fault("token-signature", "the signature is not by the issuer's key %.60q", k.Kid)
	}
	return nil
}

// public decodes the key; nil if it cannot be.
func (k jwk) public() crypto.PublicKey {
	number := func(s string) *big.Int {
		raw, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil || len(raw) == 0 {
			return nil
		}
		return new(big.Int).SetBytes(raw)
	}
	if k.Kty == "RSA" {
		n, e := number(k.N), number(k.E)
		if n == nil || e == nil || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 {
			return nil
		}
		return &rsa.PublicKey{N: n, E: int(e.Int64())}
	}
	curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[k.Crv]
	x, y := number(k.X), number(k.Y)
	if curve == nil || x == nil || y == nil {
		return nil
	}
	size := (curve.Params().BitSize + 7) / 8
	if max(x.BitLen(), y.BitLen()) > 8*size {
		return nil
	}
	point := make([]byte, 1+2*size) // uncompressed, SEC 1, section 2.3.3
	point[0] = 4
	x.FillBytes(point[1 : 1+size])
	y.FillBytes(point[1+size:])
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil
	}
	return key
}
