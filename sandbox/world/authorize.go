package world

import (
	"fmt"
	"maps"
	"time"

	"daypass.dev/policy"
)

const timeLayout = time.RFC3339

// An Access is one thing that a caller needs to be allowed to do.
type Access struct {
	Action   string // "s3:GetObject"
	Resource string // an ARN, or "*"
	// ResourceAccount owns the resource; empty: the caller's account.
	ResourceAccount string
	// ResourcePolicy is the resource's own; nil: it has none.
	ResourcePolicy *policy.Named
	// Context holds the service's condition keys; the call's own are added.
	Context policy.Context
}

// Authorize decides whether the call's caller may, by every policy that
// applies to it now, and records the check in the call's decision. The error
// is a *Refusal, AccessDenied in AWS's words.
func (c *Call) Authorize(a Access) error {
	return c.authorize(c.Caller, a)
}

func (c *Call) authorize(who policy.Principal, a Access) error {
	ctx := policy.Context{}
	maps.Copy(ctx, c.Context)
	maps.Copy(ctx, a.Context)
	owner := a.ResourceAccount
	if owner == "" {
		owner = who.Account
	}
	if owner != "" {
		ctx["aws:ResourceAccount"] = policy.Values{List: []string{owner}}
	}
	policies := c.World.policies(who, c.Session)
	policies.Resource = a.ResourcePolicy
	d := policy.Evaluate(policy.Request{
		Principal: who, Action: a.Action, Resource: a.Resource,
		ResourceAccount: a.ResourceAccount, Context: ctx,
	}, policies)
	c.check(a, d)
	if d.Allowed {
		return nil
	}
	return &Refusal{
		Slug: d.Reason, Code: "AccessDenied", Message: d.Message, Status: 403,
		Detail: d.Detail, Mend: d.Change,
	}
}

func (c *Call) check(a Access, d policy.Decision) {
	if c.Decision == nil {
		return
	}
	c.Decision.Checks = append(c.Decision.Checks, Check{
		Action: a.Action, Resource: a.Resource, Allowed: d.Allowed, Layer: string(d.Layer),
		Policy: d.Policy, Sid: d.Sid, Statement: d.Statement, Line: d.Line, Missing: d.Missing,
		Reason: d.Reason, Detail: d.Detail, Change: d.Change, Evaluated: evaluated(d.Trace),
	})
}

// evaluated says in words what each layer of policies said.
func evaluated(trace []policy.Finding) []string {
	var all []string
	for _, f := range trace {
		if f.Effect == "" {
			all = append(all, string(f.Layer)+": no statement")
			continue
		}
		all = append(all, fmt.Sprintf("%s: %s by statement %d of %s", f.Layer, f.Effect, f.Statement, f.Policy))
	}
	return all
}

// policies collects what applies to a principal on its own side.
func (w *World) policies(p policy.Principal, s *Session) policy.Policies {
	w.RLock()
	defer w.RUnlock()
	a := w.Accounts[p.Account]
	if a == nil {
		return policy.Policies{}
	}
	switch p.Kind {
	case policy.User:
		if u := a.Users[p.Name]; u != nil && u.ID == p.ID {
			return w.holderPolicies("user "+u.Name, u.Inline, u.Attached, u.Boundary)
		}
	case policy.RoleSession:
		if s == nil {
			return policy.Policies{}
		}
		if r := a.Roles[s.RoleName]; r != nil && r.ID == s.RoleID {
			all := w.holderPolicies("role "+r.Name, r.Inline, r.Attached, r.Boundary)
			all.Session = w.sessionPolicies(s)
			return all
		}
	}
	return policy.Policies{}
}

func (w *World) holderPolicies(holder string, inline map[string]*policy.Document, attached []string, boundary string) policy.Policies {
	var all policy.Policies
	for _, name := range sortedKeys(inline) {
		all.Identity = append(all.Identity, policy.Named{Name: "inline policy " + name + " of " + holder, Document: inline[name]})
	}
	for _, arn := range attached {
		all.Identity = append(all.Identity, w.managed(arn))
	}
	if boundary != "" {
		b := w.managed(boundary)
		all.Boundary = &b
	}
	return all
}

// managed finds a managed policy's default version; one that is gone allows
// nothing.
func (w *World) managed(arn string) policy.Named {
	return policy.Named{Name: "managed policy " + arn, Document: w.ManagedPolicy(arn)}
}

// sessionPolicies are nil for a session without any, and otherwise hold at
// least one document.
func (w *World) sessionPolicies(s *Session) []policy.Named {
	var all []policy.Named
	for i, text := range s.Policies {
		doc, err := policy.Parse(policy.Session, text)
		if err != nil {
			doc = nil // allows nothing; it was parsed when the session was issued
		}
		all = append(all, policy.Named{Name: fmt.Sprintf("session policy %d of %s", i+1, s.Name), Document: doc})
	}
	for _, arn := range s.ManagedARNs {
		all = append(all, w.managed(arn))
	}
	return all
}

// AuthorizeTags asks for the action that tags a resource, as AWS does beside the
// one that makes it, where the call that makes it brings tags; carried is their
// TagContext, and without tags nothing is asked for. AWS's pages that say so:
// "Tagging IAM resources", "Tagging your Amazon EKS resources", "Private CA API
// operations and permissions", "CreateKey: Add tags to a new KMS key",
// CreateSecret's and PutParameter's; of Roles Anywhere only what
// CloudFormation's handlers need, and refusals that people report.
func (c *Call) AuthorizeTags(action, resource string, carried policy.Context) error {
	if _, tagged := carried["aws:TagKeys"]; !tagged {
		return nil
	}
	return c.Authorize(Access{Action: action, Resource: resource, Context: carried})
}

// PassRole checks that the caller may hand a role to a service
// ("rolesanywhere.amazonaws.com"), as services must that take one.
func (c *Call) PassRole(roleARN, service string) error {
	account, _ := roleARNParts(roleARN)
	return c.Authorize(Access{
		Action: "iam:PassRole", Resource: roleARN, ResourceAccount: account,
		Context: policy.Context{"iam:PassedToService": {List: []string{service}}},
	})
}
