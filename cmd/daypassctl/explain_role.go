package main

import (
	"regexp"
	"strings"

	"daypass.dev/internal/cli"
	"daypass.dev/policy"
)

var (
	roleARNForm   = regexp.MustCompile(`^arn:aws[a-z-]*:iam::([0-9]{12}):role/(?:[!-~]+/)?([\w+=,.@-]{1,64})$`)
	anchorARNForm = regexp.MustCompile(`^arn:aws[a-z-]*:rolesanywhere:([a-z0-9-]+):([0-9]{12}):trust-anchor/\S+$`)
	sessionForm   = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)

// unknownAccount stands where no file and no option names the role's account.
const unknownAccount = "000000000000"

// settleRole finds out which role is asked for: what get-role printed, the
// option, the profile's only role; else one that stands for it.
func (x *examination) settleRole() error {
	switch {
	case x.anchorARN != "" && !anchorARNForm.MatchString(x.anchorARN):
		return cli.Usagef("it looks like arn:aws:rolesanywhere:REGION:ACCOUNT:trust-anchor/ID", "--trust-anchor-arn: %q is no trust anchor's ARN", x.anchorARN)
	case x.roleARN != "" && !roleARNForm.MatchString(x.roleARN):
		return cli.Usagef("it looks like arn:aws:iam::ACCOUNT:role/NAME", "--role-arn: %q is no role's ARN", x.roleARN)
	case x.role.ARN != "" && x.roleARN != "" && x.role.ARN != x.roleARN:
		return cli.Usagef("leave --role-arn out", "--role-arn: %s is the role %s", x.trustFile, x.role.ARN)
	case x.sessionName != "" && !sessionForm.MatchString(x.sessionName):
		return cli.Usagef("use 2 to 64 of A-Z a-z 0-9 _ + = , . @ -", "--role-session-name: %q is no session name", x.sessionName)
	}
	if x.role.ARN == "" {
		x.role.ARN = x.roleARN
	}
	if x.role.ARN == "" && x.profile != nil && len(x.profile.Roles) == 1 {
		x.role.ARN = x.profile.Roles[0]
	}
	if m := roleARNForm.FindStringSubmatch(x.role.ARN); m != nil {
		x.account = m[1]
		return nil
	}
	if x.role.ARN != "" {
		return cli.Usagef("it looks like arn:aws:iam::ACCOUNT:role/NAME", "%q is no role's ARN", x.role.ARN)
	}
	x.account = x.accountOfFiles()
	account := x.account
	if account == "" {
		account = unknownAccount
	}
	x.role.ARN = "arn:aws:iam::" + account + ":role/the-role"
	if x.action != "" {
		x.NotSeen = append(x.NotSeen, "which role it is: "+x.role.ARN+" stands for it (--role-arn)")
	}
	return nil
}

// accountOfFiles is the account of the trust anchor, of the profile, or of the
// identity provider that the trust policy names; empty if none is told.
func (x *examination) accountOfFiles() string {
	if m := anchorARNForm.FindStringSubmatch(x.anchorARN); m != nil {
		return m[2]
	}
	if x.profile != nil {
		if part := strings.Split(x.profile.ARN, ":"); len(part) > 4 {
			return part[4]
		}
	}
	if x.role.trust != nil {
		if m := providerARN.FindStringSubmatch(x.role.trust.Document.Text); m != nil {
			return m[1]
		}
	}
	return ""
}

// sessionPrincipal is the principal that the role's session is.
func (x *examination) sessionPrincipal(name string) policy.Principal {
	m := roleARNForm.FindStringSubmatch(x.role.ARN)
	partition := strings.Split(x.role.ARN, ":")[1]
	p := policy.Principal{
		Kind: policy.RoleSession, Account: m[1], RoleARN: x.role.ARN, RoleID: x.role.ID,
		ARN: "arn:" + partition + ":sts::" + m[1] + ":assumed-role/" + m[2] + "/" + name,
	}
	if x.role.ID != "" {
		p.ID = x.role.ID + ":" + name
	}
	return p
}
