package oidc

import (
	"encoding/json"

	"github.com/go-jose/go-jose/v4"
)

// maxKeys of each type is what STS takes; with more RSA keys than that, RSA
// tokens are refused and EC tokens are not (recorded), and the reverse
// (documented).
const maxKeys = 100

// Keys are the keys of one issuer, as its JSON Web Key Set (RFC 7517) lists
// them.
type Keys struct {
	byID  map[string]listed // :: kid → key; the last of a kid counts
	count map[string]int    // :: kty → keys
}

type listed struct {
	kty, crv string
	ops      bool // it has key_ops
	raw      json.RawMessage
}

// parseKeys reads a key set. Keys that STS does not use, since they have no
// kid, another use than sig, or a type other than RSA and EC, are left out.
func parseKeys(data []byte) (*Keys, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil || set.Keys == nil {
		return nil, invalid("issuer-keys", noKey, "the issuer's jwks_uri answers no JSON Web Key Set")
	}
	k := &Keys{byID: map[string]listed{}, count: map[string]int{}}
	for _, raw := range set.Keys {
		var m map[string]json.RawMessage
		if err := json.Unmarshal(raw, &m); err != nil {
			return nil, invalid("issuer-keys", noKey, "the issuer's key set lists something that is no key")
		}
		k.add(m)
	}
	return k, nil
}

func (k *Keys) add(m map[string]json.RawMessage) {
	var kty, kid, use string
	isText(m["kty"], &kty)
	isText(m["kid"], &kid)
	isText(m["use"], &use)
	k.count[kty]++
	if kid == "" || use != "" && use != "sig" || kty != "RSA" && kty != "EC" {
		return
	}
	one := listed{kty: kty}
	isText(m["crv"], &one.crv)
	_, one.ops = m["key_ops"]
	// Written anew: so the last of two members of a name counts, alg does not
	// (recorded), and what nobody should have published is not read.
	public := map[string]json.RawMessage{}
	for _, name := range []string{"kty", "n", "e", "crv", "x", "y", "x5c"} {
		if value, ok := m[name]; ok {
			public[name] = value
		}
	}
	one.raw, _ = json.Marshal(public) // of what was JSON
	k.byID[kid] = one
}

// has reports whether there is a key of a token's kid; a token without one has
// nothing that a newer key set could answer better.
func (k *Keys) has(kid string) bool {
	_, ok := k.byID[kid]
	return ok || kid == ""
}

// choose finds the public key by which a token must be signed. A token without
// kid can be verified only if there is but one key. That keys of the other type
// are counted then is unchecked.
func (k *Keys) choose(kid, alg string) (any, error) {
	want := algorithms[alg]
	if n := k.count[want.kty]; n > maxKeys {
		return nil, invalid("issuer-keys-many", noKey, "the issuer lists %d %s keys, STS takes %d", n, want.kty, maxKeys)
	}
	key, ok := k.byID[kid]
	if kid == "" {
		if len(k.byID) != 1 {
			return nil, invalid("token-key-ambiguous", noKey, "the token names no key, and the issuer lists %d that could be meant", len(k.byID))
		}
		for _, only := range k.byID {
			key, ok = only, true
		}
	}
	switch {
	case !ok:
		return nil, invalid("token-key-unknown", noKey, "the issuer lists no signing key with the kid %q", short(kid))
	case key.kty != want.kty || key.crv != want.crv:
		return nil, invalid("token-key-type", unvalidated, "the token is signed with %s, its key is of type %s %s", alg, key.kty, short(key.crv))
	case key.ops:
		return nil, invalid("token-key-ops", unvalidated, "the issuer's key %q has key_ops", short(kid))
	}
	return key.public(kid)
}

// public decodes the key; one whose certificates (x5c) do not agree with it, or
// that has only these, STS cannot use.
func (l listed) public(kid string) (any, error) {
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(l.raw); err != nil {
		return nil, invalid("token-key-unusable", noKey, "the issuer's key %q cannot be used: %v", short(kid), err)
	}
	return jwk.Key, nil
}
