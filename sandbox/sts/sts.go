// Package sts is the sandbox's Security Token Service: GetCallerIdentity,
// AssumeRole, AssumeRoleWithWebIdentity and GetAccessKeyInfo. Everything else
// answers NotImplemented.
package sts

import (
	"net/http"

	"daypass.dev/policy"
	"daypass.dev/sandbox/oidc"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// Namespace is the xmlns of the service's answers.
const Namespace = "https://sts.amazonaws.com/doc/2011-06-15/"

// Service answers the calls of sts. Its zero value is ready; it keeps the keys
// of issuers.
type Service struct{ issuers oidc.Issuers }

// Serve answers one call.
func (s *Service) Serve(c *world.Call, w http.ResponseWriter, r *http.Request, body []byte) error {
	form, err := wire.ParseForm(r, body)
	if err != nil {
		return err
	}
	var result any
	switch c.Decision.Operation {
	case "GetCallerIdentity":
		result = callerIdentity(c.Caller)
	case "AssumeRole":
		result, err = assumeRole(c, form)
	case "AssumeRoleWithWebIdentity":
		result, err = s.assumeWithWebIdentity(c, r.Context(), form)
	case "GetAccessKeyInfo":
		result, err = accessKeyInfo(form)
	default:
		return c.NotBuilt()
	}
	if err != nil {
		return err
	}
	return wire.Query(w, c, Namespace, result)
}

type identity struct {
	Arn     string
	UserID  string `xml:"UserId"`
	Account string
}

// callerIdentity needs no permission: AWS tells everybody who they are.
func callerIdentity(p policy.Principal) identity {
	return identity{Arn: p.ARN, UserID: p.ID, Account: p.Account}
}

type keyInfo struct{ Account string }

// accessKeyInfo reads the account that stands in a key's id; AWS asks for no
// permission on the key either.
func accessKeyInfo(form wire.Form) (any, error) {
	id := form.Get("AccessKeyId")
	var v wire.Validation
	v.Required("accessKeyId", id)
	v.Length("accessKeyId", id, 16, 128)
	if err := v.Err(); err != nil {
		return nil, err
	}
	account, ok := world.AccountOfKey(id)
	if !ok {
		return nil, wire.Invalid("Invalid AccessKeyId: " + id)
	}
	return keyInfo{account}, nil
}
