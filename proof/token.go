package proof

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"daypass.dev"
)

// A Token is an OIDC token, which whoever bears it may show: a JSON Web Token
// (RFC 7519), signed by its issuer. It is taken apart here, but nothing of it
// is verified: that is for those to whom it is shown.
type Token struct {
	Text daypass.Secret
	// Expires is the claim exp.
	Expires time.Time
	// Issuer, Subject and Audience are the claims iss, sub and aud as they
	// stand, empty where there are none. They name somebody and are no secrets.
	Issuer, Subject string
	Audience        []string

	identity string
}

// A TokenSource yields a token that is good now, as far as can be told without
// verifying it. Callers ask anew for every use, so that a renewed token is
// taken up.
type TokenSource interface {
	Token(ctx context.Context) (*Token, error)
}

// Identity names whom the token speaks for, and tells nothing of it: two tokens
// have the same only if all their claims are equal but those that are new in
// every token.
func (t *Token) Identity() string { return t.identity }

// MaxToken is the most bytes of a token that AWS takes.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
const MaxToken = 20000

// renewed are the claims that are new in every token of one identity: RFC
// 7519's times and id, then Entra's own, which are recalled.
func renewed() []string { return []string{"exp", "iat", "nbf", "jti", "aio", "rh", "uti"} }

// ParseToken takes a token apart. Its errors never quote it.
func ParseToken(text string) (*Token, error) {
	if err := notToken(text); err != nil {
		return nil, err
	}
	parts := strings.Split(text, ".")
	header, err := claims(parts[0])
	if err != nil {
		return nil, cutOff("header")
	}
	var algorithm string
	switch err := member(header, "alg", &algorithm); {
	case err != nil:
		return nil, err
	case algorithm == "", strings.EqualFold(algorithm, "none"):
		return nil, &mistake{text: "it is not signed", hint: "AWS takes tokens that their issuer has signed, by RSA or ECDSA"}
	}
	payload, err := claims(parts[1])
	if err != nil {
		return nil, cutOff("payload")
	}
	if raw, err := base64.RawURLEncoding.DecodeString(parts[2]); err != nil || len(raw) == 0 {
		return nil, cutOff("signature")
	}
	return fromClaims(text, payload)
}

func fromClaims(text string, payload map[string]json.RawMessage) (*Token, error) {
	t := &Token{Text: daypass.Secret(text)}
	var exp float64
	for name, into := range map[string]any{"exp": &exp, "iss": &t.Issuer, "sub": &t.Subject, "aud": (*audience)(&t.Audience)} {
		if err := member(payload, name, into); err != nil {
			return nil, err
		}
	}
	if exp < 1 || exp > lastSecond {
		return nil, &mistake{text: "it lacks exp, the time when it ends, or that is no time",
			hint: "AWS takes no token without an end; in Kubernetes use a projected serviceAccountToken"}
	}
	t.Expires = time.Unix(int64(exp), 0).UTC()
	for _, name := range renewed() {
		delete(payload, name)
	}
	rest, err := json.Marshal(payload) // sorts by name
	if err != nil {
		return nil, cutOff("payload")
	}
	sum := sha256.Sum256(rest)
	t.identity = hex.EncodeToString(sum[:])
	return t, nil
}

// lastSecond is the end of the year 9999.
const lastSecond = 253402300799

// audience is one text or several (RFC 7519 section 4.1.3).
type audience []string

func (a *audience) UnmarshalJSON(data []byte) error {
	var one string
	if err := json.Unmarshal(data, &one); err == nil {
		*a = []string{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(a))
}

// claims reads one part of a token, which is a JSON object.
func claims(part string) (map[string]json.RawMessage, error) {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage // and no struct, whose names would match in any case of letters
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	if all == nil {
		return nil, errors.New("null")
	}
	return all, nil
}

// member reads one claim, if it is there.
func member(all map[string]json.RawMessage, name string, into any) error {
	if raw, ok := all[name]; ok && json.Unmarshal(raw, into) != nil {
		return &mistake{text: "its claim " + name + " is of the wrong type", hint: "it is no OIDC token"}
	}
	return nil
}

func cutOff(part string) error {
	return &mistake{text: "its " + part + " is damaged or cut off", hint: "write the token anew, whole"}
}

// notToken tells what a text is that cannot be a token.
func notToken(text string) error {
	parts := strings.Split(text, ".")
	switch {
	case text == "":
		return &mistake{text: "it is empty", hint: "check that whatever writes the token runs"}
	case len(text) > MaxToken:
		return &mistake{text: fmt.Sprintf("it is larger than %d bytes, the most that AWS takes of a token", MaxToken)}
	case strings.HasPrefix(text, "-----BEGIN"):
		return &mistake{text: "it is PEM, not a token", hint: "a certificate is given as --certificate"}
	case strings.HasPrefix(strings.TrimSpace(text), "{"):
		return &mistake{text: "it is JSON, not a token", hint: "take the token alone out of it"}
	case strings.ContainsAny(text, " \t\r\n"):
		return &mistake{text: "there is white space in it or around it", hint: "write the token alone, in one line"}
	case len(parts) == 5:
		return &mistake{text: "it is an encrypted token, which AWS cannot read", hint: "ask for a signed token"}
	case len(parts) != 3:
		return &mistake{text: "it is no JSON Web Token, which has three parts with dots between them",
			hint: "AWS takes OIDC tokens; an OAuth access token is mostly none"}
	}
	return nil
}
