package sts_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"maps"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"daypass.dev/policy"
	"daypass.dev/sandbox/sandboxtest"
	model "daypass.dev/sandbox/world"
)

// The roles of this world say by their names whom they trust and for what.
const webWorld = `
accounts:
  "111122223333":
    oidcProviders:
      - {url: https://oidc.example.com/id/1, clientIds: [client-a, client-b]}
    policies:
      look: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "iam:GetRole", Resource: "*"}]}
    roles:
      bearer:
        maxSession: 2h
        tags: {own: role}
        trust:
          Version: 2012-10-17
          Statement:
            - {Effect: Allow, Principal: {Federated: "arn:aws:iam::111122223333:oidc-provider/oidc.example.com/id/1"}, Action: ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"]}
        policies:
          own:
            Version: 2012-10-17
            Statement:
              - {Effect: Allow, Action: "iam:GetRole", Resource: "arn:aws:iam::111122223333:role/${aws:PrincipalTag/Team}"}
              - {Effect: Allow, Action: "iam:GetUser", Resource: "*", Condition: {StringEquals: {"oidc.example.com/id/1:sub": "subject"}}}
              - {Effect: Allow, Action: "iam:ListRoles", Resource: "*", Condition: {ArnEquals: {"aws:FederatedProvider": "arn:aws:iam::111122223333:oidc-provider/oidc.example.com/id/1"}}}
              - {Effect: Allow, Action: "sts:*", Resource: "*"}
      only:
        trust: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {Federated: "arn:aws:iam::111122223333:oidc-provider/oidc.example.com/id/1"}, Action: "sts:AssumeRoleWithWebIdentity"}]}
      chained:
        trust: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {AWS: "arn:aws:iam::111122223333:role/bearer"}, Action: ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]}]}
        policies:
          own: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "iam:GetRole", Resource: "arn:aws:iam::111122223333:role/${aws:PrincipalTag/Team}"}]}
      google:
        trust:
          Version: 2012-10-17
          Statement:
            - Effect: Allow
              Principal: {Federated: accounts.google.com}
              Action: sts:AssumeRoleWithWebIdentity
              Condition: {StringEquals: {"accounts.google.com:aud": "117", "accounts.google.com:oaud": pod, "accounts.google.com:sub": "117"}}
  "444455556666":
    roles:
      elsewhere:
        trust: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {Federated: "arn:aws:iam::111122223333:oidc-provider/oidc.example.com/id/1"}, Action: "sts:AssumeRoleWithWebIdentity"}]}
`

// providerARN is that of the world's provider.
const providerARN = account + "oidc-provider/oidc.example.com/id/1"

// A stage is a sandbox, an issuer, and a call that succeeds unless it is
// spoiled.
type stage struct {
	*testing.T
	s      *sandboxtest.Sandbox
	issuer *issuer
	by     signer
	header map[string]any
	claims map[string]any
	// raw, if set, is the text of the claims; token is the whole token.
	raw, token string
	in         sts.AssumeRoleWithWebIdentityInput
	// malformed, if set, is what DurationSeconds says, as no SDK would.
	malformed string
}

func newStage(t *testing.T) *stage {
	s := sandboxtest.Start(t, webWorld)
	now := s.World.Now().Unix()
	st := &stage{
		T: t, s: s, issuer: newIssuer(t, httptest.NewServer), by: signers()["RS256"],
		header: map[string]any{"alg": "RS256", "kid": "RS256", "typ": "JWT"},
		claims: map[string]any{"iss": issuerURL, "aud": "client-a", "sub": "subject", "iat": now - 10, "exp": now + 900},
		in:     sts.AssumeRoleWithWebIdentityInput{RoleArn: aws.String(account + "role/bearer"), RoleSessionName: aws.String("session")},
	}
	s.World.SetIssuer(issuerURL, model.Issuer{URL: st.issuer.URL})
	return st
}

func (s *stage) now() int64 { return s.s.World.Now().Unix() }

// role changes which one is asked for.
func (s *stage) role(name string) { s.in.RoleArn = aws.String(account + "role/" + name) }

