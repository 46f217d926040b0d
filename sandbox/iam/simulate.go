package iam

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// A simulation is one question to the policy simulator: whether a caller could
// do some actions to some resources, by the policies at hand. Nothing is done,
// and nothing of the real call counts.
//
// Forms and texts of answers are as recorded of AWS (published with the project
// stackd, 2026-09-11). Decisions are the sandbox's own, so that they are those
// of real calls here. AWS's simulator differs from AWS in some: it lets a
// resource's policy allow by naming the account, and knows for each action of
// which type its resources are.
type simulation struct {
	caller    policy.Principal
	policies  policy.Policies
	sources   []source // by the number that stands for a policy's name
	resource  string   // text of the resource policy; empty: none
	owner     string   // account that owns resources whose ARNs do not tell
	actions   []string
	resources []string
	context   policy.Context
	given     []string // keys of ContextEntries, in lower case
}

// A source is a policy of a simulation, and how answers cite it.
type source struct {
	id  string
	doc *policy.Document
}

// stubUser is the user id of a caller who is not named (recorded).
const stubUser = "STUB_PRINCIPAL_FOR_POLICY_SIMULATOR"

func simulateCustom(q *request) (any, error) {
	if err := q.allow("*", nil); err != nil {
		return nil, err
	}
	s, err := q.simulation()
	if err != nil {
		return nil, err
	}
	if err := q.settleCaller(s, q.Get("CallerArn")); err != nil {
		return nil, err
	}
	return q.simulate(s)
}

func simulatePrincipal(q *request) (any, error) {
	source := q.Get("PolicySourceArn")
	var v wire.Validation
	v.Required("policySourceArn", source)
	v.Length("policySourceArn", source, 20, 2048)
	if err := v.Err(); err != nil {
		return nil, err
	}
	kind, name, ok := entityOf(source)
	of := q.lender(source, kind, name)
	arn := source
	if of != nil {
		arn = of.arn // AWS goes by the name, whatever the path (recorded)
	}
	if err := q.allow(arn, nil); err != nil {
		return nil, err
	}
	switch {
	case !ok:
		return nil, invalidInput("Invalid Entity Arn: " + source + " does not clearly define entity type and name.")
	case of == nil:
		return nil, missing("The %s with name %s cannot be found.", kind, name)
	}
	s, err := q.simulation()
	if err != nil {
		return nil, err
	}
	of.lend(s)
	caller := q.Get("CallerArn")
	if caller == "" {
		caller = of.arn
	}
	if err := q.settleCaller(s, caller); err != nil {
		return nil, err
	}
	return q.simulate(s)
}

// simulation reads what both operations take alike. What the sandbox does not
// have is refused, lest the answer leave it out.
func (q *request) simulation() (*simulation, error) {
	for name := range q.Values {
		for _, lacking := range []string{"ResourceHandlingOption", "PolicyExclusionList", "OrderedOrganizationPolicyInputList"} {
			if strings.HasPrefix(name, lacking) {
				e := q.NotBuilt()
				e.Detail = lacking + " is not built"
				return nil, e
			}
		}
	}
	s := &simulation{
		resource: q.Get("ResourcePolicy"), actions: q.List("ActionNames"), resources: q.List("ResourceArns"),
	}
	if err := s.checkNames(); err != nil {
		return nil, err
	}
	if err := s.readContext(q.Members("ContextEntries")); err != nil {
		return nil, err
	}
	identity, err := s.readPolicies("PolicyInputList", "Policy input list", q.List("PolicyInputList"))
	if err != nil {
		return nil, err
	}
	s.policies.Identity = identity
	boundaries := q.List("PermissionsBoundaryPolicyInputList")
	if len(boundaries) > 1 {
		return nil, invalidInput("The list of Permissions Boundary policies cannot exceed 1 items.")
	}
	boundary, err := s.readPolicies("PermissionsBoundaryPolicyInputList", "Permissions boundary policy input list", boundaries)
	if err != nil {
		return nil, err
	}
	if len(boundary) > 0 {
		s.policies.Boundary = &boundary[0]
	}
	return s, nil
}

