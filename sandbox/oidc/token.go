package oidc

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// A Token is a JSON Web Token (RFC 7519) of which nothing has been verified
// yet.
type Token struct {
	// Issuer is its claim iss.
	Issuer string

	alg, kid string
	claims   map[string]json.RawMessage
	jws      *jose.JSONWebSignature
}

// algorithms are all that STS takes, and the type and curve of their keys.
var algorithms = map[string]struct{ kty, crv string }{
	"RS256": {"RSA", ""}, "RS384": {"RSA", ""}, "RS512": {"RSA", ""},
	"ES256": {"EC", "P-256"}, "ES384": {"EC", "P-384"}, "ES512": {"EC", "P-521"},
}

// required are the claims that must be there, in the order in which STS misses
// them.
var required = [...]string{"iss", "sub", "aud", "iat", "exp"}

// Parse reads a token in the compact form, and looks whether it is one that
// STS reads: its shape, its algorithm, and that the required claims are there.
// Of members that stand twice among the claims the last counts; in the header
// they are refused (that STS does so is unchecked).
func Parse(text string) (*Token, error) {
	header, payload, err := split(text)
	if err != nil {
		return nil, err
	}
	t := &Token{}
	if err := t.readHeader(header); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(payload, &t.claims); err != nil || t.claims == nil {
		return nil, invalid("token-not-jwt", notJWT, "its claims are no JSON object")
	}
	if t.jws, err = jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(t.alg)}); err != nil {
		return nil, invalid("token-not-jwt", notJWT, "its header cannot be read: %v", err)
	}
	for _, name := range required {
		if _, ok := t.claims[name]; !ok {
			return nil, invalid("token-claim-missing", "Missing a required claim: "+name, "the token has no claim %s", name)
		}
	}
	if !isText(t.claims["iss"], &t.Issuer) {
		return nil, invalid("token-claim-type", unvalidated, "the claim iss is no text")
	}
	return t, nil
}

// split decodes the header and the claims of a compact token.
func split(text string) (header, payload []byte, err error) {
	parts := strings.Split(text, ".")
	if len(parts) == 5 { // RFC 7516
		return nil, nil, invalid("token-encrypted", notJWT, "it has the five parts of an encrypted token")
	}
	if len(parts) != 3 {
		return nil, nil, invalid("token-not-jwt", notJWT, "it has %d parts, a JWT has three", len(parts))
	}
	if strings.TrimSpace(text) != text {
		return nil, nil, invalid("token-not-jwt", notJWT, "there is a blank or a line break before or after it")
	}
	var decoded [3][]byte
	for i, part := range parts {
		if decoded[i], err = base64.RawURLEncoding.DecodeString(part); err != nil || strings.ContainsAny(part, "\r\n") {
			return nil, nil, invalid("token-not-jwt", notJWT, "its part %d is not base64url without padding", i+1)
		}
	}
	return decoded[0], decoded[1], nil
}

// readHeader looks at what of the header decides whether STS reads the token
// at all. Keys and addresses that it may hold (jwk, jku, x5c, x5u) are never
// used.
func (t *Token) readHeader(raw []byte) error {
	var h map[string]json.RawMessage
	if err := json.Unmarshal(raw, &h); err != nil || h == nil {
		return invalid("token-not-jwt", notJWT, "its header is no JSON object")
	}
	if _, ok := h["enc"]; ok {
		return invalid("token-encrypted", notJWT, "its header has enc, which only encrypted tokens have")
	}
	if _, ok := h["crit"]; ok {
		return invalid("token-critical-header", notJWT, "its header has crit")
	}
	if !isText(h["alg"], &t.alg) {
		return invalid("token-not-jwt", notJWT, "its header names no algorithm")
	}
	if _, ok := algorithms[t.alg]; !ok {
		return invalid("token-algorithm", unvalidated, "it is signed with %q; STS takes %s", short(t.alg), strings.Join(known(), ", "))
	}
	if kid, ok := h["kid"]; ok && !isText(kid, &t.kid) {
		return invalid("token-not-jwt", notJWT, "its header's kid is no text")
	}
	return nil
}

func known() []string {
	var all []string
	for name := range algorithms {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// isText reads a JSON string; false for anything else, null included.
func isText(raw json.RawMessage, into *string) bool {
	if len(raw) == 0 || raw[0] != '"' {
		return false
	}
	return json.Unmarshal(raw, into) == nil
}

// Verify checks the token's signature by one of the issuer's keys.
func (t *Token) Verify(keys *Keys) error {
	key, err := keys.choose(t.kid, t.alg)
	if err != nil {
		return err
	}
	if _, err := t.jws.Verify(key); err != nil {
		return invalid("token-signature", unvalidated, "the signature is not by the issuer's key %s", t.keyName())
	}
	return nil
}

func (t *Token) keyName() string {
	if t.kid == "" {
		return "(the token names none)"
	}
	return fmt.Sprintf("%q", short(t.kid))
}
