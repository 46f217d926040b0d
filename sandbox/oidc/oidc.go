// Package oidc is what the sandbox knows of OpenID Connect: it reads web
// identity tokens, fetches the keys of their issuers, and holds tokens to the
// rules by which AWS STS takes them.
//
// The rules are those that recordings of real STS show (186 answers of
// 2026-09-11, published with the project stackd, and the answers that versitygw
// replays); what they do not show is marked unchecked. Codes and texts are
// STS's. Errors are *world.Refusal.
package oidc

import (
	"fmt"
	"net/http"

	"daypass.dev/sandbox/world"
)

// The texts by which STS refuses more than one thing. Where nothing is known of
// a case, it is refused by unvalidated.
const (
	notJWT      = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
	noKey       = "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"
	unvalidated = "The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements."
)

// invalid is a refusal of code InvalidIdentityToken.
func invalid(slug, message, detail string, args ...any) *world.Refusal {
	return &world.Refusal{
		Slug: slug, Code: "InvalidIdentityToken", Status: http.StatusBadRequest,
		Message: message, Detail: fmt.Sprintf(detail, args...),
	}
}

// short bounds what a token's text may put into a record.
func short(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
