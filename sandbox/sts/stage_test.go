package sts_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"

	"daypass.dev/sandbox/sandboxtest"
)

const (
	account = "arn:aws:iam::111122223333:"
	alice   = account + "user/alice"
)

// The world of these tests: alice may assume whatever trusts her account;
// roles say by their names whom they trust and for what.
const world = `
accounts:
  "111122223333":
    users:
      alice:
        accessKeys: [{id: AKIAALICEALICEALICE1, secret: secret}]
        policies:
          assume: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "sts:*", Resource: "*"}]}
      bob: {accessKeys: [{id: AKIABOBBOBBOBBOBBOB1, secret: secret}]}
    roles:
      plain:
        tags: {owner: red}
        trust: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {AWS: 111122223333}, Action: "sts:AssumeRole"}]}
        policies:
          look: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: ["iam:GetRole", "iam:GetUser"], Resource: "*"}]}
      all:
        maxSession: 12h
        trust: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {AWS: 111122223333}, Action: ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]}]}
        policies:
          chain: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "sts:*", Resource: "*"}]}
      chained:
        maxSession: 12h
        trust: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {AWS: "arn:aws:iam::111122223333:role/all"}, Action: ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]}]}
        policies:
          own: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "iam:GetRole", Resource: "arn:aws:iam::111122223333:role/${aws:PrincipalTag/team}"}]}
      external:
        trust:
          Version: 2012-10-17
          Statement: [{Effect: Allow, Principal: {AWS: 111122223333}, Action: "sts:AssumeRole", Condition: {StringEquals: {"sts:ExternalId": agreed}}}]
      directly:
        trust: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {AWS: "arn:aws:iam::111122223333:user/bob"}, Action: "sts:AssumeRole"}]}
  "444455556666":
    roles:
      elsewhere:
        trust: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {AWS: 111122223333}, Action: "sts:AssumeRole"}]}
`

func start(t *testing.T) (s *sandboxtest.Sandbox, asAlice, asBob *sts.Client) {
	s = sandboxtest.Start(t, world)
	return s, sts.NewFromConfig(s.ConfigFor("AKIAALICEALICEALICE1", "secret", "")),
		sts.NewFromConfig(s.ConfigFor("AKIABOBBOBBOBBOBBOB1", "secret", ""))
}

func ask(role string, changes ...func(*sts.AssumeRoleInput)) *sts.AssumeRoleInput {
	in := &sts.AssumeRoleInput{RoleArn: aws.String(account + "role/" + role), RoleSessionName: aws.String("session")}
	for _, change := range changes {
		change(in)
	}
	return in
}

func tags(pairs ...string) func(*sts.AssumeRoleInput) {
	return func(in *sts.AssumeRoleInput) {
		for i := 0; i < len(pairs); i += 2 {
			in.Tags = append(in.Tags, types.Tag{Key: &pairs[i], Value: &pairs[i+1]})
		}
	}
}

func assume(t *testing.T, c *sts.Client, in *sts.AssumeRoleInput) *sts.AssumeRoleOutput {
	t.Helper()
	out, err := c.AssumeRole(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// as is a client that signs with a session.
func as(s *sandboxtest.Sandbox, out *sts.AssumeRoleOutput) *sts.Client {
	return sts.NewFromConfig(s.ConfigFor(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken))
}

func iamAs(s *sandboxtest.Sandbox, out *sts.AssumeRoleOutput) *iam.Client {
	return iam.NewFromConfig(s.ConfigFor(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken))
}

// refused holds an error to AWS's code and words, and the record to a reason.
func refused(t *testing.T, s *sandboxtest.Sandbox, err error, code, text, slug string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) {
		t.Errorf("error %v, want %s", err, code)
		return
	}
	if e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), text) {
		t.Errorf("refused with %s: %s; want %s: …%s…", e.ErrorCode(), e.ErrorMessage(), code, text)
	}
	all := s.Decisions()
	if d := all[len(all)-1]; d.Reason != slug || d.Allowed {
		t.Errorf("recorded reason %q, allowed %v; want %q", d.Reason, d.Allowed, slug)
	}
}
