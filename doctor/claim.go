package doctor

import (
	"crypto/x509"
	"slices"
	"unicode/utf8"

	"daypass.dev/pki"
	"daypass.dev/policy"
)

// A Claim is who asks to become a role, and what the session would carry.
type Claim struct {
	Principal policy.Principal
	Action    string // of STS: sts:AssumeRole or its kin
	Session   pki.Session
	// Context are the keys of the assumption beside those that tell of Session.
	Context policy.Context
}

// AnywhereClaim is what Roles Anywhere asks for the bearer of a certificate:
// under a trust anchor, with the session name that the client asks for (empty:
// none), and the profile's attribute mappings (nil: AWS's default).
//
// https://docs.aws.amazon.com/rolesanywhere/latest/userguide/trust-model.html
func AnywhereClaim(leaf *x509.Certificate, anchorARN, name string, mappings map[string][]string) Claim {
	c := Claim{Principal: principal("rolesanywhere.amazonaws.com"), Action: "sts:AssumeRole", Session: pki.SessionOf(leaf).Mapped(mappings)}
	if name != "" {
		c.Session.Name = name
	}
	if anchor := partsOf(anchorARN); anchor.account != "" {
		c.Context.Set("aws:SourceArn", anchorARN)
		c.Context.Set("aws:SourceAccount", anchor.account)
		c.Context.Set("aws:RequestedRegion", anchor.region)
	}
	c.Context.Add(c.PrincipalTags())
	c.Context.Set("aws:PrincipalIsAWSService", "true")
	c.Context.Set("aws:PrincipalServiceName", c.Principal.Name)
	return c
}

// PrincipalTags are the session's tags as its bearer's requests have them.
func (c Claim) PrincipalTags() (ctx policy.Context) {
	for _, t := range c.Session.Tags {
		ctx.Set("aws:PrincipalTag/"+t.Key, t.Value)
	}
	return ctx
}

// Unnameable tells why STS would refuse the source identity that Roles Anywhere
// makes of the leaf's common name; empty if it would not.
func Unnameable(leaf *x509.Certificate) string {
	s := pki.SessionOf(leaf)
	unfit := slices.ContainsFunc(s.Dropped, func(t pki.Tag) bool { return t.Key == "x509Subject/CN" })
	if n := utf8.RuneCountInString(s.SourceIdentity); unfit || n > 64 {
		return "the common name would have to be the source identity " + pki.Printable(s.SourceIdentity)
	}
	return ""
}

// An Assumption is what a trust policy says to one action.
type Assumption struct {
	Action string
	policy.Decision
}

// Assume asks the trust policy of a role (the policies' Resource), and what
// limits who asks, for each action that the claim needs; base are the keys that
// every request to the role has.
func (c Claim) Assume(policies policy.Policies, role, account string, base policy.Context) []Assumption {
	ctx := c.keys(base)
	actions := []string{c.Action}
	if len(c.Session.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if c.Session.SourceIdentity != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	var all []Assumption
	for _, action := range actions {
		d := policy.Evaluate(policy.Request{
			Principal: c.Principal, Action: action, Resource: role, ResourceAccount: account, Context: ctx,
		}, policies)
		d.Reason = trustReason(d.Reason, action)
		all = append(all, Assumption{action, d})
	}
	return all
}

// keys are those of the assumption.
func (c Claim) keys(base policy.Context) policy.Context {
	var ctx policy.Context
	ctx.Add(base)
	if c.Session.Name != "" {
		ctx.Set("sts:RoleSessionName", c.Session.Name)
	}
	if c.Session.SourceIdentity != "" {
		ctx.Set("sts:SourceIdentity", c.Session.SourceIdentity)
	}
	var keys []string
	for _, t := range c.Session.Tags {
		ctx.Set("aws:RequestTag/"+t.Key, t.Value)
		keys = append(keys, t.Key)
	}
	ctx.SetMulti("aws:TagKeys", keys...)
	ctx.Add(c.Context)
	return ctx
}

// trustReason gives the two actions that trust policies often lack reasons of
// their own: slug is what policy.Evaluate found of action.
func trustReason(slug, action string) string {
	switch {
	case slug == "policy-action" && action == "sts:TagSession":
		return "trust-tag-session"
	case slug == "policy-action" && action == "sts:SetSourceIdentity":
		return "trust-source-identity"
	}
	return slug
}
