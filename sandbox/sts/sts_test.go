package sts_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
)

func TestAssumeRoleGivesASession(t *testing.T) {
	s, c, _ := start(t)
	out := assume(t, c, ask("all", tags("team", "red"), func(in *sts.AssumeRoleInput) {
		in.SourceIdentity = aws.String("alice")
		in.DurationSeconds = aws.Int32(900)
		in.Policy = aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:*","Resource":"*"}]}`)
		in.PolicyArns = []types.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")}}
	}))
	if got := *out.AssumedRoleUser.Arn; got != "arn:aws:sts::111122223333:assumed-role/all/session" {
		t.Errorf("assumed %s", got)
	}
	//lint:ignore SA1019 older SDKs read it
	packed := *out.PackedPolicySize
	if !strings.HasSuffix(*out.AssumedRoleUser.AssumedRoleId, ":session") || *out.SourceIdentity != "alice" || packed < 1 ||
		int(*out.SessionTokenSize) != len(*out.Credentials.SessionToken) {
		t.Errorf("answer %+v", out)
	}
	if d := time.Until(*out.Credentials.Expiration); d < 14*time.Minute || d > 15*time.Minute {
		t.Errorf("the session lives %v", d)
	}
	if len(*out.Credentials.SessionToken) > 2048 || !strings.HasPrefix(*out.Credentials.AccessKeyId, "ASIA") {
		t.Errorf("key %s, token of %d", *out.Credentials.AccessKeyId, len(*out.Credentials.SessionToken))
	}
	who, err := as(s, out).GetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if *who.Arn != *out.AssumedRoleUser.Arn || *who.UserId != *out.AssumedRoleUser.AssumedRoleId || *who.Account != "111122223333" {
		t.Errorf("caller %s %s", *who.Arn, *who.UserId)
	}
	d := s.Last(t, "AssumeRole")
	if got := strings.Join(d.Checks[0].Evaluated, "; "); !strings.Contains(got, "role trust policy: allow by statement 1 of trust policy of role all") {
		t.Errorf("evaluated %s", got)
	}
	if d.Issued != *out.Credentials.AccessKeyId || len(d.Checks) != 3 || d.Caller != alice {
		t.Errorf("recorded %+v", d)
	}
	for i, action := range []string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"} {
		if d.Checks[i].Action != action || !d.Checks[i].Allowed {
			t.Errorf("check %d is %+v, want %s", i, d.Checks[i], action)
		}
	}
}

// Transitive tags and source identity go on along a chain, other tags do not;
// the last session's policy sees them.
func TestChain(t *testing.T) {
	s, c, _ := start(t)
	first := assume(t, c, ask("all", tags("team", "plain", "other", "x"), func(in *sts.AssumeRoleInput) {
		in.TransitiveTagKeys = []string{"team"}
		in.SourceIdentity = aws.String("alice")
	}))
	second := assume(t, as(s, first), ask("chained"))
	if got := aws.ToString(second.SourceIdentity); got != "alice" {
		t.Errorf("source identity %q", got)
	}
	look := iamAs(s, second)
	if _, err := look.GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("plain")}); err != nil {
		t.Errorf("the transitive tag is gone: %v", err)
	}
	_, err := look.GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("all")})
	refused(t, s, err, "AccessDenied", "iam:GetRole", "policy-resource")

	_, err = as(s, first).AssumeRole(t.Context(), ask("chained", tags("TEAM", "blue")))
	refused(t, s, err, "InvalidParameterValue", "conflicts with a transitive tag key", "transitive-tag-fixed")
	_, err = as(s, first).AssumeRole(t.Context(), ask("chained", func(in *sts.AssumeRoleInput) { in.SourceIdentity = aws.String("eve") }))
	refused(t, s, err, "AccessDenied", "source identity", "source-identity-fixed")
	_, err = as(s, first).AssumeRole(t.Context(), ask("chained", func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(3601) }))
	refused(t, s, err, "ValidationError", "1 hour session limit for roles assumed by role chaining", "duration-over-chained")
}

func TestTrust(t *testing.T) {
	s, c, bob := start(t)
	if _, err := bob.AssumeRole(t.Context(), ask("directly")); err != nil {
		t.Errorf("a role that names its caller needs no identity policy: %v", err)
	}
	_, err := bob.AssumeRole(t.Context(), ask("plain"))
	refused(t, s, err, "AccessDenied", "because no identity-based policy allows the sts:AssumeRole action", "policy-no-allow")
	_, err = c.AssumeRole(t.Context(), ask("directly"))
	refused(t, s, err, "AccessDenied", "because no role trust policy allows the sts:AssumeRole action", "policy-principal")
	_, err = c.AssumeRole(t.Context(), ask("nowhere"))
	refused(t, s, err, "AccessDenied", "User: "+alice+" is not authorized to perform: sts:AssumeRole on resource: "+account+"role/nowhere", "role-not-found")
	_, err = c.AssumeRole(t.Context(), ask("plain", tags("a", "b")))
	refused(t, s, err, "AccessDenied", "sts:TagSession", "trust-tag-session")
	_, err = c.AssumeRole(t.Context(), ask("plain", func(in *sts.AssumeRoleInput) { in.SourceIdentity = aws.String("alice") }))
	refused(t, s, err, "AccessDenied", "sts:SetSourceIdentity", "trust-source-identity")
	_, err = c.AssumeRole(t.Context(), ask("external"))
	refused(t, s, err, "AccessDenied", "sts:AssumeRole", "policy-condition-key-missing")
	_, err = c.AssumeRole(t.Context(), ask("external", func(in *sts.AssumeRoleInput) { in.ExternalId = aws.String("guess") }))
	refused(t, s, err, "AccessDenied", "sts:AssumeRole", "policy-condition")
	assume(t, c, ask("external", func(in *sts.AssumeRoleInput) { in.ExternalId = aws.String("agreed") }))
	assume(t, c, ask("", func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String("arn:aws:iam::444455556666:role/elsewhere") }))
}

