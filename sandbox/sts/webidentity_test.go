package sts_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	model "daypass.dev/sandbox/world"
)

// What real STS took on 2026-09-11 (recorded by the project stackd).
func TestWebIdentityIsTaken(t *testing.T) {
	claim := func(name string, value any) func(*stage) { return func(s *stage) { s.claim(name, value) } }
	in := func(name string, d time.Duration) func(*stage) {
		return func(s *stage) { s.claim(name, s.seconds(d)) }
	}
	own, other := account+"role/bearer", account+"role/another"
	key := func(alg string) jwk { return signers()[alg].jwk(alg) }
	publish := func(keys ...jwk) func(*stage) { return func(s *stage) { s.issuer.publish(keys...) } }
	wrong := signers()["other RSA"].jwk("RS256")
	many := []jwk{key("ES256")}
	for i := range 101 {
		many = append(many, key("RS256").with("kid", fmt.Sprint(i)))
	}
	for name, c := range map[string]struct {
		change            func(*stage)
		subject, audience string // if not the stage's
	}{
		"subject of one character": {claim("sub", "a"), "a", ""},
		"subject of 300":           {claim("sub", strings.Repeat("a", 300)), strings.Repeat("a", 300), ""},
		"subject is a number":      {claim("sub", 123), "123", ""},
		"audience in a list":       {claim("aud", []string{"client-a"}), "", ""},
		"azp decides":              {func(s *stage) { s.claim("aud", "other"); s.claim("azp", "client-b") }, "", "client-b"},
		"azp among several":        {func(s *stage) { s.claim("aud", []string{"other", "client-a"}); s.claim("azp", "client-b") }, "", "client-b"},
		"the same claim twice":     {func(s *stage) { s.repeat("aud", "client-a", "client-a") }, "", ""},
		"the last claim counts":    {func(s *stage) { s.repeat("aud", "other", "client-b") }, "", "client-b"},
		"expired a second ago":     {in("exp", -time.Second), "", ""},
		"expired under 5 minutes":  {in("exp", -5*time.Minute+20*time.Second), "", ""},
		"issued in a second":       {in("iat", time.Second), "", ""},
		"issued in 5 minutes":      {in("iat", 5*time.Minute), "", ""},
		"valid in 5 minutes":       {in("nbf", 5*time.Minute), "", ""},
		"times as texts": {func(s *stage) {
			for _, name := range []string{"iat", "exp", "nbf"} {
				s.claim(name, fmt.Sprint(s.now()))
			}
		}, "", ""},
		"more claims":                  {claim("groups", []string{"a"}), "", ""},
		"one key, none named":          {func(s *stage) { delete(s.header, "kid"); publish(key("RS256"))(s) }, "", ""},
		"header of alg and kid only":   {func(s *stage) { delete(s.header, "typ") }, "", ""},
		"the key's alg is ignored":     {publish(key("RS256").with("alg", "RS512")), "", ""},
		"the key has no use":           {publish(key("RS256").without("use", "alg")), "", ""},
		"the key twice":                {publish(key("RS256"), key("RS256")), "", ""},
		"the last key of a kid counts": {publish(wrong, key("RS256")), "", ""},
		"certificate of the key":       {func(s *stage) { publish(key("RS256").with("x5c", certificate(s, signers()["RS256"])))(s) }, "", ""},
		"unusable keys beside":         {publish(jwk{"kty": "oct", "kid": "a"}, jwk{"kty": "RSA", "kid": "b"}, key("RS256")), "", ""},
		"too many RSA keys, an EC token": {func(s *stage) {
			s.by, s.header["alg"], s.header["kid"] = signers()["ES256"], "ES256", "ES256"
			publish(many...)(s)
		}, "", ""},
		"roles in a list":             {claim(rolesClaim, []string{own}), "", ""},
		"roles in a text":             {claim(rolesClaim, own), "", ""},
		"two roles in a list":         {claim(rolesClaim, []string{other, own}), "", ""},
		"two roles in a text":         {claim(rolesClaim, other+"; "+own+" ;"), "", ""},
		"a number among roles":        {claim(rolesClaim, []any{123, nil, "not-an-arn", own}), "", ""},
		"roles are null":              {claim(rolesClaim, nil), "", ""},
		"over TLS, by its thumbprint": {func(s *stage) { s.overTLS(true) }, "", ""},
		"a redirect that stays": {func(s *stage) {
			s.issuer.discovery["jwks_uri"] = issuerURL + "/old"
			s.issuer.bad["/old"] = redirect(keysPath)
		}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			c.change(s)
			out := s.allowed()
			subject, audience := "subject", "client-a"
			if c.subject != "" {
				subject = c.subject
			}
			if c.audience != "" {
				audience = c.audience
			}
			if *out.SubjectFromWebIdentityToken != subject || *out.Audience != audience || *out.Provider != providerARN {
				t.Errorf("answered %+v", out)
			}
		})
	}
	for _, alg := range []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"} {
		t.Run(alg, func(t *testing.T) {
			s := newStage(t)
			s.by, s.header["alg"], s.header["kid"] = signers()[alg], alg, alg
			s.allowed()
		})
	}
}

