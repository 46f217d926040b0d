package sts

import (
	"context"
	"fmt"
	"strings"

	"daypass.dev/policy"
	"daypass.dev/sandbox/oidc"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// webAssumed has for Provider the ARN of the account's provider, as recorded,
// and of a built-in one the name.
type webAssumed struct {
	SubjectFromWebIdentityToken string
	Audience                    string
	AssumedRoleUser             roleUser
	Credentials                 credentials
	PackedPolicySize            int
	SessionTokenSize            int
	Provider                    string
	SourceIdentity              string `xml:",omitempty"`
}

// assumeWithWebIdentity takes a token in place of a signature. It looks at the
// parameters, the token's form, the provider, the signature, the claims and the
// trust policy, in this order; in which order AWS does is unchecked.
func (s *Service) assumeWithWebIdentity(c *world.Call, ctx context.Context, form wire.Form) (any, error) {
	forgetSigner(c)
	ask, err := parseWebIdentity(form)
	if err != nil {
		return nil, err
	}
	token, err := readToken(c, form)
	if err != nil {
		return nil, err
	}
	from, err := findProvider(c, token.Issuer, strings.Split(ask.RoleARN, ":")[4])
	if err != nil {
		return nil, err
	}
	id, err := s.identify(c, ctx, token, from)
	if err != nil {
		return nil, err
	}
	if err := id.Authorize(ask.RoleARN); err != nil {
		return nil, err
	}
	ask.As = &policy.Principal{Kind: policy.WebIdentity, Name: from.name, Account: from.account}
	ask.WebIdentity, ask.Tags, ask.TransitiveTags, ask.SourceIdentity = &id.WebIdentity, id.Tags, id.TransitiveTags, id.SourceIdentity
	got, err := c.AssumeRole(*ask)
	if err != nil {
		return nil, err
	}
	return webAssumed{
		SubjectFromWebIdentityToken: id.Subject, Audience: id.Audience, Provider: from.name,
		AssumedRoleUser: roleUser{got.RoleID + ":" + got.Name, got.ARN()}, Credentials: viewCredentials(got),
		PackedPolicySize: got.PackedPolicySize, SessionTokenSize: len(got.Token), SourceIdentity: got.SourceIdentity,
	}, nil
}

// forgetSigner takes back what a signature has said of the caller: here the
// token alone counts, even if the call came signed.
func forgetSigner(c *world.Call) {
	signer := policy.Context{}
	c.World.AddCallerContext(signer, c.Caller, c.Session)
	for key := range signer {
		delete(c.Context, key)
	}
	c.Caller, c.Session = policy.Principal{}, nil
}

func parseWebIdentity(form wire.Form) (*world.Assume, error) {
	ask := &world.Assume{RoleARN: form.Get("RoleArn"), SessionName: form.Get("RoleSessionName"), Context: policy.Context{}}
	var v wire.Validation
	v.Required("roleArn", ask.RoleARN)
	v.Length("roleArn", ask.RoleARN, 20, 2048)
	v.Required("roleSessionName", ask.SessionName)
	v.Length("roleSessionName", ask.SessionName, 2, 64)
	v.Pattern("roleSessionName", ask.SessionName, sessionName, `[\w+=,.@-]*`)
	v.Required("webIdentityToken", form.Get("WebIdentityToken"))
	v.SecretLength("webIdentityToken", form.Get("WebIdentityToken"), 4, 20000)
	v.Length("providerId", form.Get("ProviderId"), 4, 2048)
	v.Length("policy", form.Get("Policy"), 1, 2048)
	if err := readDuration(&v, form, ask); err != nil {
		return nil, err
	}
	if err := v.Err(); err != nil {
		return nil, err
	}
	if err := checkARN(ask.RoleARN); err != nil {
		return nil, err
	}
	return ask, readPolicies(form, ask)
}

// readToken reads an OpenID Connect token. ProviderId is for the OAuth tokens
// of two others, which are not built; that it is refused otherwise is recorded.
func readToken(c *world.Call, form wire.Form) (*oidc.Token, error) {
	token, err := oidc.Parse(form.Get("WebIdentityToken"))
	switch id := form.Get("ProviderId"); {
	case id == "":
		return token, err
	case id == "www.amazon.com" && err == nil:
		return nil, &world.Refusal{
			Slug: "provider-id-amazon", Code: "InvalidIdentityToken", Status: 400,
			Message: "Provided Token is not a Login With Amazon token",
		}
	case id == "www.amazon.com" || id == "graph.facebook.com":
		e := c.NotBuilt()
		e.Detail = "OAuth tokens of " + id + " are not built"
		return nil, e
	}
	return nil, &world.Refusal{
		Slug: "provider-id", Code: "AccessDenied", Status: 403, Message: "Not authorized to perform sts:AssumeRoleWithWebIdentity",
		Detail: fmt.Sprintf("ProviderId is %q", form.Get("ProviderId")),
	}
}

// A provider is who vouches for a token, as the account knows it.
type provider struct {
	name    string // in trust policies: ARN, or accounts.google.com
	account string // empty for one that is built in
	issuer  string // with https://
	clients []string
	prints  []string
}

// findProvider finds the provider of an issuer in an account.
func findProvider(c *world.Call, issuer, account string) (*provider, error) {
	url, secure := strings.CutPrefix(issuer, "https://")
	var known *world.OIDCProvider
	c.World.RLock()
	defer c.World.RUnlock()
	if a := c.World.Account(account); a != nil {
		known = a.OIDCProviders[url]
	}
	switch {
	case url == oidc.Google && known != nil:
		return nil, &world.Refusal{
			Slug: "provider-google", Code: "InvalidIdentityToken", Status: 400,
			Message: "The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements.",
			Detail:  "account " + account + " has " + known.ARN,
		}
	case url == oidc.Google:
		return &provider{name: oidc.Google, issuer: "https://" + oidc.Google}, nil
	case url == "cognito-identity.amazonaws.com":
		e := c.NotBuilt()
		e.Detail = "tokens of Cognito are not built"
		return nil, e
	case known == nil || !secure:
		return nil, &world.Refusal{
			Slug: "provider-missing", Code: "InvalidIdentityToken", Status: 400,
			Message: "No OpenIDConnect provider found in your account for " + issuer,
			Detail:  fmt.Sprintf("account %s has no OIDC provider with the URL %q", account, url),
		}
	}
	return &provider{name: known.ARN, account: account, issuer: issuer, clients: known.ClientIDs, prints: known.Thumbprints}, nil
}

// identify verifies the token by its issuer's keys and reads whose it is.
func (s *Service) identify(c *world.Call, ctx context.Context, token *oidc.Token, from *provider) (*oidc.Identity, error) {
	at, mapped := c.World.Issuer(from.issuer)
	if mapped {
		where := at.URL
		if at.JWKS != nil {
			where = "the world's own keys"
		}
		c.Decision.NotAWS = append(c.Decision.NotAWS, "issuer "+from.issuer+" from "+where)
	}
	keys, err := s.issuers.Keys(ctx, oidc.Source{Issuer: from.issuer, At: at, Thumbprints: from.prints}, token, c.Time)
	if err != nil {
		return nil, err
	}
	if err := token.Verify(keys); err != nil {
		return nil, err
	}
	id, err := token.Identity(c.Time)
	if err != nil {
		return nil, err
	}
	id.Provider = from.name
	c.Decision.Caller, c.Decision.Proof = caller(id), token.ID()
	if from.account == "" {
		return id, nil // the trust policy alone says for whom
	}
	return id, id.CheckAudience(from.clients)
}

// caller names a web identity as CloudTrail does: provider, audience, subject.
func caller(id *oidc.Identity) string {
	const most = 512 // of a record
	name := id.Provider + ":" + id.Audience + ":" + id.Subject
	return name[:min(len(name), most)]
}
