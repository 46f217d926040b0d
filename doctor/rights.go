package doctor

import (
	"daypass.dev/pki"
	"daypass.dev/policy"
)

// A Request is what the workload wants to do with its credentials.
type Request struct {
	Action   string // "s3:GetObject"
	Resource string // an ARN, or "*"
}

// further holds against each other what the role's session may do and who may
// become the further role that it goes on to.
func (d *diagnosis) further() {
	r := d.Further
	if r == nil {
		return
	}
	seen := d.looked(r.Look, "role "+r.ARN, "role-not-found")
	if r.Missing {
		return
	}
	all, ok := d.rights("going on to "+r.ARN, d.Role, d.sessionPolicies())
	if !ok {
		return
	}
	who, tags := d.bearer(d.Role), d.session.PrincipalTags()
	if !seen { // of another account: one half of it
		ctx := d.baseContext(r.ARN, nil)
		ctx.Add(tags)
		got := policy.Evaluate(policy.Request{Principal: who, Action: "sts:AssumeRole", Resource: r.ARN, Context: ctx}, all)
		d.decided("sts:AssumeRole on "+r.ARN+", by the role's own policies", got.Reason, got)
		return
	}
	doc, err := policy.Parse(policy.Trust, r.Trust)
	if err != nil {
		d.malformed("the trust policy of "+r.ARN, err)
		return
	}
	all.Resource = &policy.Named{Name: "the trust policy of " + r.ARN, Document: doc}
	claim := Claim{Principal: who, Action: "sts:AssumeRole", Context: tags}
	claim.Session.SourceIdentity = d.session.Session.SourceIdentity // which lasts
	if s := d.Settings; s != nil {
		claim.Session.Name = s.SessionName
		if s.ExternalID != "" {
			claim.Context.Set("sts:ExternalId", s.ExternalID)
		}
	}
	for _, a := range claim.Assume(all, r.ARN, partsOf(r.ARN).account, d.baseContext(r.ARN, r.Tags)) {
		d.decided(a.Action+" on "+r.ARN, a.Reason, a.Decision)
	}
}

// request asks the policies of the role, the last one, and the profile's, for the
// action. What the resource's own policy says is not seen.
func (d *diagnosis) request() {
	if d.Request == nil {
		return
	}
	role, limits := d.Role, d.sessionPolicies()
	if d.Further != nil {
		role, limits = d.Further, nil
	}
	all, ok := d.rights("whether "+d.Request.Action+" is allowed", role, limits)
	if !ok {
		return
	}
	ctx := d.baseContext(d.roleARN(), nil)
	if d.Further == nil { // tags do not last beyond a role
		ctx.Add(d.session.PrincipalTags())
	}
	got := policy.Evaluate(policy.Request{
		Principal: d.bearer(role), Action: d.Request.Action, Resource: d.Request.Resource, Context: ctx,
	}, all)
	d.decided(d.Request.Action+" on "+pki.Printable(d.Request.Resource), got.Reason, got)
}

// bearer is the session of a role, under the name of the one that was asked for.
func (d *diagnosis) bearer(r *Role) policy.Principal {
	arn, name := r.ARN, d.session.Session.Name
	if arn == "" {
		arn = d.roleName()
	}
	role := partsOf(arn)
	return policy.Principal{
		Kind: policy.RoleSession, Account: role.account, RoleARN: arn, RoleID: r.ID,
		ARN: "arn:" + role.partition + ":sts::" + role.account + ":assumed-role/" + role.name + "/" + name,
		ID:  r.ID + ":" + name,
	}
}

// rights are a role's policies and what limits its session; false: some were not
// seen or cannot be read, so that what is not known.
func (d *diagnosis) rights(what string, r *Role, limits map[string]string) (all policy.Policies, ok bool) {
	if r == nil || r.Policies == nil || d.session == nil {
		d.unknown(what + ": the role's policies were not seen")
		return all, false
	}
	parse := func(name, text string) *policy.Named {
		if text == "" {
			d.unknown(what + ": " + name + " was not seen")
			return nil
		}
		doc, err := policy.Parse(policy.Identity, text)
		if err != nil {
			d.malformed(name, err)
			return nil
		}
		return &policy.Named{Name: name, Document: doc}
	}
	for name, text := range r.Policies {
		p := parse(name, text)
		if p == nil {
			return all, false
		}
		all.Identity = append(all.Identity, *p)
	}
	for name, text := range limits {
		p := parse(name, text)
		if p == nil {
			return all, false
		}
		all.Session = append(all.Session, *p)
	}
	if r.Boundary != "" {
		all.Boundary = parse("the permissions boundary", r.Boundary)
		return all, all.Boundary != nil
	}
	return all, true
}

// sessionPolicies are what the profile limits sessions by; empty texts were not
// seen.
func (d *diagnosis) sessionPolicies() map[string]string {
	all := map[string]string{}
	if d.Profile == nil {
		return all
	}
	if d.Profile.SessionPolicy != "" {
		all["the profile's session policy"] = d.Profile.SessionPolicy
	}
	for _, arn := range d.Profile.ManagedPolicies {
		all["the profile's policy "+arn] = d.Profile.Documents[arn]
	}
	return all
}