// The texts with numbers, as STS writes them: its time with the tolerance.
func TestTokenTimesInWords(t *testing.T) {
	s := newStage(t)
	at := time.Date(2026, 9, 11, 10, 48, 41, 500_000_000, time.UTC)
	for _, c := range []struct {
		claim string
		value int64
		slug  string
		want  func(value, now int64) string
	}{
		{"exp", -301, "token-expired", func(v, now int64) string {
			return fmt.Sprintf("Token expired: current date/time %d must be before the expiration date/time %d", now-300, v)
		}},
		{"nbf", 3600, "token-not-yet-valid", func(v, now int64) string {
			return fmt.Sprintf("Token not yet valid: current date/time %d must be after or equal to the not-before date/time %d", now+300, v)
		}},
		{"iat", 3600, "token-issued-in-future", func(v, _ int64) string { return fmt.Sprintf("Token issued in the future: %d", v) }},
	} {
		s.s.World.SetTime(at)
		s.claims = map[string]any{"iss": issuerURL, "aud": "client-a", "sub": "s", "iat": at.Unix(), "exp": at.Unix() + 900}
		s.claim(c.claim, at.Unix()+c.value)
		if _, e := s.refused(c.slug); e.ErrorMessage() != c.want(at.Unix()+c.value, at.Unix()) {
			t.Errorf("%s: said %q", c.claim, e.ErrorMessage())
		}
	}
}

// What a trust policy sees of a token, as recorded, or as AWS documents it.
func TestTrustOfWebIdentity(t *testing.T) {
	tag := func(s *stage) { s.claim(tagsClaim+"/principal_tags/Team", "red") }
	transitive := func(s *stage) { tag(s); s.claim(tagsClaim+"/transitive_tag_keys", []string{"Team"}) }
	azp := func(s *stage) { s.claim("azp", "client-b"); s.claim("aud", []string{"x", "y"}) }
	for _, c := range []struct {
		condition string
		before    func(*stage)
	}{
		{`{"StringEquals":{"aws:PrincipalAccount":"111122223333","aws:PrincipalType":"User","aws:userid":"` + providerARN + `"}}`, nil},
		{`{"Null":{"aws:PrincipalArn":"true"}}`, nil},
		{`{"StringEquals":{"oidc.example.com/id/1:sub":"subject","oidc.example.com/id/1:aud":"client-a","oidc.example.com/id/1:oaud":"client-a"}}`, nil},
		{`{"StringEquals":{"oidc.example.com/id/1:aud":"client-b"},"ForAllValues:StringEquals":{"oidc.example.com/id/1:oaud":["x","y"]}}`, azp},
		{`{"ForAnyValue:StringEquals":{"oidc.example.com/id/1:amr":"mfa"}}`, func(s *stage) { s.claim("amr", []string{"pwd", "mfa"}) }},
		{`{"StringLike":{"sts:RoleSessionName":"sess*"}}`, nil},
		{`{"StringEquals":{"aws:ResourceTag/own":"role"}}`, nil},
		{`{"StringEquals":{"aws:RequestTag/Team":"red"},"ForAllValues:StringEquals":{"aws:TagKeys":["Team"]},"Null":{"sts:TransitiveTagKeys":"true"}}`, tag},
		{`{"ForAllValues:StringEquals":{"sts:TransitiveTagKeys":["Team"]},"Null":{"sts:TransitiveTagKeys":"false"}}`, transitive},
		{`{"StringEquals":{"sts:SourceIdentity":"source"}}`, func(s *stage) { s.claim(sourceClaim, "source") }},
		{`{"Bool":{"sts:RoleAuthorizedByIdp":"true"}}`, func(s *stage) { s.claim(rolesClaim, account+"role/bearer") }},
		{`{"Bool":{"sts:RoleAuthorizedByIdp":"false"}}`, nil},
		{`{"ArnEquals":{"aws:FederatedProvider":"` + providerARN + `"}}`, nil},
		{`{"NumericLessThanEquals":{"sts:DurationSeconds":"900"}}`, func(s *stage) { s.in.DurationSeconds = aws.Int32(900) }},
	} {
		s := newStage(t)
		s.trust(`,"Condition":` + c.condition)
		if c.before != nil {
			c.before(s)
		}
		if _, err := s.call(); err != nil {
			t.Errorf("%s: %v; %+v", c.condition, err, s.s.Last(t, "AssumeRoleWithWebIdentity").Checks)
		}
	}
}

