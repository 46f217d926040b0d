package world

import (
	"strings"

	"daypass.dev/policy"
)

// Identify finds out who signs with an access key, without checking anything
// signed: the caller must verify the signature with the secret that it
// returns. The session is nil for a user. An error is a *Refusal in the words
// of the query protocol: InvalidClientTokenId for a key or token that is not
// known, or whose user or role is gone or made anew; ExpiredToken.
func (w *World) Identify(accessKeyID, sessionToken string) (secret string, p policy.Principal, s *Session, err error) {
	if strings.HasPrefix(accessKeyID, "ASIA") || sessionToken != "" {
		return w.identifySession(accessKeyID, sessionToken)
	}
	w.RLock()
	defer w.RUnlock()
	for _, a := range w.Accounts {
		for _, u := range a.Users {
			for _, k := range u.Keys {
				if k.ID != accessKeyID {
					continue
				}
				if k.Inactive {
					return "", p, nil, invalidToken("access-key-inactive", "access key %s of user %s is inactive", k.ID, u.Name)
				}
				return k.Secret, userPrincipal(a, u), nil, nil
			}
		}
	}
	return "", p, nil, invalidToken("access-key-unknown", "no user has the access key %s", accessKeyID)
}

func (w *World) identifySession(accessKeyID, token string) (string, policy.Principal, *Session, error) {
	var none policy.Principal
	if token == "" {
		return "", none, nil, invalidToken("session-token-missing", "the temporary key %s came without its session token", accessKeyID)
	}
	secret, s, err := w.unseal(accessKeyID, token)
	if err != nil {
		return "", none, nil, invalidToken("session-token-invalid", "%v", err)
	}
	w.RLock()
	role := w.Role(s.RoleARN)
	remade := role != nil && role.ID != s.RoleID
	w.RUnlock()
	if role == nil || remade {
		return "", none, nil, invalidToken("session-role-gone", "role %s was deleted or made anew since the session was issued", s.RoleARN)
	}
	if now := w.Now(); !now.Before(s.Expires) {
		return "", none, nil, &Refusal{
			Slug: "session-expired", Code: "ExpiredToken", Status: 403,
			Message: "The security token included in the request is expired",
			Detail:  "the session of " + s.RoleARN + " ended at " + s.Expires.Format(timeLayout) + ", it is " + now.Format(timeLayout),
		}
	}
	return secret, sessionPrincipal(s), s, nil
}

func userPrincipal(a *Account, u *User) policy.Principal {
	return policy.Principal{Kind: policy.User, Account: a.ID, ARN: u.ARN, ID: u.ID, Name: u.Name}
}

func sessionPrincipal(s *Session) policy.Principal {
	return policy.Principal{
		Kind: policy.RoleSession, Account: s.Account, ARN: s.ARN(), ID: s.RoleID + ":" + s.Name,
		RoleARN: s.RoleARN, RoleID: s.RoleID,
	}
}

// ARN is the session's own: arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION.
func (s *Session) ARN() string {
	return "arn:" + partitionIn(s.RoleARN) + ":sts::" + s.Account + ":assumed-role/" + s.RoleName + "/" + s.Name
}
