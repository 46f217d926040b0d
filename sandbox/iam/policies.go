package iam

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

var policyARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$`)

type policyXML struct {
	PolicyName       string
	PolicyID         string `xml:"PolicyId"`
	Arn              string
	Path             string
	DefaultVersionID string `xml:"DefaultVersionId"`
	AttachmentCount  int
	IsAttachable     bool
	CreateDate       string
	UpdateDate       string
	Tags             *wire.List[tagXML]
}

type policyResult struct{ Policy policyXML }

// viewPolicy shows a managed policy, without its tags. The lock must be held.
func viewPolicy(a *world.Account, p *world.Policy) policyXML {
	return policyXML{
		PolicyName: p.Name, PolicyID: p.ID, Arn: p.ARN, Path: p.Path, DefaultVersionID: p.Default,
		AttachmentCount: attachments(a, p.ARN), IsAttachable: true,
		CreateDate: wire.Timestamp(p.Created), UpdateDate: wire.Timestamp(p.Versions[len(p.Versions)-1].Created),
	}
}

func attachments(a *world.Account, arn string) int {
	n := 0
	for _, r := range a.Roles {
		if slices.Contains(r.Attached, arn) {
			n++
		}
	}
	for _, u := range a.Users {
		if slices.Contains(u.Attached, arn) {
			n++
		}
	}
	return n
}

// isBoundary reports whether a policy is the boundary of anybody.
func isBoundary(a *world.Account, arn string) bool {
	for _, r := range a.Roles {
		if r.Boundary == arn {
			return true
		}
	}
	for _, u := range a.Users {
		if u.Boundary == arn {
			return true
		}
	}
	return false
}

func (q *request) policyARN() (string, error) {
	arn := q.Get("PolicyArn")
	var v wire.Validation
	v.Required("policyArn", arn)
	v.Length("policyArn", arn, 20, 2048)
	if err := v.Err(); err != nil {
		return "", err
	}
	if !policyARN.MatchString(arn) {
		return "", invalidInput("ARN " + arn + " is not valid.")
	}
	return arn, nil
}

// managed parses and weighs a managed policy.
func (q *request) managed() (*policy.Document, error) {
	doc, err := q.document(policy.Identity, "PolicyDocument")
	if err != nil {
		return nil, err
	}
	if err := doc.Managed(); err != nil {
		return nil, world.PolicyRefusal(err)
	}
	return doc, nil
}

func createPolicy(q *request) (any, error) {
	n, err := q.created("Policy", 128)
	if err != nil {
		return nil, err
	}
	arn := q.arn("policy", n.path, n.name)
	if err := q.allowNew(arn, n.context); err != nil {
		return nil, err
	}
	doc, err := q.managed()
	if err != nil {
		return nil, err
	}
	q.World.Lock()
	defer q.World.Unlock()
	a := q.account()
	for _, p := range a.Policies {
		if strings.EqualFold(p.Name, n.name) {
			return nil, exists("A policy called %s already exists. Duplicate names are not allowed.", n.name)
		}
	}
	p := a.AddPolicy(n.name, n.path, doc)
	q.Changed(world.Thing{Kind: "policy", Account: a.ID, Name: p.ARN})
	p.Created, p.Versions[0].Created, p.Tags = q.Time, q.Time, n.tags
	return tagged(a, p), nil
}

// tagged shows a managed policy with its tags, as lists do not. The lock must be
// held.
func tagged(a *world.Account, p *world.Policy) policyResult {
	v := viewPolicy(a, p)
	if len(p.Tags) > 0 {
		tags := viewTags(p.Tags)
		v.Tags = &tags
	}
	return policyResult{v}
}

// withPolicy authorizes the call on the managed policy and then runs do on it,
// under the world's lock. AWS's own policies can be read, those that the sandbox
// knows: do gets a copy that the account cannot change, and own is false.
func (q *request) withPolicy(do func(a *world.Account, p *world.Policy, own bool) (any, error)) (any, error) {
	arn, err := q.policyARN()
	if err != nil {
		return nil, err
	}
	ctx := policy.Context{}
	q.World.RLock()
	if p := q.account().Policies[arn]; p != nil {
		holderContext(ctx, p.Tags, "")
	}
	q.World.RUnlock()
	if err := q.allow(arn, ctx); err != nil {
		return nil, err
	}
	q.World.Lock()
	defer q.World.Unlock()
	a := q.account()
	if p := a.Policies[arn]; p != nil {
		if !q.reads() {
			q.Changed(world.Thing{Kind: "policy", Account: a.ID, Name: p.ARN})
		}
		return do(a, p, true)
	}
	known := world.AWSManagedPolicies(world.PartitionOf(q.Region))
	if slices.Contains(known, arn) || strings.Contains(arn, ":iam::aws:policy/") && !q.reads() {
		return do(a, q.ofAWS(arn), false)
	}
	return nil, missing("Policy %s was not found.", arn)
}

// ofAWS describes one of AWS's own policies. Its id and date are made up.
func (q *request) ofAWS(arn string) *world.Policy {
	made := time.Date(2015, 2, 6, 18, 39, 46, 0, time.UTC)
	return &world.Policy{
		Name: arn[strings.LastIndexByte(arn, '/')+1:], Path: "/", ARN: arn, ID: "ANPAAWSMANAGEDPOLICY", Default: "v1",
		Created: made, Versions: []world.PolicyVersion{{ID: "v1", Document: q.World.ManagedPolicy(arn), Created: made}},
	}
}

// withOwnPolicy is withPolicy for what changes the policy.
func (q *request) withOwnPolicy(do func(*world.Account, *world.Policy) (any, error)) (any, error) {
	return q.withPolicy(func(a *world.Account, p *world.Policy, own bool) (any, error) {
		if !own {
			return nil, &world.Refusal{
				Slug: "policy-of-aws", Code: "AccessDenied", Status: 403,
				Message: "Policies managed by AWS cannot be changed: " + p.ARN,
			}
		}
		return do(a, p)
	})
}

func getPolicy(q *request) (any, error) {
	return q.withPolicy(func(a *world.Account, p *world.Policy, _ bool) (any, error) {
		return tagged(a, p), nil
	})
}

func listPolicies(q *request) (any, error) {
	prefix := q.Get("PathPrefix")
	if err := q.allow(q.arn("policy", orSlash(prefix), ""), nil); err != nil {
		return nil, err
	}
	q.World.RLock()
	defer q.World.RUnlock()
	a := q.account()
	scope := q.Get("Scope")
	var found []policyXML
	if scope != "AWS" {
		for _, arn := range slices.Sorted(maps.Keys(a.Policies)) {
			found = append(found, viewPolicy(a, a.Policies[arn]))
		}
	}
	if scope != "Local" {
		for _, arn := range world.AWSManagedPolicies(world.PartitionOf(q.Region)) {
			found = append(found, viewPolicy(a, q.ofAWS(arn)))
		}
	}
	attachedOnly := q.Get("OnlyAttached") == "true"
	found = slices.DeleteFunc(found, func(p policyXML) bool {
		return !strings.HasPrefix(p.Path, prefix) || attachedOnly && p.AttachmentCount == 0
	})
	some, p, err := paged(q, found)
	return struct {
		Policies wire.List[policyXML]
		page
	}{wire.ListOf(some...), p}, err
}

func deletePolicy(q *request) (any, error) {
	return q.withOwnPolicy(func(a *world.Account, p *world.Policy) (any, error) {
		switch {
		case attachments(a, p.ARN) > 0:
			return nil, conflict("Cannot delete a policy attached to entities.")
		case isBoundary(a, p.ARN):
			return nil, conflict("Cannot delete a policy that is in use as a permissions boundary.")
		case len(p.Versions) > 1:
			return nil, conflict("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		delete(a.Policies, p.ARN)
		return nil, nil
	})
}

func nextVersion(p *world.Policy) string {
	highest := 0
	for _, v := range p.Versions {
		var n int
		if _, err := fmt.Sscanf(v.ID, "v%d", &n); err == nil {
			highest = max(highest, n)
		}
	}
	return fmt.Sprintf("v%d", highest+1)
}