// A signature says nothing here, neither for nor against.
func TestSignedWebIdentity(t *testing.T) {
	s := newStage(t)
	s.trust(`,"Condition":{"Null":{"aws:PrincipalArn":"true","aws:username":"true"},"StringEquals":{"aws:userid":"` + providerARN + `"}}`)
	body := "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" + *s.in.RoleArn + "&RoleSessionName=session&WebIdentityToken=" + s.compact()
	status, text := s.s.Query(t, s.s.Config(), "sts", body)
	if status != 200 || !strings.Contains(string(text), "<Provider>"+providerARN+"</Provider>") {
		t.Errorf("answered %d %s", status, text)
	}
}

// The SDK's own provider, and what its credentials are good for: tags, source
// identity and the token's claims are in the session, and go on along a chain
// where they should.
func TestWebIdentityRoleProvider(t *testing.T) {
	s := newStage(t)
	s.claim(tagsClaim, map[string]any{"principal_tags": map[string]any{"Team": []string{"bearer"}}, "transitive_tag_keys": []string{"Team"}})
	s.claim(tagsClaim+"/principal_tags/Other", "x")
	s.claim(sourceClaim, "source")
	cfg := s.s.Config()
	cfg.Credentials = nil
	file := tokenFile(s.compact())
	cfg.Credentials = aws.NewCredentialsCache(stscreds.NewWebIdentityRoleProvider(sts.NewFromConfig(cfg), account+"role/bearer", file))
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil)
	if err != nil || !strings.HasPrefix(*who.Arn, "arn:aws:sts::111122223333:assumed-role/bearer/") {
		t.Fatalf("%+v, %v", who, err)
	}
	look := iam.NewFromConfig(cfg)
	if _, err := look.GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("bearer")}); err != nil {
		t.Errorf("the tag is not in the session: %v", err)
	}
	if _, err := look.GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("only")}); err == nil {
		t.Error("the tag allows what it does not name")
	}
	if _, err := look.GetUser(t.Context(), &iam.GetUserInput{UserName: aws.String("sandbox-administrator")}); err != nil {
		t.Errorf("the subject is not in the session: %v", err)
	}
	if _, err := look.ListRoles(t.Context(), nil); err != nil {
		t.Errorf("the provider is not in the session: %v", err)
	}
	chained, err := sts.NewFromConfig(cfg).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String(account + "role/chained"), RoleSessionName: aws.String("next")})
	if err != nil || aws.ToString(chained.SourceIdentity) != "source" {
		t.Fatalf("%+v, %v", chained, err)
	}
	if _, err := iamAs(s.s, chained).GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("bearer")}); err != nil {
		t.Errorf("the transitive tag is gone: %v", err)
	}
	_, err = sts.NewFromConfig(cfg).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String(account + "role/chained"), RoleSessionName: aws.String("next"), DurationSeconds: aws.Int32(3601),
	})
	refused(t, s.s, err, "ValidationError", "role chaining", "duration-over-chained")
}

type tokenFile string

func (f tokenFile) GetIdentityToken() ([]byte, error) { return []byte(f), nil }

// The token's end does not end the session; the role's limit does.
func TestWebIdentityDurations(t *testing.T) {
	s := newStage(t)
	s.claim("exp", s.seconds(time.Minute))
	for asked, want := range map[*int32]time.Duration{nil: time.Hour, aws.Int32(900): 15 * time.Minute, aws.Int32(7200): 2 * time.Hour} {
		s.in.DurationSeconds = asked
		if d := s.allowed().Credentials.Expiration.Sub(s.s.World.Now()); d > want || d < want-time.Minute {
			t.Errorf("asked for %v, lives %v", want, d)
		}
	}
}

