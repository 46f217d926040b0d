package world

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"daypass.dev/policy"
)

// An OIDCProvider is an IAM OpenID Connect provider: an issuer of tokens that
// an account knows.
type OIDCProvider struct {
	ARN string
	// URL is the issuer's without https://, as IAM shows it. It compares byte
	// by byte: a slash at the end makes another provider.
	URL         string
	ClientIDs   []string
	Thumbprints []string // SHA-1 of certificates, 40 characters in lower case
	Created     time.Time
	Tags        map[string]string
}

// An Issuer says where a world finds the keys of an issuer of tokens, in place
// of where the issuer's URL leads. AWS knows no such thing.
type Issuer struct {
	// URL stands for the issuer's own: the discovery document is at
	// URL/.well-known/openid-configuration. It may be http.
	URL string
	// JWKS are the keys themselves; then nothing is asked.
	JWKS []byte
}

// SetIssuer says where the keys of an issuer ("https://oidc.example.com") are
// from now on.
func (w *World) SetIssuer(issuer string, at Issuer) {
	w.Lock()
	defer w.Unlock()
	issuers := maps.Clone(w.issuers)
	if issuers == nil {
		issuers = map[string]Issuer{}
	}
	issuers[issuer] = at
	w.issuers = issuers
}

// Issuer returns where an issuer's keys are; false where its own URL leads.
func (w *World) Issuer(issuer string) (Issuer, bool) {
	w.RLock()
	defer w.RUnlock()
	at, ok := w.issuers[issuer]
	return at, ok
}

// AddOIDCProvider makes a provider of an issuer's URL that ProviderURL has
// returned.
func (a *Account) AddOIDCProvider(url string) *OIDCProvider {
	p := &OIDCProvider{ARN: a.iamARN("oidc-provider", "/"+url), URL: url}
	a.OIDCProviders[url] = p
	return p
}

// ProviderURL checks an issuer's URL and returns it as IAM keeps it: without
// https:// and :443. The error is a *Refusal. The texts are IAM's as others
// have recorded them; "Unknown" is one.
func ProviderURL(issuer string) (string, error) {
	refuse := func(slug, code, message, detail string) error {
		return &Refusal{Slug: slug, Code: code, Status: http.StatusBadRequest, Message: message, Detail: detail}
	}
	const invalid = "Invalid Open ID Connect Provider URL"
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Scheme == "" || u.Host == "":
		return "", refuse("parameter-invalid", "ValidationError", invalid, "it is not of the form https://HOST/PATH")
	case u.Scheme != "https" || !strings.HasPrefix(issuer, "https://"):
		return "", refuse("input-invalid", "InvalidInput", invalid+". The URL must begin with https://.", "")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(issuer, "#"):
		return "", refuse("input-invalid", "InvalidInput", "Unknown", "an issuer's URL has neither query nor fragment")
	case u.User != nil || u.Port() != "" && u.Port() != "443":
		return "", refuse("input-invalid", "InvalidInput", invalid+".", "an issuer's URL has neither user nor port")
	}
	// As it was written: IAM changes neither case nor escapes.
	rest := strings.TrimPrefix(issuer, "https://")
	host, path, slash := strings.Cut(rest, "/")
	host = strings.TrimSuffix(strings.TrimSuffix(host, ":443"), ":")
	if !slash {
		return host, nil
	}
	return host + "/" + path, nil
}

// A WebIdentity is who has shown a web identity token, as far as policies are
// told of it.
type WebIdentity struct {
	// Provider is the ARN of the IAM OIDC provider, or the name of one that is
	// built into AWS ("accounts.google.com").
	Provider string
	// Issuer is the token's without https://: condition keys begin with it.
	Issuer  string
	Subject string
	// Audience is what the token counts as being for: azp if it has that, else
	// aud. Audiences are all of aud.
	Audience  string
	Audiences []string
	// AMR is how the user was authenticated; nil if the token does not say.
	AMR []string
	// AuthorizedByIDP says that the token lists the role among those that it
	// may be used for. It is for the trust policy alone.
	AuthorizedByIDP bool `json:"-"`
}

// conditions are the keys that a session made by a web identity carries
// through its life. That aud, sub and amr stay, and oaud does not, is from the
// IAM User Guide, recalled.
func (i *WebIdentity) conditions() policy.Context {
	ctx := policy.Context{}
	ctx.Set("aws:FederatedProvider", i.Provider)
	ctx.Set(i.Issuer+":aud", i.Audience)
	ctx.Set(i.Issuer+":sub", i.Subject)
	ctx.SetMulti(i.Issuer+":amr", i.AMR...)
	return ctx
}

// trustConditions are the keys that a role's trust policy sees beside them.
// For providers of an account aws:PrincipalType, aws:userid and
// aws:PrincipalAccount are as recorded of AWS; aws:PrincipalArn is absent.
func (i *WebIdentity) trustConditions(account string) policy.Context {
	ctx := i.conditions()
	ctx[i.Issuer+":oaud"] = policy.Values{List: i.Audiences, Multi: len(i.Audiences) > 1}
	ctx.Set("aws:PrincipalType", "User")
	if strings.HasPrefix(i.Provider, "arn:") {
		ctx.Set("aws:userid", i.Provider)
		ctx.Set("aws:PrincipalAccount", account)
	}
	authorized := "false"
	if i.AuthorizedByIDP {
		authorized = "true"
	}
	ctx.Set("sts:RoleAuthorizedByIdp", authorized)
	return ctx
}
