package rolesanywhere

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"daypass.dev/policy"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// profileFault holds the request against the profile, as the profile's own
// settings and the account boundary demand.
func profileFault(asked parameters, profile *world.Profile) *fault {
	if asked.profile.account != asked.anchor.account || asked.profile.region != asked.anchor.region {
		return faultf("profile-elsewhere", "the profile is %s, the trust anchor %s", asked.profile.text, asked.anchor.text)
	}
	if profile == nil {
		return faultf("profile-unknown", "there is no profile %s", asked.profile.text)
	}
	switch {
	case profile.Disabled:
		return faultf("profile-disabled", "%s (%s) is disabled", profile.ARN, profile.Name)
	case !slices.Contains(profile.RoleARNs, asked.role.text):
		return faultf("profile-role", "%s is not among the %d roles of profile %s: %s",
			asked.role.text, len(profile.RoleARNs), profile.Name, strings.Join(profile.RoleARNs, ", "))
	case profile.RequireInstanceProperties && len(asked.properties) == 0:
		return faultf("profile-properties", "profile %s has requireInstanceProperties", profile.Name)
	case asked.name != "" && !profile.AcceptSessionName:
		return faultf("profile-session-name", "roleSessionName %q was sent and profile %s has acceptRoleSessionName false", asked.name, profile.Name)
	case asked.role.account != asked.anchor.account:
		return &fault{slug: "role-elsewhere", name: asked.role.text,
			detail: "the role is in account " + asked.role.account + ", the trust anchor in " + asked.anchor.account}
	}
	return nil
}

// assume turns a trusted leaf into a session.
func assume(c *world.Call, who *caller, asked parameters, found found) (*world.Issued, error) {
	if f := profileFault(asked, found.profile); f != nil {
		return nil, f.inSession()
	}
	id, err := identify(who.leaf)
	if err != nil {
		return nil, faultf("x509-header", "%v", err).inSession()
	}
	source, f := sourceIdentity(id)
	if f != nil {
		f.name = asked.role.text
		return nil, f.inSession()
	}
	tags, dropped := sessionTags(id, found.profile.Mappings)
	a := world.Assume{
		RoleARN: asked.role.text, SessionName: asked.name, Duration: sessionDuration(asked, found.profile),
		Tags: tags, SourceIdentity: source, ManagedARNs: found.profile.ManagedPolicies,
		As:        &policy.Principal{Kind: policy.Service, Name: servicePrincipal},
		AnchorARN: asked.anchor.text,
		Context: policy.Context{
			"aws:SourceArn":     {List: []string{asked.anchor.text}},
			"aws:SourceAccount": {List: []string{asked.anchor.account}},
		},
	}
	if a.SessionName == "" {
		a.SessionName = hexSerial(id.serial)
	}
	if found.profile.SessionPolicy != nil {
		a.Policies = []*policy.Document{found.profile.SessionPolicy}
	}
	issued, err := c.AssumeRole(a)
	if err != nil {
		return nil, unassumable(err, asked.role.text, dropped)
	}
	return issued, nil
}

// defaultDuration is a profile's that was created without durationSeconds.
const defaultDuration = time.Hour

// sessionDuration is the shorter of the profile's and the request's.
func sessionDuration(asked parameters, profile *world.Profile) time.Duration {
	d := profile.Duration
	if d == 0 {
		d = defaultDuration
	}
	if asked.duration > 0 {
		d = min(d, asked.duration)
	}
	return d
}

// unassumable says as Roles Anywhere does that STS refused. What STS said is
// not passed on where it is about who is trusted; that it is for everything
// else is known of the duration only.
func unassumable(err error, role string, dropped []string) error {
	var said *world.Refusal
	if !errors.As(err, &said) {
		return err
	}
	r := *said
	r.Code, r.Status = codeDenied, http.StatusForbidden
	r.Message = "Unable to assume role for " + role + "."
	if said.Status == http.StatusBadRequest {
		r.Message += " " + said.Message
	}
	r.Message += droppedText(dropped)
	if r.Detail == "" {
		r.Detail = "STS says: " + said.Message
	}
	if len(dropped) > 0 {
		r.Detail += "; left out of the session's tags: " + strings.Join(dropped, ", ")
	}
	return &r
}

// answer is CreateSession's, as the User Guide documents it.
func answer(s *world.Issued, subject string) any {
	type user struct {
		ARN string `json:"arn"`
		ID  string `json:"assumedRoleId"`
	}
	type credentials struct {
		AccessKeyID     string `json:"accessKeyId"`
		Expiration      string `json:"expiration"`
		SecretAccessKey string `json:"secretAccessKey"`
		SessionToken    string `json:"sessionToken"`
	}
	type set struct {
		User             user        `json:"assumedRoleUser"`
		Credentials      credentials `json:"credentials"`
		PackedPolicySize int         `json:"packedPolicySize"`
		RoleARN          string      `json:"roleArn"`
		SourceIdentity   string      `json:"sourceIdentity"`
	}
	return struct {
		CredentialSet []set  `json:"credentialSet"`
		SubjectARN    string `json:"subjectArn"`
	}{
		CredentialSet: []set{{
			User:             user{s.ARN(), s.RoleID + ":" + s.Name},
			Credentials:      credentials{s.AccessKeyID, wire.Timestamp(s.Expires), s.Secret, s.Token},
			PackedPolicySize: s.PackedPolicySize, RoleARN: s.RoleARN, SourceIdentity: s.SourceIdentity,
		}},
		SubjectARN: subject,
	}
}
