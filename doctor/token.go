package doctor

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"daypass.dev/pki"
	"daypass.dev/policy"
)

// A Token is a web identity token taken apart. It holds nothing that could be
// shown to AWS: the signature is kept apart from what it signs.
type Token struct {
	faults    []Problem // of its form, found as it was read
	alg, kid  string
	claims    map[string]json.RawMessage
	signed    [32]byte // SHA-256 of what is signed
	longer    []byte   // its SHA-384 or SHA-512, where the algorithm wants that
	signature []byte
}

// google is the issuer that AWS knows by itself.
const google = "accounts.google.com"

// ParseToken takes a token apart. What is wrong with it is for Diagnose to say.
func ParseToken(text string) *Token {
	t := &Token{}
	if err := t.read(text); err != nil {
		t.faults = append(t.faults, *err)
	}
	return t
}

// ExpectedToken is the token that a workload's issuer is going to give it, as far
// as it is known: these claims, and a life of an hour from now.
func ExpectedToken(issuer, subject, audience string, now time.Time) *Token {
	t := &Token{alg: "RS256", claims: map[string]json.RawMessage{}}
	for name, value := range map[string]any{
		"iss": issuer, "sub": subject, "aud": audience, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	} {
		t.claims[name], _ = json.Marshal(value) // texts and numbers
	}
	return t
}

func fault(slug, format string, args ...any) *Problem {
	return &Problem{Reason: slug, Detail: fmt.Sprintf(format, args...)}
}

func (t *Token) read(text string) *Problem {
	parts := strings.Split(text, ".")
	switch {
	case len(parts) == 5:
		return fault("token-encrypted", "it has the five parts of an encrypted token")
	case len(parts) != 3:
		return fault("token-not-jwt", "it has %d parts, a JWT has three", len(parts))
	case strings.ContainsAny(text, " \t\r\n"):
		return fault("token-not-jwt", "there is white space in it or around it")
	}
	var header, claims map[string]json.RawMessage
	for i, into := range []*map[string]json.RawMessage{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, into) != nil || *into == nil {
			return fault("token-not-jwt", "its part %d is no JSON object in base64url without padding", i+1)
		}
	}
	var err error
	if t.signature, err = base64.RawURLEncoding.DecodeString(parts[2]); err != nil {
		return fault("token-not-jwt", "its signature is not base64url without padding")
	}
	if _, ok := header["enc"]; ok {
		return fault("token-encrypted", "its header has enc, which only encrypted tokens have")
	}
	if _, ok := header["crit"]; ok {
		return fault("token-critical-header", "its header has crit")
	}
	t.alg, t.kid = word(header["alg"]), word(header["kid"])
	if _, ok := algorithms()[t.alg]; !ok {
		return fault("token-algorithm", "it is signed with %.20q", t.alg)
	}
	t.digest(parts[0] + "." + parts[1])
	for _, name := range []string{"iss", "sub", "aud", "iat", "exp"} {
		if _, ok := claims[name]; !ok {
			return fault("token-claim-missing", "it has no claim %s", name)
		}
	}
	if word(claims["iss"]) == "" {
		return fault("token-claim-type", "the claim iss is no text")
	}
	t.claims = claims
	return nil
}

