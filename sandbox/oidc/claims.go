package oidc

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"daypass.dev/sandbox/world"
)

// Google is built into AWS: its tokens need no provider in the account.
const Google = "accounts.google.com"

// tolerance is how far STS lets the issuer's clock be off.
const tolerance = 5 * time.Minute

// An Identity is what STS takes from a token that it has verified.
type Identity struct {
	// WebIdentity lacks its Provider and whether it may use the role.
	world.WebIdentity
	Tags           map[string]string
	TransitiveTags []string
	SourceIdentity string

	plain   bool     // Audience is the one of aud, without azp
	limited bool     // the token lists roles
	roles   []string // these
}

// Identity holds the token's claims to the rules that need neither provider
// nor role, at the given time. The signature must have been verified.
func (t *Token) Identity(now time.Time) (*Identity, error) {
	if err := t.checkTimes(now); err != nil {
		return nil, err
	}
	id := &Identity{}
	// Google has signed for both spellings.
	id.Issuer = strings.TrimPrefix(t.Issuer, "https://")
	for _, read := range []func(*Identity) error{t.subject, t.audience, t.sourceIdentity, t.tags, t.roles} {
		if err := read(id); err != nil {
			return nil, err
		}
	}
	id.AMR, _ = texts(t.claims["amr"]) // what is neither text nor texts is no key
	return id, nil
}

// ID tells the token from others of its issuer: jti or, without one, iat.
func (t *Token) ID() string {
	var id string
	if isText(t.claims["jti"], &id) && id != "" {
		return short(id)
	}
	return short(string(t.claims["iat"]))
}

// CheckAudience refuses a token for somebody else than the provider's clients.
func (id *Identity) CheckAudience(clients []string) error {
	if slices.Contains(clients, id.Audience) {
		return nil
	}
	// Reports of plain tokens have the first text; recordings with azp and with
	// an empty aud, and one with aud twice, have the other.
	message, claim := "Incorrect token audience", "aud"
	if !id.plain {
		message, claim = unvalidated, "azp"
	}
	if id.Audience == "" {
		message = unvalidated
	}
	return invalid("token-audience", message, "the token's %s is %q, the provider's client ids are %q", claim, short(id.Audience), clients)
}

// Authorize refuses a role that is not among those of the token's roles claim,
// and notes whether the claim names it. Without the claim every role is free.
func (id *Identity) Authorize(roleARN string) error {
	id.AuthorizedByIDP = slices.Contains(id.roles, roleARN)
	if id.limited && !id.AuthorizedByIDP {
		return invalid("token-role", "The target role ARN is not present in the roles claim of the identity token",
			"the token is for %q, the request for %s", id.roles, roleARN)
	}
	return nil
}

// seconds reads a time; STS takes whole numbers, and texts of them.
func (t *Token) seconds(claim string) (int64, error) {
	raw := t.claims[claim]
	text := string(raw)
	isText(raw, &text)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, invalid("token-timestamp", "Invalid timestamp in token claims.", "%s is %s, which is no whole number of seconds", claim, short(string(raw)))
	}
	return n, nil
}

// checkTimes says in its texts STS's own time less or more the tolerance, as
// STS does.
func (t *Token) checkTimes(now time.Time) error {
	early, late := now.Add(-tolerance).Unix(), now.Add(tolerance).Unix()
	issued, err := t.seconds("iat")
	if err != nil {
		return err
	}
	expires, err := t.seconds("exp")
	if err != nil {
		return err
	}
	if issued > late {
		return invalid("token-issued-in-future", fmt.Sprintf("Token issued in the future: %d", issued),
			"iat is %s, it is %s", date(issued), date(now.Unix()))
	}
	if _, ok := t.claims["nbf"]; ok {
		begins, err := t.seconds("nbf")
		if err != nil {
			return err
		}
		if late < begins {
			return invalid("token-not-yet-valid",
				fmt.Sprintf("Token not yet valid: current date/time %d must be after or equal to the not-before date/time %d", late, begins),
				"nbf is %s, it is %s", date(begins), date(now.Unix()))
		}
	}
	if early >= expires {
		e := invalid("token-expired",
			fmt.Sprintf("Token expired: current date/time %d must be before the expiration date/time %d", early, expires),
			"exp is %s, it is %s", date(expires), date(now.Unix()))
		e.Code = "ExpiredTokenException"
		return e
	}
	return nil
}

func date(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

// subject may be empty, long, or a number; null makes STS itself fail.
func (t *Token) subject(id *Identity) error {
	raw := t.claims["sub"]
	if isText(raw, &id.Subject) {
		return nil
	}
	if string(raw) == "null" {
		return &world.Refusal{
			Slug: "token-subject-null", Code: "InternalFailure", Status: http.StatusInternalServerError,
			Message: "Unknown error validating third-party token", Detail: "the claim sub is null",
		}
	}
	var number json.Number
	if err := json.Unmarshal(raw, &number); err != nil {
		return invalid("token-claim-type", unvalidated, "the claim sub is neither text nor number")
	}
	id.Subject = number.String()
	return nil
}

// audience is azp where that is there; else aud, which then must be one.
func (t *Token) audience(id *Identity) error {
	var ok bool
	if id.Audiences, ok = texts(t.claims["aud"]); !ok {
		return invalid("token-claim-type", unvalidated, "the claim aud is neither text nor a list of texts")
	}
	if len(id.Audiences) == 0 {
		return invalid("token-audience-empty", "Claim is not allowed to be empty: aud", "the claim aud is an empty list")
	}
	if party, there := t.claims["azp"]; there {
		if !isText(party, &id.Audience) {
			return invalid("token-claim-type", unvalidated, "the claim azp is no text")
		}
		return nil
	}
	if len(id.Audiences) > 1 {
		return invalid("token-audiences", "Token audience contains more than one audience while authorized party is not present",
			"aud lists %d audiences, and there is no azp", len(id.Audiences))
	}
	id.Audience, id.plain = id.Audiences[0], true
	return nil
}

// texts reads one text or a list of texts.
func texts(raw json.RawMessage) ([]string, bool) {
	var one string
	if isText(raw, &one) {
		return []string{one}, true
	}
	var items []json.RawMessage
	if len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &items) != nil {
		return nil, false
	}
	all := make([]string, len(items))
	for i, item := range items {
		if !isText(item, &all[i]) {
			return nil, false
		}
	}
	return all, true
}
