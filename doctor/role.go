package doctor

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"daypass.dev/policy"
)

// A Role is the role that is to be assumed.
type Role struct {
	Look
	ARN, ID    string
	Created    time.Time
	MaxSession time.Duration // 0: not known
	Trust      string        // the trust policy's JSON; empty: not known
	Tags       map[string]string
	// Policies are its identity policies by name, Boundary its permissions
	// boundary; nil: not known, empty: it has none.
	Policies map[string]string
	Boundary string
}

// ParseRole reads what aws iam get-role prints, or a bare trust policy.
func ParseRole(data []byte) (*Role, error) {
	var in struct {
		Role *struct {
			Arn, RoleId              string //nolint:revive // as IAM spells it
			CreateDate               time.Time
			MaxSessionDuration       int
			AssumeRolePolicyDocument json.RawMessage
			Tags                     []struct{ Key, Value string }
		}
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, errors.New("it is no JSON")
	}
	if in.Role == nil {
		return &Role{Trust: string(data)}, nil
	}
	r := &Role{
		ARN: in.Role.Arn, ID: in.Role.RoleId, Created: in.Role.CreateDate,
		MaxSession: time.Duration(in.Role.MaxSessionDuration) * time.Second, Trust: PolicyText(in.Role.AssumeRolePolicyDocument),
		Tags: map[string]string{},
	}
	for _, t := range in.Role.Tags {
		r.Tags[t.Key] = t.Value
	}
	return r, nil
}

// PolicyText is a policy as JSON, whether it stands there as JSON or, as IAM's
// API has it, as a text that is escaped as in a URL.
func PolicyText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return string(raw)
	}
	if plain, err := url.QueryUnescape(text); err == nil && strings.HasPrefix(text, "%7B") {
		return plain
	}
	return text
}

func (d *diagnosis) role() {
	r := d.Role
	if r == nil || !d.looked(r.Look, "role "+r.ARN, "role-not-found") {
		return
	}
	if asked := d.duration(); r.MaxSession != 0 && asked > r.MaxSession && d.action() == "sts:AssumeRole" {
		d.fail("duration-over-role", fmt.Sprintf("sessions of %v are asked for, the role allows %v", asked, r.MaxSession))
		return
	}
	if s := d.Settings; s != nil && r.MaxSession != 0 && s.Duration > r.MaxSession {
		d.fail("duration-over-role", fmt.Sprintf("a session of %v is asked for, the role allows %v", s.Duration, r.MaxSession))
		return
	}
	refused := d.Answer != nil && !d.Answer.OK
	if age := d.Now.Sub(r.Created); refused && !r.Created.IsZero() && age >= 0 && age < time.Minute {
		d.warn("iam-propagation", fmt.Sprintf("the role is %d seconds old", age/time.Second))
	}
	if r.ARN != "" {
		d.pass(r.ARN + " exists")
	}
}

func (d *diagnosis) action() string {
	if d.session == nil {
		return ""
	}
	return d.session.Action
}

// trust asks the role's trust policy for each action that the assumption needs.
func (d *diagnosis) trust() {
	r := d.Role
	if r == nil || r.Missing || r.Unseen != "" || r.Trust == "" {
		return
	}
	doc, err := policy.Parse(policy.Trust, r.Trust)
	if err != nil {
		d.malformed("the trust policy", err)
		return
	}
	d.wide(r.Trust)
	if d.session == nil {
		d.unknown("there is no certificate or token to hold against the trust policy")
		return
	}
	base := d.baseContext(d.roleARN(), r.Tags)
	base.Set("sts:DurationSeconds", strconv.Itoa(int(d.duration()/time.Second)))
	trust := policy.Policies{Resource: &policy.Named{Name: "the trust policy", Document: doc}}
	for _, a := range d.session.Assume(trust, d.roleName(), partsOf(d.roleARN()).account, base) {
		d.decided(a.Action, a.Reason, a.Decision)
	}
}

// roleName is the role's ARN, or one that stands for it.
func (d *diagnosis) roleName() string {
	if arn := d.roleARN(); arn != "" {
		return arn
	}
	return "arn:aws:iam::000000000000:role/the-role"
}

func (d *diagnosis) decided(what, slug string, got policy.Decision) {
	if got.Allowed {
		d.pass(fmt.Sprintf("%s is allowed by statement %d of %s", what, got.Statement, got.Policy))
		return
	}
	where := ""
	if got.Policy != "" {
		where = fmt.Sprintf(" (statement %d of %s)", got.Statement, got.Policy)
	}
	d.fail(slug, what+": "+got.Detail+where)
	if got.Change != "" {
		d.Checks[len(d.Checks)-1].Mend = got.Change
	}
}

func (d *diagnosis) malformed(what string, err error) {
	detail := what + ": " + err.Error()
	var wrong *policy.SyntaxError
	if errors.As(err, &wrong) {
		detail = fmt.Sprintf("%s, line %d: %s %s", what, wrong.Line, wrong.Message, wrong.Hint)
	}
	d.fail("policy-malformed", detail)
}

// baseContext holds the keys that every request to or of a role has.
func (d *diagnosis) baseContext(role string, tags map[string]string) policy.Context {
	var ctx policy.Context
	ctx.Set("aws:CurrentTime", d.Now.UTC().Format("2006-01-02T15:04:05Z"))
	ctx.Set("aws:EpochTime", strconv.FormatInt(d.Now.Unix(), 10))
	ctx.Set("aws:SecureTransport", "true")
	if account := partsOf(role).account; account != "" {
		ctx.Set("aws:ResourceAccount", account)
	}
	for key, value := range tags {
		ctx.Set("aws:ResourceTag/"+key, value)
		ctx.Set("iam:ResourceTag/"+key, value)
	}
	return ctx
}
