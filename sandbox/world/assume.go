package world

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"daypass.dev/policy"
)

// An Assume is what sts AssumeRole, AssumeRoleWithWebIdentity and Roles
// Anywhere's CreateSession ask for.
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
	// As is who assumes, where that is not the call's caller: a service, or a
	// web identity.
	As *policy.Principal
	// Context holds further condition keys: sts:ExternalId, aws:SourceArn,
	// aws:SourceAccount.
	Context policy.Context
	// AnchorARN is kept in the session, for Roles Anywhere.
	AnchorARN string
	// OwnLife says that the service chooses Duration, whatever the role's longest
	// session is.
	OwnLife bool
	// WebIdentity is whose token was shown, where As is a web identity.
	WebIdentity *WebIdentity
}

// action is what the caller must be allowed in any case.
func (a *Assume) action() string {
	if a.WebIdentity != nil {
		return "sts:AssumeRoleWithWebIdentity"
	}
	return "sts:AssumeRole"
}

// Issued are a session and its keys.
type Issued struct {
	Session
	Secret, Token string
	// PackedPolicySize is in per cent of what AWS packs; zero without session
	// policies, tags and a web identity.
	PackedPolicySize int
}

const (
	defaultLife = time.Hour
	chainedLife = time.Hour
)

// AssumeRole decides by the role's trust policy and the caller's own whether
// the role may be assumed and, where that is asked, tagged and given a source
// identity, each by a check of its own; and issues the session. What a session
// in the middle of a chain must hand on, transitive tags and source identity,
// it adds. The error is a *Refusal in the words of sts.
func (c *Call) AssumeRole(a Assume) (*Issued, error) {
	who := c.Caller
	if a.As != nil {
		who = *a.As
	}
	if err := c.inherit(&a); err != nil {
		return nil, err
	}
	c.Decision.SessionName, c.Decision.SourceIdentity, c.Decision.Tags = a.SessionName, a.SourceIdentity, a.Tags
	role, err := c.assumable(who, a)
	if err != nil {
		return nil, err
	}
	if err := c.trusted(who, role, a); err != nil {
		return nil, err
	}
	life, err := c.life(role, a)
	if err != nil {
		return nil, err
	}
	return c.issue(role, a, life)
}

// inherit adds what the caller's session hands on.
func (c *Call) inherit(a *Assume) error {
	if c.Session == nil || a.As != nil {
		return nil
	}
	if own := c.Session.SourceIdentity; own != "" {
		// That AWS refuses is documented; its words are not known.
		if a.SourceIdentity != "" && a.SourceIdentity != own {
			return &Refusal{
				Slug: "source-identity-fixed", Code: "AccessDenied", Status: 403,
				Message: "The source identity of the calling session cannot be changed.",
				Detail:  fmt.Sprintf("the caller's source identity is %q, the request asks for %q", own, a.SourceIdentity),
			}
		}
		a.SourceIdentity = own
	}
	for _, key := range c.Session.TransitiveTags {
		for asked := range a.Tags {
			if strings.EqualFold(asked, key) {
				return &Refusal{
					Slug: "transitive-tag-fixed", Code: "InvalidParameterValue", Status: 400,
					Message: "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
					Detail:  fmt.Sprintf("tag %q is transitive in the caller's session", key),
				}
			}
		}
	}
	if len(c.Session.TransitiveTags) > 0 {
		a.Tags = maps.Clone(a.Tags)
		if a.Tags == nil {
			a.Tags = map[string]string{}
		}
		a.TransitiveTags = slices.Clone(a.TransitiveTags)
	}
	for _, key := range c.Session.TransitiveTags {
		a.Tags[key] = c.Session.Tags[key]
		a.TransitiveTags = append(a.TransitiveTags, key)
	}
	return nil
}

