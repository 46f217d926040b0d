package main

import (
	"strings"
	"time"

	"daypass.dev/policy"
)

// examineRequest asks whether the session may do --action.
func (x *examination) examineRequest() error {
	policies, err := x.readPolicies()
	if err != nil {
		return err
	}
	name := "the-session"
	if x.caller != nil && x.caller.Session.Name != "" {
		name = x.caller.Session.Name
	} else if x.sessionName != "" {
		name = x.sessionName
	}
	r := policy.Request{
		Principal: x.sessionPrincipal(name), Action: x.action, Resource: x.resource, Context: x.timeContext(),
	}
	if part := strings.SplitN(x.resource, ":", 6); len(part) == 6 && part[4] != "" && x.account != "" {
		r.ResourceAccount = part[4]
		r.Context.Set("aws:ResourceAccount", part[4])
	}
	r.Context.Add(x.sessionContext(r.Principal))
	r.Context.Add(x.given)
	x.decided(stepRequest, explainedDecision{Action: x.action, Resource: x.resource}, policy.Evaluate(r, policies))
	return nil
}

// readPolicies reads what limits and what allows.
func (x *examination) readPolicies() (all policy.Policies, err error) {
	for _, path := range x.policyFiles {
		named, err := readPolicy(policy.Identity, "policy", path)
		if err != nil {
			return all, err
		}
		all.Identity = append(all.Identity, *named)
	}
	if all.Boundary, err = readPolicy(policy.Identity, "boundary", x.boundaryFile); err != nil {
		return all, err
	}
	kind := policy.Resource
	if strings.HasPrefix(strings.ToLower(x.action), "kms:") {
		kind = policy.Key
	}
	if all.Resource, err = readPolicy(kind, "resource policy", x.resourcePolicyFile); err != nil {
		return all, err
	}
	if x.profile != nil && x.profile.SessionPolicy != "" {
		named, err := parsePolicy(policy.Session, "session policy of profile", x.profileFile, x.profile.SessionPolicy)
		if err != nil {
			return all, err
		}
		named.Name = "the session policy of " + x.profileFile
		all.Session = append(all.Session, *named)
	}
	session, err := readPolicy(policy.Session, "session policy", x.sessionPolicyFile)
	if err != nil {
		return all, err
	}
	if session != nil {
		all.Session = append(all.Session, *session)
	}
	if x.profile != nil && len(x.profile.ManagedPolicies) > 0 {
		x.NotSeen = append(x.NotSeen, "the profile's managed session policies, which limit too: "+strings.Join(x.profile.ManagedPolicies, ", ")+" (--session-policy)")
	}
	return all, nil
}

// sessionContext are the keys that say who the session is. A session's tags
// come over its role's.
func (x *examination) sessionContext(p policy.Principal) policy.Context {
	var ctx policy.Context
	if x.account != "" {
		ctx.Set("aws:PrincipalArn", p.RoleARN)
		ctx.Set("aws:PrincipalAccount", p.Account)
	}
	ctx.Set("aws:PrincipalType", "AssumedRole")
	ctx.Set("aws:PrincipalIsAWSService", "false")
	ctx.Set("aws:ViaAWSService", "false")
	if p.ID != "" {
		ctx.Set("aws:userid", p.ID)
	}
	for _, t := range x.role.Tags {
		ctx.Set("aws:PrincipalTag/"+t.Key, t.Value)
	}
	if x.caller == nil {
		return ctx
	}
	ctx.Add(x.caller.PrincipalTags())
	if id := x.caller.Session.SourceIdentity; id != "" {
		ctx.Set("aws:SourceIdentity", id)
	}
	ctx.Set("aws:TokenIssueTime", x.now.UTC().Format(time.RFC3339))
	ctx.Set("aws:MultiFactorAuthPresent", "false")
	ctx.Add(x.caller.lasting)
	return ctx
}