func TestSessionPoliciesLimit(t *testing.T) {
	s, c, _ := start(t)
	for name, change := range map[string]func(*sts.AssumeRoleInput){
		"inline": func(in *sts.AssumeRoleInput) {
			in.Policy = aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:GetUser","Resource":"*"}]}`)
		},
		"managed": func(in *sts.AssumeRoleInput) {
			in.PolicyArns = []types.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := iamAs(s, assume(t, c, ask("plain", change))).GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("plain")})
			refused(t, s, err, "AccessDenied", "because no session policy allows the iam:GetRole action", "policy-session")
		})
	}
	if _, err := iamAs(s, assume(t, c, ask("plain"))).GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("plain")}); err != nil {
		t.Errorf("without session policies: %v", err)
	}
}

// A session ends when its time is over, and when its role is not the one that
// it was issued for.
func TestSessionsEnd(t *testing.T) {
	s, c, _ := start(t)
	out := assume(t, c, ask("plain"))
	s.World.Lock()
	role := s.World.Account("111122223333").Roles["plain"]
	old := role.ID
	role.ID = "AROAMADEANEWMADEANEW1"
	s.World.Unlock()
	_, err := as(s, out).GetCallerIdentity(t.Context(), nil)
	refused(t, s, err, "InvalidClientTokenId", "The security token included in the request is invalid.", "session-role-gone")
	s.World.Lock()
	role.ID = old
	s.World.Unlock()
	if _, err := as(s, out).GetCallerIdentity(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	s.World.Advance(time.Hour)
	_, err = as(s, out).GetCallerIdentity(t.Context(), nil)
	refused(t, s, err, "ExpiredToken", "The security token included in the request is expired", "session-expired")
}

func TestSessionsLifeIsMarked(t *testing.T) {
	s, c, _ := start(t)
	s.World.SessionsLife = 90 * time.Second
	out := assume(t, c, ask("plain"))
	if d := time.Until(*out.Credentials.Expiration); d > 90*time.Second {
		t.Errorf("the session lives %v", d)
	}
	if d := s.Last(t, "AssumeRole"); len(d.NotAWS) != 1 || d.NotAWS[0] != "sessions.life 1m30s" {
		t.Errorf("marked %q", d.NotAWS)
	}
}

func TestPresignedGetCallerIdentity(t *testing.T) {
	s, c, _ := start(t)
	signed, err := sts.NewPresignClient(c).PresignGetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(signed.Method, signed.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = signed.SignedHeader
	answer, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Result struct{ Arn string } `xml:"GetCallerIdentityResult"`
	}
	if err := xml.Unmarshal(text, &got); err != nil || got.Result.Arn != alice {
		t.Errorf("status %d, %s", answer.StatusCode, text)
	}
}

func TestAccessKeyInfo(t *testing.T) {
	s, c, _ := start(t)
	out, err := c.GetAccessKeyInfo(t.Context(), &sts.GetAccessKeyInfoInput{AccessKeyId: &s.Admin.ID})
	if err != nil || *out.Account != "111122223333" {
		t.Errorf("account %+v, %v", out, err)
	}
	_, err = c.GetAccessKeyInfo(t.Context(), &sts.GetAccessKeyInfoInput{AccessKeyId: aws.String("AKIA000000000000000!")})
	refused(t, s, err, "ValidationError", "Invalid AccessKeyId", "parameter-invalid")
}

func TestNotBuilt(t *testing.T) {
	s, c, _ := start(t)
	_, err := c.GetSessionToken(t.Context(), nil)
	refused(t, s, err, "NotImplemented", "GetSessionToken", "operation-not-built")
	_, err = c.AssumeRole(t.Context(), ask("plain", func(in *sts.AssumeRoleInput) {
		in.SerialNumber, in.TokenCode = aws.String("GAHT12345678"), aws.String("123456")
	}))
	refused(t, s, err, "NotImplemented", "AssumeRole", "operation-not-built")
	// Without a signature, as the SDK sends it.
	answer, err := s.Client().Post(s.URL+"/", "application/x-www-form-urlencoded", bytes.NewBufferString("Action=AssumeRoleWithSAML&Version=2011-06-15"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusNotImplemented {
		t.Errorf("AssumeRoleWithSAML answered %d", answer.StatusCode)
	}
}
