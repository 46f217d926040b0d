package world

import (
	"errors"
	"time"

	"daypass.dev/policy"
)

// An Assume is what sts AssumeRole and Roles Anywhere's CreateSession ask for.
// Names and sizes have been validated by the service.
type Assume struct {
	RoleARN     string
	SessionName string
	// Duration of the session; zero: one hour.
	Duration       time.Duration
	Tags           map[string]string
	TransitiveTags []string
	SourceIdentity string
	// Policies and ManagedARNs are session policies.
	Policies    []*policy.Document
	ManagedARNs []string
	// As is who assumes, where that is not the call's caller: a service.
	As *policy.Principal
	// Context holds further condition keys: sts:ExternalId, aws:SourceArn,
	// aws:SourceAccount.
	Context policy.Context
	// AnchorARN is kept in the session, for Roles Anywhere.
	AnchorARN string
}

// Issued are a session and its keys.
type Issued struct {
	Session
	Secret, Token string
	// PackedPolicySize is in per cent of what AWS packs; zero without session
	// policies and tags.
	PackedPolicySize int
}

// AssumeRole decides by the role's trust policy and the caller's own whether
// the role may be assumed, tagged and given a source identity, and issues the
// session. The error is a *Refusal in the words of sts.
func (c *Call) AssumeRole(a Assume) (*Issued, error) {
	return nil, errors.New("not built yet")
}
