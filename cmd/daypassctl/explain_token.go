package main

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"daypass.dev/doctor"
	"daypass.dev/pki"
	"daypass.dev/policy"
	"daypass.dev/sandbox/oidc"
	"daypass.dev/sandbox/world"
)

// examineToken reads what a web identity token claims, by the sandbox's own
// rules, and settles the session that results. The signature is not verified:
// no file tells the issuer's keys.
func (x *examination) examineToken() error {
	text, err := readFile("web identity token", x.tokenFile)
	if err != nil {
		return err
	}
	id, err := x.identity(string(text))
	if err != nil {
		x.refuseToken(err)
		return nil
	}
	x.pass(stepToken, "issuer %s, subject %s, audience %s, not verified", pki.Printable(id.Issuer), pki.Printable(id.Subject), pki.Printable(id.Audience))
	x.NotSeen = append(x.NotSeen, "whether "+id.Issuer+" signed the token: its claims are read and not verified",
		"whether the account has the provider "+id.Provider+", and its client ids")
	s := pki.Session{Name: x.sessionName, SourceIdentity: id.SourceIdentity}
	for _, key := range slices.Sorted(maps.Keys(id.Tags)) {
		s.Tags = append(s.Tags, pki.Tag{Key: key, Value: id.Tags[key]})
	}
	x.caller = &claimant{
		Claim: doctor.Claim{
			Principal: policy.Principal{Kind: policy.WebIdentity, Name: id.Provider, Account: x.account},
			Action:    "sts:AssumeRoleWithWebIdentity", Session: s, Context: x.webContext(id),
		},
		transitive: id.TransitiveTags, lasting: lastingContext(id),
	}
	x.tellSession()
	return nil
}

// identity reads the token, and finds the provider's name in trust policies.
func (x *examination) identity(text string) (*oidc.Identity, error) {
	token, err := oidc.Parse(text)
	if err != nil {
		return nil, err
	}
	id, err := token.Identity(x.now)
	if err != nil {
		return nil, err
	}
	id.Provider = id.Issuer
	if id.Issuer != oidc.Google {
		id.Provider = "arn:aws:iam::" + strings.Split(x.role.ARN, ":")[4] + ":oidc-provider/" + id.Issuer
	}
	err = id.Authorize(x.role.ARN)
	if err != nil && x.account == "" {
		x.NotSeen = append(x.NotSeen, "whether the token's roles claim lists the role (--role-arn)")
		return id, nil
	}
	return id, err
}

func (x *examination) refuseToken(err error) {
	var e *world.Refusal
	if !errors.As(err, &e) {
		e = &world.Refusal{Slug: "token-not-jwt", Detail: err.Error()}
	}
	detail := e.Detail
	if detail == "" {
		detail = e.Message
	}
	x.fail(stepToken, e.Slug, "%s", detail)
}

// lastingContext are the keys that the session keeps of its token.
func lastingContext(id *oidc.Identity) policy.Context {
	var ctx policy.Context
	ctx.Set("aws:FederatedProvider", id.Provider)
	ctx.Set(id.Issuer+":aud", id.Audience)
	ctx.Set(id.Issuer+":sub", id.Subject)
	ctx.SetMulti(id.Issuer+":amr", id.AMR...)
	return ctx
}

// webContext are the keys that the trust policy sees of the token.
func (x *examination) webContext(id *oidc.Identity) policy.Context {
	ctx := lastingContext(id)
	if len(id.Audiences) > 1 {
		ctx.SetMulti(id.Issuer+":oaud", id.Audiences...)
	} else {
		ctx.Set(id.Issuer+":oaud", id.Audiences...)
	}
	ctx.Set("aws:PrincipalType", "User")
	if strings.HasPrefix(id.Provider, "arn:") {
		ctx.Set("aws:userid", id.Provider)
		ctx.Set("aws:PrincipalAccount", x.account)
	}
	authorized := "false"
	if id.AuthorizedByIDP {
		authorized = "true"
	}
	ctx.Set("sts:RoleAuthorizedByIdp", authorized)
	return ctx
}

// providerARN finds the account in a trust policy that names a provider.
var providerARN = regexp.MustCompile(`arn:aws[a-z-]*:iam::([0-9]{12}):oidc-provider/`)
