package sts

import (
	"regexp"
	"time"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

var (
	sessionName = regexp.MustCompile(`^[\w+=,.@-]*$`)
	externalID  = regexp.MustCompile(`^[\w+=,.@:/-]*$`)
	roleARN     = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$`)
)

// assumed has PackedPolicySize for the older SDKs that read it, and not
// SessionTokenUtilization, since nobody outside AWS knows the largest token.
type assumed struct {
	Credentials      credentials
	AssumedRoleUser  roleUser
	PackedPolicySize int `xml:",omitempty"`
	SessionTokenSize int
	SourceIdentity   string `xml:",omitempty"`
}

type credentials struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

func viewCredentials(got *world.Issued) credentials {
	return credentials{
		AccessKeyID: got.AccessKeyID, SecretAccessKey: got.Secret,
		SessionToken: got.Token, Expiration: wire.Timestamp(got.Expires),
	}
}

type roleUser struct {
	AssumedRoleID string `xml:"AssumedRoleId"`
	Arn           string
}

func assumeRole(c *world.Call, form wire.Form) (any, error) {
	ask, err := parseAssume(c, form)
	if err != nil {
		return nil, err
	}
	got, err := c.AssumeRole(*ask)
	if err != nil {
		return nil, err
	}
	return assumed{
		Credentials:      viewCredentials(got),
		AssumedRoleUser:  roleUser{got.RoleID + ":" + got.Name, got.ARN()},
		PackedPolicySize: got.PackedPolicySize,
		SessionTokenSize: len(got.Token),
		SourceIdentity:   got.SourceIdentity,
	}, nil
}

func parseAssume(c *world.Call, form wire.Form) (*world.Assume, error) {
	for _, name := range []string{"SerialNumber", "TokenCode", "ProvidedContexts.member.1.ProviderArn"} {
		if form.Get(name) != "" {
			e := c.NotBuilt()
			e.Detail = "AssumeRole with " + name + " is not built"
			return nil, e
		}
	}
	ask := &world.Assume{
		RoleARN: form.Get("RoleArn"), SessionName: form.Get("RoleSessionName"),
		SourceIdentity: form.Get("SourceIdentity"), TransitiveTags: form.List("TransitiveTagKeys"),
		Context: policy.Context{},
	}
	var v wire.Validation
	validateNames(&v, form)
	if err := readDuration(&v, form, ask); err != nil {
		return nil, err
	}
	tags, duplicate := v.Tags(form.Members("Tags"))
	ask.Tags = tags
	if err := v.Err(); err != nil {
		return nil, err
	}
	if err := checkARN(ask.RoleARN); err != nil {
		return nil, err
	}
	if duplicate {
		return nil, &world.Refusal{
			Slug: "session-tags-duplicate", Code: "InvalidParameterValue", Status: 400,
			Message: "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
		}
	}
	if id := form.Get("ExternalId"); id != "" {
		ask.Context["sts:ExternalId"] = policy.Values{List: []string{id}}
	}
	return ask, readPolicies(form, ask)
}

func readDuration(v *wire.Validation, form wire.Form, ask *world.Assume) error {
	seconds, given, err := form.Int("DurationSeconds")
	if given && err == nil {
		v.Range("durationSeconds", seconds, 900, 43200)
		ask.Duration = time.Duration(seconds) * time.Second
	}
	return err
}

func validateNames(v *wire.Validation, form wire.Form) {
	for _, p := range []struct {
		field, name string
		required    bool
		min, max    int
		pattern     *regexp.Regexp
		shown       string
	}{
		{"roleArn", "RoleArn", true, 20, 2048, nil, ""},
		{"roleSessionName", "RoleSessionName", true, 2, 64, sessionName, `[\w+=,.@-]*`},
		{"externalId", "ExternalId", false, 2, 1224, externalID, `[\w+=,.@:\/-]*`},
		{"sourceIdentity", "SourceIdentity", false, 2, 64, sessionName, `[\w+=,.@-]*`},
		{"policy", "Policy", false, 1, 2048, nil, ""},
	} {
		value := form.Get(p.name)
		if p.required {
			v.Required(p.field, value)
		}
		v.Length(p.field, value, p.min, p.max)
		if p.pattern != nil {
			v.Pattern(p.field, value, p.pattern, p.shown)
		}
	}
}

func checkARN(arn string) error {
	if !roleARN.MatchString(arn) {
		return wire.Invalid(arn + " is invalid")
	}
	return nil
}

func readPolicies(form wire.Form, ask *world.Assume) error {
	if text := form.Get("Policy"); text != "" {
		doc, err := policy.Parse(policy.Session, text)
		if err != nil {
			return world.PolicyRefusal(err)
		}
		ask.Policies = []*policy.Document{doc}
	}
	for _, m := range form.Members("PolicyArns") {
		ask.ManagedARNs = append(ask.ManagedARNs, m.Get("arn"))
	}
	if len(ask.ManagedARNs) > 10 {
		var v wire.Validation
		v.Range("policyArns", len(ask.ManagedARNs), 0, 10)
		return v.Err()
	}
	return nil
}
