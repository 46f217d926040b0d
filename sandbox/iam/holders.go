package iam

import (
	"maps"
	"slices"
	"strings"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

const attachedQuota = 10

// A holder is a role or a user, as what has policies.
type holder struct {
	name     string
	inline   map[string]*policy.Document
	attached *[]string
	boundary *string
}

// A kind is the kind of holder that a group of operations is about.
type kind struct {
	noun        string // "Role"
	inlineQuota int    // characters of all inline policies together
	with        func(*request, policy.Context, func(holder) (any, error)) (any, error)
}

var (
	roles = kind{"Role", 10240, withRoleHolder}
	users = kind{"User", 2048, withUserHolder}
)

func withRoleHolder(q *request, ctx policy.Context, do func(holder) (any, error)) (any, error) {
	return roleShelf.with(q, ctx, func(_ *world.Account, r *world.Role) (any, error) {
		return do(holder{r.Name, r.Inline, &r.Attached, &r.Boundary})
	})
}

func withUserHolder(q *request, ctx policy.Context, do func(holder) (any, error)) (any, error) {
	return userShelf.with(q, ctx, func(_ *world.Account, u *world.User) (any, error) {
		return do(holder{u.Name, u.Inline, &u.Attached, &u.Boundary})
	})
}

func (q *request) policyName() (string, error) {
	var v wire.Validation
	validateName(&v, "policyName", q.Get("PolicyName"), 128)
	return q.Get("PolicyName"), v.Err()
}

func (k kind) putInline(q *request) (any, error) {
	return k.with(q, nil, func(h holder) (any, error) {
		name, err := q.policyName()
		if err != nil {
			return nil, err
		}
		doc, err := q.document(policy.Identity, "PolicyDocument")
		if err != nil {
			return nil, err
		}
		size := doc.Size()
		for other, d := range h.inline {
			if other != name {
				size += d.Size()
			}
		}
		if size > k.inlineQuota {
			return nil, overQuota("Maximum policy size of %d bytes exceeded for %s %s", k.inlineQuota, strings.ToLower(k.noun), h.name)
		}
		h.inline[name] = doc
		return nil, nil
	})
}

type inlineXML struct {
	RoleName       string `xml:",omitempty"`
	UserName       string `xml:",omitempty"`
	PolicyName     string
	PolicyDocument string
}

func (k kind) getInline(q *request) (any, error) {
	return k.with(q, nil, func(h holder) (any, error) {
		name, err := q.policyName()
		if err != nil {
			return nil, err
		}
		doc := h.inline[name]
		if doc == nil {
			return nil, k.noInline(name)
		}
		v := inlineXML{PolicyName: name, PolicyDocument: encoded(doc)}
		if k.noun == "Role" {
			v.RoleName = h.name
		} else {
			v.UserName = h.name
		}
		return v, nil
	})
}

func (k kind) noInline(name string) error {
	return missing("The %s policy with name %s cannot be found.", strings.ToLower(k.noun), name)
}

func (k kind) deleteInline(q *request) (any, error) {
	return k.with(q, nil, func(h holder) (any, error) {
		name, err := q.policyName()
		if err != nil {
			return nil, err
		}
		if h.inline[name] == nil {
			return nil, k.noInline(name)
		}
		delete(h.inline, name)
		return nil, nil
	})
}

func (k kind) listInline(q *request) (any, error) {
	return k.with(q, nil, func(h holder) (any, error) {
		some, p, err := paged(q, slices.Sorted(maps.Keys(h.inline)))
		return struct {
			PolicyNames wire.List[string]
			page
		}{wire.ListOf(some...), p}, err
	})
}

// arnContext carries the policy that is attached or detached.
func (q *request) arnContext() policy.Context {
	if arn := q.Get("PolicyArn"); arn != "" {
		return policy.Context{"iam:PolicyARN": values(arn)}
	}
	return nil
}

func (k kind) attach(q *request) (any, error) {
	return k.with(q, q.arnContext(), func(h holder) (any, error) {
		arn, err := q.policyARN()
		if err != nil {
			return nil, err
		}
		if !q.attachable(arn) {
			return nil, notAttachable(arn)
		}
		if slices.Contains(*h.attached, arn) {
			return nil, nil
		}
		if len(*h.attached) >= attachedQuota {
			return nil, overQuota("Cannot exceed quota for PoliciesPer%s: %d", k.noun, attachedQuota)
		}
		*h.attached = append(slices.Clone(*h.attached), arn)
		return nil, nil
	})
}

// attachable reports whether a managed policy is AWS's or the account's own.
// The lock must be held.
func (q *request) attachable(arn string) bool {
	here := "arn:" + world.PartitionOf(q.Region) + ":iam::"
	own := strings.HasPrefix(arn, here+"aws:") || strings.HasPrefix(arn, here+q.Caller.Account+":")
	return own && q.World.ManagedPolicy(arn) != nil
}

func (k kind) detach(q *request) (any, error) {
	return k.with(q, q.arnContext(), func(h holder) (any, error) {
		arn, err := q.policyARN()
		if err != nil {
			return nil, err
		}
		if !slices.Contains(*h.attached, arn) {
			return nil, missing("Policy %s was not found.", arn)
		}
		*h.attached = slices.DeleteFunc(slices.Clone(*h.attached), func(a string) bool { return a == arn })
		return nil, nil
	})
}

type attachedXML struct{ PolicyName, PolicyArn string }

func (k kind) listAttached(q *request) (any, error) {
	return k.with(q, nil, func(h holder) (any, error) {
		var all []attachedXML
		for _, arn := range *h.attached {
			all = append(all, attachedXML{arn[strings.LastIndexByte(arn, '/')+1:], arn})
		}
		some, p, err := paged(q, all)
		return struct {
			AttachedPolicies wire.List[attachedXML]
			page
		}{wire.ListOf(some...), p}, err
	})
}

func (k kind) putBoundary(q *request) (any, error) {
	arn := q.Get("PermissionsBoundary")
	ctx := policy.Context{}
	if arn != "" {
		ctx["iam:PermissionsBoundary"] = values(arn)
	}
	return k.with(q, ctx, func(h holder) (any, error) {
		var v wire.Validation
		v.Required("permissionsBoundary", arn)
		v.Length("permissionsBoundary", arn, 20, 2048)
		if err := v.Err(); err != nil {
			return nil, err
		}
		if !q.attachable(arn) {
			return nil, notAttachable(arn)
		}
		*h.boundary = arn
		return nil, nil
	})
}

func (k kind) deleteBoundary(q *request) (any, error) {
	return k.with(q, nil, func(h holder) (any, error) {
		if *h.boundary == "" {
			return nil, missing("%s %s does not have a permissions boundary.", k.noun, h.name)
		}
		*h.boundary = ""
		return nil, nil
	})
}