// Session policies narrow what the role may.
func TestWebIdentitySessionPolicies(t *testing.T) {
	s := newStage(t)
	s.in.Policy = aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:GetUser","Resource":"*"}]}`)
	out := s.allowed()
	cfg := s.s.ConfigFor(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	_, err := iam.NewFromConfig(cfg).ListRoles(t.Context(), nil)
	refused(t, s.s, err, "AccessDenied", "because no session policy allows the iam:ListRoles action", "policy-session")
}

// Google needs no provider; aud is the token's azp, oaud its aud.
func TestGoogle(t *testing.T) {
	s := newStage(t)
	s.role("google")
	s.issuer.discovery["issuer"] = "https://accounts.google.com"
	s.issuer.discovery["jwks_uri"] = "https://accounts.google.com" + keysPath
	s.s.World.SetIssuer("https://accounts.google.com", model.Issuer{URL: s.issuer.URL})
	for _, iss := range []string{"https://accounts.google.com", "accounts.google.com"} {
		s.claim("iss", iss)
		s.claim("sub", "117")
		s.claim("aud", "pod")
		s.claim("azp", "117")
		if out := s.allowed(); *out.Provider != "accounts.google.com" || *out.Audience != "117" {
			t.Errorf("%s: answered %+v", iss, out)
		}
	}
	s.claim("aud", "another pod")
	if d, _ := s.refused("policy-condition"); !strings.Contains(d.Detail, "accounts.google.com:oaud") {
		t.Errorf("recorded %+v", d)
	}
}

// Decisions say who, what was not as AWS, and where the keys were from.
func TestWebIdentityDecision(t *testing.T) {
	s := newStage(t)
	s.allowed()
	d := s.s.Last(t, "AssumeRoleWithWebIdentity")
	if d.Caller != providerARN+":client-a:subject" || d.Issued == "" || len(d.Checks) != 1 || d.Checks[0].Action != "sts:AssumeRoleWithWebIdentity" ||
		len(d.NotAWS) != 1 || d.NotAWS[0] != "issuer "+issuerURL+" from "+s.issuer.URL {
		t.Errorf("recorded %+v", d)
	}
	s.s.World.SetIssuer(issuerURL, model.Issuer{JWKS: []byte(text(t, map[string]any{"keys": s.issuer.keys}))})
	s.issuer.Close()
	s.allowed()
	if d := s.s.Last(t, "AssumeRoleWithWebIdentity"); d.NotAWS[0] != "issuer "+issuerURL+" from the world's own keys" {
		t.Errorf("recorded %+v", d)
	}
	if iat := fmt.Sprint(s.claims["iat"]); d.Proof != iat {
		t.Errorf("a token of %s without jti is shown as %q", iat, d.Proof)
	}
	s.claim("jti", "0f9c")
	s.claim("sub", strings.Repeat("x", 5000))
	s.allowed()
	if d := s.s.Last(t, "AssumeRoleWithWebIdentity"); len(d.Caller) > 512 || d.Proof != "0f9c" {
		t.Errorf("%q, with a name of %d characters", d.Proof, len(d.Caller))
	}
}

// Keys are kept for as long as the issuer allows, and looked for again when a
// token names one that is not among them.
func TestKeysAreKept(t *testing.T) {
	s := newStage(t)
	s.issuer.allowCache("public, max-age=600")
	for range 3 {
		s.allowed()
	}
	if n := s.issuer.times(keysPath); n != 1 {
		t.Errorf("keys were asked for %d times", n)
	}
	s.issuer.publish(signers()["other RSA"].jwk("new"))
	s.allowed() // still the old one
	s.by, s.header["kid"] = signers()["other RSA"], "new"
	s.allowed()
	if n := s.issuer.times(keysPath); n != 2 {
		t.Errorf("keys were asked for %d times after a rotation", n)
	}
	s.by, s.header["kid"] = signers()["RS256"], "RS256"
	s.refused("token-key-unknown")
	s.issuer.publish(signers()["RS256"].jwk("RS256"))
	s.allowed()
	before := s.issuer.times(keysPath)
	s.s.World.Advance(11 * time.Minute)
	s.allowed()
	if n := s.issuer.times(keysPath); n != before+1 {
		t.Errorf("keys were asked for %d times after their time", n-before)
	}
	s.issuer.allowCache("no-store")
	s.s.World.Advance(2 * time.Minute)
	s.allowed() // by the keys kept before
	s.s.World.Advance(9 * time.Minute)
	before = s.issuer.times(keysPath)
	s.claim("exp", s.seconds(time.Minute))
	for range 3 {
		s.allowed()
	}
	if n := s.issuer.times(keysPath); n != before+3 {
		t.Errorf("keys that must not be kept were asked for %d times in 3 calls", n-before)
	}
}

// Many calls at once share one request to the issuer.
func TestKeysAreFetchedOnce(t *testing.T) {
	s := newStage(t)
	token := s.compact()
	begun := make(chan struct{})
	s.issuer.bad[discoveryPath] = func(w http.ResponseWriter, _ *http.Request) {
		<-begun
		fmt.Fprint(w, text(t, s.issuer.discovery))
	}
	var all sync.WaitGroup
	failed := make(chan error, 30)
	for range cap(failed) {
		all.Go(func() {
			cfg := s.s.Config()
			cfg.Credentials = aws.AnonymousCredentials{}
			in := s.in
			in.WebIdentityToken = &token
			if _, err := sts.NewFromConfig(cfg).AssumeRoleWithWebIdentity(t.Context(), &in); err != nil {
				failed <- err
			}
		})
	}
	time.Sleep(200 * time.Millisecond)
	close(begun)
	all.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	if n := s.issuer.times(discoveryPath); n > 3 {
		t.Errorf("30 calls at once asked the issuer %d times", n)
	}
}
