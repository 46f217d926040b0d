// Package rolesanywhere is IAM Roles Anywhere in the sandbox: CreateSession,
// by which a certificate's key becomes a role session, and the control plane
// of trust anchors, profiles, revocation lists and subjects. It is written
// from AWS's User Guide and API reference and shares no code with the client
// side: signatures, certificates and names are read here by a hand of its own.
//
// Comments say "unchecked" where AWS's text is silent and nobody has reported
// what AWS does.
package rolesanywhere

import (
	"net/http"

	"daypass.dev/sandbox/world"
)

const (
	signingName      = "rolesanywhere"
	servicePrincipal = "rolesanywhere.amazonaws.com"
)

// A Service answers Roles Anywhere's calls. CreateSession proves itself by
// certificate; every other call's caller is authenticated before Serve.
type Service struct{}

var _ world.Operator = Service{}

// Operation names the call; one that Roles Anywhere does not have by its
// method and path.
func (Service) Operation(r *http.Request) string {
	if isCreateSession(r) {
		return "CreateSession"
	}
	if op, _ := route(r); op.name != "" {
		return op.name
	}
	return r.Method + " " + r.URL.Path
}

// Serve answers one call. An error is a *world.Refusal.
func (Service) Serve(c *world.Call, w http.ResponseWriter, r *http.Request, body []byte) error {
	if isCreateSession(r) {
		return createSession(c, w, r, body)
	}
	return control(c, w, r, body)
}

func isCreateSession(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Path == "/sessions"
}