// trust gives the role bearer another trust policy: one statement, Allow to
// the provider, with what more is said.
func (s *stage) trust(more string) {
	s.Helper()
	s.trustAll(`{"Effect":"Allow","Principal":{"Federated":"` + providerARN + `"},"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession","sts:SetSourceIdentity"]` + more + `}`)
}

func (s *stage) trustAll(statements string) {
	s.Helper()
	setTrust(s.T, s.s.World, "bearer", `{"Version":"2012-10-17","Statement":[`+statements+`]}`)
}

// compact is the token as it is sent.
func (s *stage) compact() string {
	s.Helper()
	if s.token != "" {
		return s.token
	}
	claims := s.raw
	if claims == "" {
		claims = text(s.T, s.claims)
	}
	return s.by.sign(text(s.T, s.header), claims)
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// call sends the request unsigned, once.
func (s *stage) call() (*sts.AssumeRoleWithWebIdentityOutput, error) {
	s.Helper()
	if s.malformed != "" {
		return nil, s.post()
	}
	cfg := s.s.Config()
	cfg.Credentials = aws.AnonymousCredentials{}
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	in := s.in
	in.WebIdentityToken = aws.String(s.compact())
	return sts.NewFromConfig(cfg).AssumeRoleWithWebIdentity(s.Context(), &in)
}

// post sends the request without an SDK.
func (s *stage) post() error {
	s.Helper()
	answer, err := s.s.Client().PostForm(s.s.URL+"/", url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {*s.in.RoleArn},
		"RoleSessionName": {*s.in.RoleSessionName}, "WebIdentityToken": {s.compact()}, "DurationSeconds": {s.malformed},
	})
	if err != nil {
		s.Fatal(err)
	}
	defer answer.Body.Close()
	var e struct {
		Error struct{ Code, Message string }
	}
	if err := xml.NewDecoder(answer.Body).Decode(&e); err != nil {
		s.Fatal(err)
	}
	return &smithy.GenericAPIError{Code: e.Error.Code, Message: e.Error.Message}
}

// allowed is for a call that must succeed.
func (s *stage) allowed() *sts.AssumeRoleWithWebIdentityOutput {
	s.Helper()
	out, err := s.call()
	if err != nil {
		s.Fatalf("%v; recorded %+v", err, s.s.Last(s, "AssumeRoleWithWebIdentity"))
	}
	return out
}

// refused is for a call that must be refused for one reason, and tells nobody
// the token.
func (s *stage) refused(slug string) (model.Decision, smithy.APIError) {
	s.Helper()
	_, err := s.call()
	var e smithy.APIError
	if !errors.As(err, &e) {
		s.Fatalf("error %v, want a refusal for %s", err, slug)
	}
	d := s.s.Last(s, "AssumeRoleWithWebIdentity")
	if d.Reason != slug || d.Allowed || d.Detail == "" || d.Mend == "" || d.Code != e.ErrorCode() || d.Issued != "" {
		s.Errorf("refused with %v and recorded as %+v, want reason %s", err, d, slug)
	}
	parts := strings.Split(s.compact(), ".")
	if last := parts[len(parts)-1]; len(last) > 40 && strings.Contains(text(s.T, s.s.Decisions())+err.Error(), last) {
		s.Errorf("the token's signature is told: %+v, %v", d, err)
	}
	return d, e
}

// claim sets a claim; header a member of the header.
func (s *stage) claim(name string, value any) { s.claims[name] = value }

// repeat says a claim twice: first the one that counts for a careless reader.
func (s *stage) repeat(name string, first, last any) {
	claims := maps.Clone(s.claims)
	delete(claims, name)
	rest := strings.TrimPrefix(text(s.T, claims), "{")
	rest = strings.TrimSuffix(rest, "}")
	s.raw = `{"` + name + `":` + text(s.T, first) + `,` + rest + `,"` + name + `":` + text(s.T, last) + `}`
}

// seconds is a time from now, as claims write it.
func (s *stage) seconds(d time.Duration) int64 { return s.now() + int64(d/time.Second) }

func setTrust(t *testing.T, w *model.World, role, document string) {
	t.Helper()
	doc, err := policy.Parse(policy.Trust, document)
	if err != nil {
		t.Fatal(err)
	}
	w.Lock()
	defer w.Unlock()
	w.Account("111122223333").Roles[role].Trust = doc
}