// word is a JSON text; empty for anything else.
func word(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// words are one JSON text or a list of them.
func words(raw json.RawMessage) ([]string, bool) {
	var all []string
	if len(raw) > 0 && raw[0] == '"' {
		return []string{word(raw)}, true
	}
	return all, len(raw) > 0 && raw[0] == '[' && json.Unmarshal(raw, &all) == nil
}

// Issuer is the claim iss; empty if it cannot be read.
func (t *Token) Issuer() string { return word(t.claims["iss"]) }

// provider is the issuer as IAM names it.
func (t *Token) provider() string { return strings.TrimPrefix(t.Issuer(), "https://") }

// audience is what AWS holds against the provider's client ids.
func (t *Token) audience() string {
	if azp := word(t.claims["azp"]); azp != "" {
		return azp
	}
	all, _ := words(t.claims["aud"])
	if len(all) != 1 {
		return ""
	}
	return all[0]
}

func (d *diagnosis) token() {
	d.problems(StepToken)
	if d.Token == nil {
		return
	}
	t := d.Token
	for _, f := range t.faults {
		d.fail(f.Reason, f.Detail)
	}
	if t.claims == nil {
		return
	}
	before := len(d.Checks)
	d.tokenTimes()
	for _, check := range []func(*Token) *Problem{subjectFault, audienceFault, claimFault} {
		if f := check(t); f != nil {
			d.fail(f.Reason, f.Detail)
		}
	}
	if len(d.Checks) == before {
		d.pass(fmt.Sprintf("issuer %s, subject %s, audience %s", pki.Printable(t.Issuer()), pki.Printable(t.subject()), pki.Printable(t.audience())))
	}
}

// tolerance is how far STS lets the issuer's clock be off.
const tolerance = 5 * time.Minute

func (d *diagnosis) tokenTimes() {
	at := map[string]time.Time{}
	for _, name := range []string{"iat", "exp", "nbf"} {
		raw, ok := d.Token.claims[name]
		if !ok {
			continue
		}
		text := string(raw)
		if s := word(raw); s != "" {
			text = s
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			d.fail("token-timestamp", fmt.Sprintf("%s is %.40q, which is no whole number of seconds", name, text))
			return
		}
		at[name] = time.Unix(n, 0).UTC()
	}
	date := func(name string) string { return at[name].Format(time.RFC3339) }
	now := d.Now.UTC().Format(time.RFC3339)
	switch {
	case at["iat"].After(d.Now.Add(tolerance)):
		d.fail("token-issued-in-future", "iat is "+date("iat")+", it is "+now)
	case at["nbf"].After(d.Now.Add(tolerance)):
		d.fail("token-not-yet-valid", "nbf is "+date("nbf")+", it is "+now)
	case !at["exp"].After(d.Now.Add(-tolerance)):
		d.fail("token-expired", "exp is "+date("exp")+", it is "+now)
	}
}

func (t *Token) subject() string {
	raw := t.claims["sub"]
	if s := word(raw); s != "" {
		return s
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String()
	}
	return ""
}

func subjectFault(t *Token) *Problem {
	raw := t.claims["sub"]
	switch {
	case string(raw) == "null":
		return fault("token-subject-null", "the claim sub is null")
	case len(raw) > 0 && (raw[0] == '{' || raw[0] == '[' || raw[0] == 't' || raw[0] == 'f'):
		return fault("token-claim-type", "the claim sub is neither text nor number")
	}
	return nil
}

func audienceFault(t *Token) *Problem {
	all, ok := words(t.claims["aud"])
	party, named := t.claims["azp"]
	switch {
	case !ok:
		return fault("token-claim-type", "the claim aud is neither text nor a list of texts")
	case len(all) == 0:
		return fault("token-audience-empty", "the claim aud is an empty list")
	case named && (len(party) == 0 || party[0] != '"'):
		return fault("token-claim-type", "the claim azp is no text")
	case !named && len(all) > 1:
		return fault("token-audiences", "aud lists %d audiences, and there is no azp", len(all))
	}
	return nil
}

// The claims by which an issuer speaks to AWS.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
const (
	tagsClaim   = "https://aws.amazon.com/tags"
	sourceClaim = "https://aws.amazon.com/source_identity"
	rolesClaim  = "https://aws.amazon.com/roles"
)

var sourceForm = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

func claimFault(t *Token) *Problem {
	if raw, ok := t.claims[sourceClaim]; ok && !sourceForm.MatchString(word(raw)) {
		return fault("token-source-identity", "the claim %s is %.80s", sourceClaim, raw)
	}
	if _, _, f := t.tags(); f != nil {
		return f
	}
	if _, f := t.roles(); f != nil {
		return f
	}
	return nil
}

// tags are the session tags, nested or flat, and which of them are transitive.
func (t *Token) tags() (tags map[string]string, transitive []string, wrong *Problem) {
	tags = map[string]string{}
	flat, haveFlat := t.claims[tagsClaim+"/transitive_tag_keys"]
	lasting, have := flat, haveFlat
	if raw, ok := t.claims[tagsClaim]; ok {
		var nested map[string]json.RawMessage
		if json.Unmarshal(raw, &nested) != nil || nested == nil {
			return nil, nil, fault("token-tags", "the claim %s is no object", tagsClaim)
		}
		var inner map[string][]string
		if p := nested["principal_tags"]; p != nil && (json.Unmarshal(p, &inner) != nil || inner == nil) {
			return nil, nil, fault("token-tags", "a tag of principal_tags is no list of one text")
		}
		for key, value := range inner {
			if len(value) != 1 {
				return nil, nil, fault("token-tags", "the tag %.60q is no list of one text", key)
			}
			tags[key] = value[0]
		}
		if own, ok := nested["transitive_tag_keys"]; ok {
			if haveFlat {
				return nil, nil, fault("token-transitive-tags", "transitive_tag_keys stands in the token nested and flat")
			}
			lasting, have = own, true
		}
	}
	for name, raw := range t.claims {
		key, ok := strings.CutPrefix(name, tagsClaim+"/principal_tags/")
		if ok && (len(raw) == 0 || raw[0] != '"') {
			return nil, nil, fault("token-tags", "the claim %.80s is no text", name)
		}
		if ok {
			tags[key] = word(raw)
		}
	}
	if len(tags) > 50 || slices.ContainsFunc(tagTexts(tags), func(s string) bool { return !tagForm.MatchString(s) || len(s) > 256 }) {
		return nil, nil, fault("token-tags", "the token's %d session tags are not of the size or letters that sessions take", len(tags))
	}
	if !have {
		return tags, nil, nil
	}
	transitive, ok := words(lasting)
	if !ok || slices.ContainsFunc(transitive, func(key string) bool { _, named := tags[key]; return !named }) {
		return nil, nil, fault("token-transitive-tags", "transitive_tag_keys is no list of texts that name tags of the token")
	}
	return tags, transitive, nil
}

var tagForm = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

func tagTexts(tags map[string]string) (all []string) {
	for key, value := range tags {
		all = append(all, key, value)
	}
	return all
}

var roleForm = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+$`)

// roles are those that the issuer made the token for; nil: all.
func (t *Token) roles() ([]string, *Problem) {
	raw, ok := t.claims[rolesClaim]
	if !ok {
		return nil, nil
	}
	all, ok := words(raw)
	if !ok {
		return nil, fault("token-roles-format", "the claim %s is neither a text nor a list", rolesClaim)
	}
	if len(raw) > 0 && raw[0] == '"' {
		all = strings.Split(word(raw), ";")
	}
	all = slices.DeleteFunc(all, func(s string) bool { return !roleForm.MatchString(s) })
	if len(all) == 0 {
		return nil, fault("token-roles-none", "the claim %s holds no ARN of a role", rolesClaim)
	}
	return all, nil
}

// tokenSession settles who would ask to become the role.
func (d *diagnosis) tokenSession() {
	t := d.Token
	tags, transitive, wrong := t.tags()
	if wrong != nil {
		return
	}
	s := pki.Session{SourceIdentity: word(t.claims[sourceClaim])}
	if d.Settings != nil {
		s.Name = d.Settings.SessionName
	}
	for key, value := range tags {
		s.Tags = append(s.Tags, pki.Tag{Key: key, Value: value})
	}
	account, name := partsOf(d.roleARN()).account, t.provider()
	if name != google {
		partition := partsOf(d.roleName()).partition
		name = "arn:" + partition + ":iam::" + account + ":oidc-provider/" + name
	}
	d.session = &Claim{Principal: policy.Principal{Kind: policy.WebIdentity, Name: name, Account: account}, Action: "sts:AssumeRoleWithWebIdentity", Session: s}
	ctx := &d.session.Context
	ctx.Set("aws:FederatedProvider", name)
	ctx.Set(t.provider()+":aud", t.audience())
	ctx.Set(t.provider()+":sub", t.subject())
	if amr, ok := words(t.claims["amr"]); ok {
		ctx.SetMulti(t.provider()+":amr", amr...)
	}
	if all, _ := words(t.claims["aud"]); len(all) > 1 {
		ctx.SetMulti(t.provider()+":oaud", all...)
	} else {
		ctx.Set(t.provider()+":oaud", all...)
	}
	ctx.SetMulti("sts:TransitiveTagKeys", transitive...)
	if roles, _ := t.roles(); roles != nil && !slices.Contains(roles, d.roleARN()) {
		d.fail("token-role", fmt.Sprintf("the token is for %.200q, and %s is asked for", roles, d.roleARN()))
	}
}
