package setup

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// An Outcome is what workloads and the cluster need to know.
type Outcome struct {
	TrustAnchorARN string            `json:"trustAnchorArn,omitempty"`
	ProfileARN     string            `json:"profileArn,omitempty"`
	Roles          map[string]string `json:"roles"` // name to ARN
}

// Apply makes the plan's calls in order, and tells of each before it is made.
// It stops at the first that fails; what was done stays, and the next plan does
// not hold it. The error names thing and action, and wraps the SDK's.
func (c *Client) Apply(ctx context.Context, p *Plan, tell func(Step)) (Outcome, error) {
	m := p.made
	for _, s := range p.Steps {
		tell(s)
		err := s.run(ctx, c, &m)
		if s.Sign == "-" && gone(err) {
			err = nil
		}
		if err != nil {
			return Outcome{}, fmt.Errorf("%s: %s: %w", s.Thing, s.Action, err)
		}
	}
	out := Outcome{Roles: map[string]string{}}
	if p.file.TrustAnchor != nil {
		out.TrustAnchorARN, out.ProfileARN = m.anchor, m.profile
	}
	for _, name := range p.file.names() {
		out.Roles[name] = p.file.RoleARN(name)
	}
	return out, nil
}

// Permissions is the least policy, as JSON, with which an operator can carry out
// this plan, read the state before and after, and go on where it was interrupted.
// The plan is Plan's or Destroy's.
func (p *Plan) Permissions() ([]byte, error) {
	f := p.read
	type statement struct {
		Effect           string
		Action, Resource []string
		Condition        map[string]map[string]string `json:",omitempty"`
	}
	needs := map[string]map[string]bool{} // resource to actions
	need := func(action string, resources ...string) {
		for _, r := range resources {
			if needs[r] == nil {
				needs[r] = map[string]bool{}
			}
			needs[r][action] = true
		}
	}
	need("iam:ListRoles", "*")
	need("rolesanywhere:ListTrustAnchors", "*")
	need("rolesanywhere:ListProfiles", "*")
	need("rolesanywhere:ListTagsForResource", f.anywhereARN("trust-anchor", "*"), f.anywhereARN("profile", "*"))
	need("iam:ListOpenIDConnectProviders", "*")
	need("iam:GetOpenIDConnectProvider", ProviderARN(f.partition(), f.Account, "*"))
	roles := "arn:" + f.partition() + ":iam::" + f.Account + ":role" + f.rolePath() + "*"
	for _, name := range f.names() {
		// GetRole by a name that nothing has is decided on a role without path.
		need("iam:GetRole", "arn:"+f.partition()+":iam::"+f.Account+":role/"+name)
	}
	for _, action := range []string{"iam:GetRole", "iam:ListRolePolicies", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies"} {
		need(action, roles)
	}
	if f.inEKS() {
		need("eks:ListPodIdentityAssociations", f.Cluster.ARN)
		need("eks:DescribePodIdentityAssociation", f.Cluster.associationsARN())
	}
	passed := map[string]map[string]bool{} // service to roles
	for _, s := range p.Steps {
		need(s.Action, s.Resource)
		switch s.Action {
		case "iam:CreateRole":
			need("iam:TagRole", s.Resource)
		case "iam:CreateOpenIDConnectProvider":
			need("iam:TagOpenIDConnectProvider", s.Resource)
		case "rolesanywhere:CreateTrustAnchor", "rolesanywhere:CreateProfile":
			need("rolesanywhere:TagResource", s.Resource)
		case "eks:CreatePodIdentityAssociation":
			need("eks:TagResource", f.Cluster.associationsARN())
		}
		for _, arn := range s.passes {
			if passed[s.passesTo] == nil {
				passed[s.passesTo] = map[string]bool{}
			}
			passed[s.passesTo][arn] = true
		}
	}
	doc := struct {
		Version   string
		Statement []statement
	}{Version: "2012-10-17"}
	// Resources with the same actions share a statement.
	together := map[string][]string{}
	for resource, actions := range needs {
		key := fmt.Sprint(slices.Sorted(maps.Keys(actions)))
		together[key] = append(together[key], resource)
	}
	for _, key := range slices.Sorted(maps.Keys(together)) {
		resources := slices.Sorted(slices.Values(together[key]))
		doc.Statement = append(doc.Statement, statement{Effect: "Allow", Action: slices.Sorted(maps.Keys(needs[resources[0]])), Resource: resources})
	}
	for _, service := range slices.Sorted(maps.Keys(passed)) {
		doc.Statement = append(doc.Statement, statement{
			Effect: "Allow", Action: []string{"iam:PassRole"}, Resource: slices.Sorted(maps.Keys(passed[service])),
			Condition: map[string]map[string]string{"StringEquals": {"iam:PassedToService": service}},
		})
	}
	return indented(doc)
}