// assumable copies the role; one that does not exist is refused as AWS does,
// in the words for one that does not trust. In another partition it does not
// exist; an unsigned call to the sandbox's own address names no partition.
func (c *Call) assumable(who policy.Principal, a Assume) (Role, error) {
	c.World.RLock()
	defer c.World.RUnlock()
	r, detail := c.World.Role(a.RoleARN), "there is no role "+a.RoleARN
	if here := PartitionOf(c.Region); r != nil && c.Region != "" && partitionIn(r.ARN) != here {
		r, detail = nil, detail+" in partition "+here
	}
	if r == nil {
		return Role{}, &Refusal{
			Slug: "role-not-found", Code: "AccessDenied", Status: 403,
			Message: notAuthorized(who, a.action(), a.RoleARN),
			Detail:  detail,
		}
	}
	copied := *r
	copied.Tags = maps.Clone(r.Tags)
	return copied, nil
}

func notAuthorized(who policy.Principal, action, resource string) string {
	if who.Kind == policy.WebIdentity {
		return "Not authorized to perform " + action
	}
	name := who.ARN
	if name == "" {
		name = who.Name
	}
	return "User: " + name + " is not authorized to perform: " + action + " on resource: " + resource
}

// trusted holds the request to the trust policy, once for each action that it
// needs.
func (c *Call) trusted(who policy.Principal, role Role, a Assume) error {
	account, _ := roleARNParts(role.ARN)
	ctx := trustContext(who, role, a)
	actions := []string{a.action()}
	if len(a.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if a.SourceIdentity != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	for _, action := range actions {
		access := Access{
			Action: action, Resource: role.ARN, ResourceAccount: account, Context: ctx,
			ResourcePolicy: &policy.Named{Name: "trust policy of role " + role.Name, Document: role.Trust},
		}
		if err := c.authorize(who, access); err != nil {
			return nameTrust(err, action)
		}
	}
	return nil
}

// nameTrust gives the two actions that are often forgotten in trust policies
// reasons of their own.
func nameTrust(err error, action string) error {
	var e *Refusal
	if !errors.As(err, &e) || e.Slug != "policy-action" {
		return err
	}
	switch action {
	case "sts:TagSession":
		e.Slug = "trust-tag-session"
	case "sts:SetSourceIdentity":
		e.Slug = "trust-source-identity"
	}
	return err
}

// anywhere is Roles Anywhere, as a principal.
const anywhere = "rolesanywhere.amazonaws.com"

// trustContext are the condition keys of an assumption. Roles Anywhere's tags
// are visible as the principal's too, which no other caller's are.
func trustContext(who policy.Principal, role Role, a Assume) policy.Context {
	ctx := policy.Context{}
	maps.Copy(ctx, a.Context)
	if a.WebIdentity != nil {
		maps.Copy(ctx, a.WebIdentity.trustConditions(who.Account))
	}
	set := func(key string, values ...string) { ctx[key] = policy.Values{List: values} }
	set("sts:RoleSessionName", a.SessionName)
	if a.SourceIdentity != "" {
		set("sts:SourceIdentity", a.SourceIdentity)
	}
	if a.Duration > 0 {
		set("sts:DurationSeconds", fmt.Sprint(int(a.Duration/time.Second)))
	}
	for k, v := range role.Tags {
		set("aws:ResourceTag/"+k, v)
		set("iam:ResourceTag/"+k, v)
	}
	for k, v := range a.Tags {
		set("aws:RequestTag/"+k, v)
		if who.Kind == policy.Service && who.Name == anywhere {
			set("aws:PrincipalTag/"+k, v)
		}
	}
	if len(a.Tags) > 0 {
		ctx["aws:TagKeys"] = policy.Values{List: sortedKeys(a.Tags), Multi: true}
	}
	if len(a.TransitiveTags) > 0 {
		ctx["sts:TransitiveTagKeys"] = policy.Values{List: a.TransitiveTags, Multi: true}
	}
	if who.Kind == policy.Service {
		set("aws:PrincipalIsAWSService", "true")
		set("aws:PrincipalServiceName", who.Name)
	}
	return ctx
}

// life is how long the session lives by AWS's rules.
func (c *Call) life(role Role, a Assume) (time.Duration, error) {
	chained := c.Session != nil && a.As == nil
	life := a.Duration
	if life == 0 {
		life = defaultLife
	}
	max := role.MaxSession
	if max == 0 {
		max = time.Hour
	}
	if chained && life > chainedLife {
		return 0, &Refusal{
			Slug: "duration-over-chained", Code: "ValidationError", Status: 400,
			Message: "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
			Detail:  fmt.Sprintf("a session asked for another of %v", life),
		}
	}
	if life > max && !a.OwnLife {
		return 0, &Refusal{
			Slug: "duration-over-role", Code: "ValidationError", Status: 400,
			Message: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
			Detail:  fmt.Sprintf("%v was asked for, role %s allows %v", life, role.Name, max),
		}
	}
	return life, nil
}

func (c *Call) issue(role Role, a Assume, life time.Duration) (*Issued, error) {
	if err := c.sessionPoliciesExist(role, a); err != nil {
		return nil, err
	}
	size, err := packed(a)
	if err != nil {
		return nil, err
	}
	if short := c.World.SessionsLife; short > 0 && short < life {
		life = short
		c.Decision.NotAWS = append(c.Decision.NotAWS, "sessions.life "+short.String())
	}
	account, _ := roleARNParts(role.ARN)
	s := Session{
		Account: account, RoleName: role.Name, RoleARN: role.ARN, RoleID: role.ID, Name: a.SessionName,
		Tags: a.Tags, TransitiveTags: a.TransitiveTags, SourceIdentity: a.SourceIdentity,
		ManagedARNs: a.ManagedARNs, AnchorARN: a.AnchorARN, WebIdentity: a.WebIdentity,
		// To the second, as AWS gives it out.
		Issued: c.Time.Truncate(time.Second), Expires: c.Time.Truncate(time.Second).Add(life),
	}
	for _, doc := range a.Policies {
		s.Policies = append(s.Policies, doc.Text)
	}
	id, secret, token, long, err := c.World.sealed(s)
	if err != nil {
		return nil, err
	}
	if long != "" {
		c.Changed(Thing{Kind: "session", Name: long})
	}
	s.AccessKeyID = id
	c.Decision.Issued = id
	return &Issued{Session: s, Secret: secret, Token: token, PackedPolicySize: size}, nil
}

// sessionPoliciesExist refuses managed session policies that are not there.
// AWS's own words for it are not known.
func (c *Call) sessionPoliciesExist(role Role, a Assume) error {
	c.World.RLock()
	defer c.World.RUnlock()
	account, _ := roleARNParts(role.ARN)
	for _, arn := range a.ManagedARNs {
		own := "arn:" + partitionIn(role.ARN) + ":iam::"
		foreign := !strings.HasPrefix(arn, own+"aws:") && !strings.HasPrefix(arn, own+account+":")
		if foreign || c.World.ManagedPolicy(arn) == nil {
			return &Refusal{
				Slug: "session-policy-not-found", Code: "MalformedPolicyDocument", Status: 400,
				Message: "The specified managed policy does not exist.",
				Detail:  "account " + account + " has no managed policy " + arn,
			}
		}
	}
	return nil
}

// packedLimit stands for the binary size into which AWS packs session policies
// and tags; AWS does not publish it or the packing.
const packedLimit = 2048

// packed is the share of the packed size that policies and tags take, in per
// cent. It is an estimate: AWS's packing is its own.
func packed(a Assume) (int, error) {
	if len(a.Tags) == 0 && len(a.Policies) == 0 && len(a.ManagedARNs) == 0 && a.WebIdentity == nil {
		return 0, nil
	}
	texts := slices.Clone(a.ManagedARNs)
	for _, doc := range a.Policies {
		texts = append(texts, doc.Text)
	}
	for _, k := range sortedKeys(a.Tags) {
		texts = append(texts, k, a.Tags[k])
	}
	if i := a.WebIdentity; i != nil {
		texts = append(texts, i.Provider, i.Issuer, i.Subject, i.Audience)
	}
	data, err := deflate(texts)
	if err != nil {
		return 0, err
	}
	size := (len(data)*100 + packedLimit - 1) / packedLimit
	if size > 100 {
		return 0, &Refusal{
			Slug: "packed-policy-too-large", Code: "PackedPolicyTooLarge", Status: 400,
			Message: fmt.Sprintf("Packed size of session policies and tags consumes %d%% of allotted space.", size),
		}
	}
	return size, nil
}
