package rolesanywhere

import (
	"maps"
	"slices"
	"time"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// The limits of a profile (API reference, CreateProfile).
const (
	maxRoles           = 250
	maxManagedPolicies = 50
	maxSessionPolicy   = 100_000
)

type profileDetail struct {
	ID                        string    `json:"profileId"`
	ARN                       string    `json:"profileArn"`
	Name                      string    `json:"name"`
	RequireInstanceProperties bool      `json:"requireInstanceProperties"`
	Enabled                   bool      `json:"enabled"`
	CreatedBy                 string    `json:"createdBy,omitempty"`
	SessionPolicy             string    `json:"sessionPolicy,omitempty"`
	RoleARNs                  []string  `json:"roleArns"`
	ManagedPolicies           []string  `json:"managedPolicyArns"`
	CreatedAt                 string    `json:"createdAt"`
	UpdatedAt                 string    `json:"updatedAt"`
	Duration                  int       `json:"durationSeconds"`
	AcceptSessionName         bool      `json:"acceptRoleSessionName"`
	Mappings                  []mapping `json:"attributeMappings"`
}

func describeProfile(p *world.Profile) any {
	d := profileDetail{
		ID: p.ID, ARN: p.ARN, Name: p.Name, RequireInstanceProperties: p.RequireInstanceProperties,
		Enabled: !p.Disabled, CreatedBy: p.CreatedBy,
		RoleARNs: slices.Clone(p.RoleARNs), ManagedPolicies: slices.Clone(p.ManagedPolicies),
		CreatedAt: wire.Timestamp(p.Created), UpdatedAt: wire.Timestamp(p.Updated),
		Duration:          int(sessionDuration(parameters{}, p) / time.Second),
		AcceptSessionName: p.AcceptSessionName, Mappings: describeMappings(p.Mappings),
	}
	if p.SessionPolicy != nil {
		d.SessionPolicy = p.SessionPolicy.Text
	}
	return d
}

func profiles() shelf[world.Profile] {
	return shelf[world.Profile]{
		kind: "profile", member: "profile", list: "profiles",
		of:    func(a *world.Account) map[string]*world.Profile { return a.Profiles },
		about: func(p *world.Profile) about { return about{p.Region, p.ID, p.Created, p.Tags} },
		show:  describeProfile, brief: describeProfile,
	}
}

// profileInput is what CreateProfile and UpdateProfile take; nil is not sent.
type profileInput struct {
	Name              *string   `json:"name"`
	RoleARNs          *[]string `json:"roleArns"`
	ManagedPolicies   []string  `json:"managedPolicyArns"`
	SessionPolicy     *string   `json:"sessionPolicy"`
	Duration          *int      `json:"durationSeconds"`
	AcceptSessionName *bool     `json:"acceptRoleSessionName"`
	Propagation       any       `json:"tipConfiguration"`
	// Only in CreateProfile:
	RequireInstanceProperties bool  `json:"requireInstanceProperties"`
	Enabled                   bool  `json:"enabled"`
	Tags                      []tag `json:"tags"`
}

// check holds what was sent against the model and returns the session policy.
func (in *profileInput) check() (*policy.Document, error) {
	if in.Propagation != nil { // which AWS's SDKs do not have
		return nil, faultf("operation-not-built", "tipConfiguration, trusted identity propagation")
	}
	if in.Name != nil {
		if err := checkName(*in.Name); err != nil {
			return nil, err
		}
	}
	if in.RoleARNs != nil && len(*in.RoleARNs) > maxRoles {
		return nil, faultf("anywhere-parameter", "roleArns has %d members", len(*in.RoleARNs))
	}
	if len(in.ManagedPolicies) > maxManagedPolicies {
		return nil, faultf("anywhere-parameter", "managedPolicyArns has %d members", len(in.ManagedPolicies))
	}
	if in.Duration != nil {
		if s := int64(*in.Duration); s < int64(minDuration/time.Second) || s > int64(maxDuration/time.Second) {
			return nil, faultf("anywhere-parameter", "durationSeconds is %d", *in.Duration)
		}
	}
	if in.SessionPolicy == nil || *in.SessionPolicy == "" {
		return nil, nil
	}
	if len(*in.SessionPolicy) > maxSessionPolicy {
		return nil, faultf("anywhere-parameter", "sessionPolicy has %d characters", len(*in.SessionPolicy))
	}
	doc, err := policy.Parse(policy.Identity, *in.SessionPolicy)
	if err != nil {
		return nil, faultf("anywhere-parameter", "sessionPolicy: %v", err)
	}
	return doc, nil
}

// passRoles asks, for each role, whether the caller may pass it to Roles
// Anywhere. The role needs not exist.
func (q *request) passRoles(arns *[]string) error {
	if arns == nil {
		return nil
	}
	for _, text := range *arns {
		role, ok := parseARN(text)
		if !ok || role.service != "iam" || role.kind != "role" {
			return faultf("anywhere-parameter", "roleArns names %q", text)
		}
		if role.account != q.Caller.Account {
			return faultf("pass-role-elsewhere", "role %s is not of account %s", text, q.Caller.Account)
		}
		err := q.Authorize(world.Access{
			Action: "iam:PassRole", Resource: text,
			Context: policy.Context{"iam:PassedToService": {List: []string{servicePrincipal}}},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func createProfile(q *request) error {
	var in profileInput
	if err := q.read(&in); err != nil {
		return err
	}
	id := world.NewUUID()
	arn := q.arnOf(profiles().kind, id)
	if err := q.allowedNew(arn, in.Tags); err != nil {
		return err
	}
	if in.Name == nil || in.RoleARNs == nil {
		return faultf("anywhere-parameter", "name and roleArns are needed")
	}
	doc, err := in.check()
	if err != nil {
		return err
	}
	tags, err := withTags(nil, in.Tags)
	if err != nil {
		return err
	}
	if err := q.passRoles(in.RoleARNs); err != nil {
		return err
	}
	p := &world.Profile{
		ID: id, ARN: arn, Region: q.Region, Duration: defaultDuration, Mappings: defaultMappings(),
		RequireInstanceProperties: in.RequireInstanceProperties, Disabled: !in.Enabled,
		Created: q.Time, CreatedBy: q.Caller.ARN, Tags: tags,
	}
	in.apply(p, doc, q.Time)
	return profiles().add(q, p, nil)
}

func (in *profileInput) apply(p *world.Profile, doc *policy.Document, now time.Time) {
	if in.Name != nil {
		p.Name = *in.Name
	}
	if in.RoleARNs != nil {
		p.RoleARNs = slices.Clone(*in.RoleARNs)
	}
	if in.ManagedPolicies != nil {
		p.ManagedPolicies = slices.Clone(in.ManagedPolicies)
	}
	if in.SessionPolicy != nil {
		p.SessionPolicy = doc
	}
	if in.Duration != nil {
		p.Duration = time.Duration(*in.Duration) * time.Second
	}
	if in.AcceptSessionName != nil {
		p.AcceptSessionName = *in.AcceptSessionName
	}
	p.Updated = now
}

func updateProfile(q *request) error {
	var in profileInput
	if err := q.read(&in); err != nil {
		return err
	}
	if err := profiles().enter(q); err != nil {
		return err
	}
	doc, err := in.check()
	if err != nil {
		return err
	}
	if err := q.passRoles(in.RoleARNs); err != nil {
		return err
	}
	return profiles().change(q, func(_ *world.Account, p *world.Profile) error {
		in.apply(p, doc, q.Time)
		return nil
	})
}

func getProfile(q *request) error {
	return profiles().get(q)
}

func deleteProfile(q *request) error {
	return profiles().one(q, func(account *world.Account, p *world.Profile) { delete(account.Profiles, p.ID) })
}

func switchProfile(on bool) func(*request) error {
	return func(q *request) error {
		return profiles().one(q, func(_ *world.Account, p *world.Profile) { p.Disabled, p.Updated = !on, q.Time })
	}
}

func listProfiles(q *request) error { return profiles().all(q) }

func copyMappings(m map[string][]string) map[string][]string {
	if m == nil {
		return nil
	}
	copied := map[string][]string{}
	for field := range maps.Keys(m) {
		copied[field] = slices.Clone(m[field])
	}
	return copied
}