// checkNames holds actions and resources to their forms.
func (s *simulation) checkNames() error {
	var v wire.Validation
	if len(s.actions) == 0 {
		v.Required("actionNames", "")
	}
	for i, a := range s.actions {
		v.Length("actionNames."+strconv.Itoa(i+1)+".member", a, 3, 128)
	}
	for i, r := range s.resources {
		v.Length("resourceArns."+strconv.Itoa(i+1)+".member", r, 1, 2048)
	}
	if err := v.Err(); err != nil {
		return err
	}
	for _, r := range s.resources {
		if r != "*" && (!strings.HasPrefix(r, "arn:") || strings.Count(r, ":") < 5) {
			return invalidInput("ResourceNames are not in a valid ARN format: " + r + ".")
		}
	}
	for _, a := range s.actions {
		if !strings.Contains(a, ":") {
			return invalidInput("The action is invalid since it is missing names")
		}
	}
	return nil
}

// readPolicies reads documents that the call brings.
func (s *simulation) readPolicies(id, words string, texts []string) ([]policy.Named, error) {
	var all []policy.Named
	for i, text := range texts {
		doc, err := policy.Parse(policy.Identity, text)
		if err != nil {
			return nil, unusable(words+" item "+strconv.Itoa(i+1)+" has invalid content", err)
		}
		all = append(all, s.cite(id+"."+strconv.Itoa(i+1), doc))
	}
	return all, nil
}

// cite numbers a policy; ids need not differ.
func (s *simulation) cite(id string, doc *policy.Document) policy.Named {
	s.sources = append(s.sources, source{id, doc})
	return policy.Named{Name: strconv.Itoa(len(s.sources) - 1), Document: doc}
}

// unusable is AWS's short text; where the policy is wrong stands in the record.
func unusable(message string, err error) error {
	e := invalidInput(message).(*world.Refusal)
	if said := world.PolicyRefusal(err); said.Detail != "" {
		e.Detail, e.Mend = said.Detail, said.Mend
	}
	return e
}

var entityARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:(user|role|group)/(?:[!-~]+/)?([\w+=,.@-]+)$`)

func entityOf(arn string) (kind, name string, ok bool) {
	m := entityARN.FindStringSubmatch(arn)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// settleCaller makes the principal who is simulated, with the keys that say who
// it is; ContextEntries win over them.
func (q *request) settleCaller(s *simulation, arn string) error {
	ctx := policy.Context{}
	s.caller = policy.Principal{Kind: policy.User, Account: q.Caller.Account}
	ctx.Set("aws:PrincipalAccount", s.caller.Account)
	ctx.Set("aws:userid", stubUser)
	if arn != "" {
		kind, name, ok := entityOf(arn)
		if !ok {
			return invalidInput("Invalid caller - Caller must be an IAM user, role or group in this context.")
		}
		account := strings.Split(arn, ":")[4]
		s.caller.Account, s.caller.ARN, s.caller.Name = account, arn, name
		ctx.Set("aws:PrincipalAccount", account)
		ctx.Set("aws:PrincipalArn", arn)
		ctx.Set("aws:userid", arn)
		q.World.RLock()
		s.caller.ID = q.World.UniqueID(arn)
		q.World.RUnlock()
		switch kind {
		case "user":
			ctx.Set("aws:username", name)
		case "role":
			s.caller.Kind, s.caller.RoleARN, s.caller.RoleID = policy.RoleSession, arn, s.caller.ID
		}
	}
	for key, v := range s.context {
		if v.Multi {
			ctx.SetMulti(key, v.List...)
		} else {
			ctx.Set(key, v.List...)
		}
	}
	s.context = ctx
	return q.settleResource(s)
}

// settleResource checks what a resource policy needs: a caller and resources
// that it could name.
func (q *request) settleResource(s *simulation) error {
	s.owner = s.caller.Account
	if owner := q.Get("ResourceOwner"); owner != "" {
		part := strings.Split(owner, ":")
		if len(part) < 6 || part[0] != "arn" || part[2] != "iam" || len(part[4]) != 12 {
			return invalidInput("'" + owner + "' is not a valid as a Resource Owner.") // sic
		}
		s.owner = part[4]
	}
	if s.resource == "" {
		return nil
	}
	if s.caller.ARN == "" {
		return invalidInput("Invalid caller - Caller cannot be null or empty.")
	}
	if len(s.resources) == 0 || slices.Contains(s.resources, "*") {
		return invalidInput("Invalid Entity Arn: * does not clearly define entity type and name.")
	}
	if _, err := policy.Parse(policy.Resource, s.resource); err != nil {
		return unusable("Resource policy has invalid content", err)
	}
	return nil
}
