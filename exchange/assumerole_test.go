package exchange

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"daypass.dev"
)

const chainedARN = "arn:aws:iam::444455556666:role/team-b/writer"

// A giver is a Call that gives what it is told.
type giver struct {
	creds daypass.Credentials
	err   error
	asked int
	key   string
}

func (g *giver) Credentials(context.Context) (daypass.Credentials, error) {
	g.asked++
	return g.creds, g.err
}
func (g *giver) MemoryKey(context.Context) (string, error) { return g.key, g.err }
func (g *giver) Check() error                              { return g.err }

func first() *giver {
	return &giver{key: "first", creds: daypass.Credentials{
		AccessKeyID: "ASIAFIRST", SecretAccessKey: "first/secret/key", SessionToken: "first-session-token==", RoleARN: roleARN,
	}}
}

func chained(f *fake) *AssumeRole {
	return &AssumeRole{From: first(), RoleARN: chainedARN, Region: "eu-west-1", Client: &http.Client{Transport: f}}
}

func assumeSuccess(expires time.Time) string {
	return fmt.Sprintf(`<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><AssumedRoleUser><Arn>a</Arn></AssumedRoleUser>
<Credentials><AccessKeyId>ASIACHAINED</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials>
</AssumeRoleResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleResponse>`, plantedKey, plantedToken, expires.UTC().Format(time.RFC3339))
}

func TestAssumeRoleIsSignedAsTheSDKSigns(t *testing.T) {
	var sent *http.Request
	var body []byte
	f := &fake{respond: func(r *http.Request) *http.Response {
		sent = r
		body, _ = io.ReadAll(r.Body)
		return reply(200, assumeSuccess(time.Now().Add(time.Hour)))
	}}
	a := chained(f)
	a.Duration, a.SessionName, a.ExternalID = 15*time.Minute, "pod-1", "id:7/x"
	a.SessionPolicy = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": []\n}"
	got, err := a.Credentials(t.Context())
	if err != nil || got.AccessKeyID != "ASIACHAINED" || got.RoleARN != chainedARN || got.AccountID != "444455556666" || !got.Whole() {
		t.Fatalf("got %+v, %v", got, err)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": chainedARN, "RoleSessionName": "pod-1",
		"DurationSeconds": "900", "ExternalId": "id:7/x", "Policy": `{"Version":"2012-10-17","Statement":[]}`,
	} {
		if form.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, form.Get(name), want)
		}
	}
	theirs, err := http.NewRequest("POST", sent.URL.String(), strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	theirs.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	theirs.ContentLength = -1 // the SDK would sign it
	at, err := time.Parse("20060102T150405Z", sent.Header.Get("X-Amz-Date"))
	if err != nil {
		t.Fatal(err)
	}
	by := aws.Credentials{AccessKeyID: "ASIAFIRST", SecretAccessKey: "first/secret/key", SessionToken: "first-session-token=="}
	if err := v4.NewSigner().SignHTTP(t.Context(), by, theirs, sha256Hex(string(body)), "sts", "eu-west-1", at); err != nil {
		t.Fatal(err)
	}
	if got, want := sent.Header.Get("Authorization"), theirs.Header.Get("Authorization"); got != want {
		t.Errorf("signed\n%s, the SDK signs\n%s", got, want)
	}
}

// The example of AWS's guide.
func TestSigningKey(t *testing.T) {
	const want = "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
	got := hex.EncodeToString(signingKey("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830/us-east-1/iam/aws4_request"))
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAssumeRoleFails(t *testing.T) {
	denied := `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: x is not authorized</Message></Error><RequestId>7</RequestId></ErrorResponse>`
	refusal := errors.New("no first role")
	for name, c := range map[string]struct {
		change func(*AssumeRole, *fake)
		says   string
		calls  int64
	}{
		"refused": {func(_ *AssumeRole, f *fake) {
			f.respond = func(*http.Request) *http.Response { return reply(403, denied) }
		}, "AssumeRole: AccessDenied: User: x is not authorized", 1},
		"no XML": {func(_ *AssumeRole, f *fake) {
			f.respond = func(*http.Request) *http.Response { return reply(200, "{}") }
		}, "not the XML of a session", 1},
		"another call's answer": {func(_ *AssumeRole, f *fake) {
			f.respond = func(*http.Request) *http.Response { return reply(200, webSuccess(time.Now().Add(time.Hour))) }
		}, "not the XML of a session", 1},
		"a proxy": {func(_ *AssumeRole, f *fake) {
			f.respond = func(*http.Request) *http.Response { return reply(502, "<html>") }
		}, "UnexpectedResponse", 1},
		"no first role": {func(a *AssumeRole, _ *fake) { a.From = &giver{err: refusal} }, "no first role", 0},
	} {
		f := &fake{}
		a := chained(f)
		c.change(a, f)
		got, err := a.Credentials(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.says) || got != (daypass.Credentials{}) || f.calls.Load() != c.calls {
			t.Errorf("%s: got %+v, %v after %d calls", name, got, err, f.calls.Load())
		}
		if err != nil && strings.Contains(err.Error(), "first-session-token") {
			t.Errorf("%s: the error holds a secret", name)
		}
	}
}

func TestAssumeRoleCorrectsTheClock(t *testing.T) {
	f := &fake{now: func() time.Time { return time.Now().Add(time.Hour) }}
	f.respond = func(r *http.Request) *http.Response {
		at, _ := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if f.clock().Sub(at).Abs() > 5*time.Minute {
			return reply(403, `<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>Signature expired</Message></Error></ErrorResponse>`)
		}
		return reply(200, assumeSuccess(f.clock().Add(time.Hour)))
	}
	a := chained(f)
	got, err := a.Credentials(t.Context())
	if err != nil || f.calls.Load() != 2 {
		t.Fatalf("got %v after %d calls", err, f.calls.Load())
	}
	if left := time.Until(got.Expires); left > time.Hour+time.Minute || left < 59*time.Minute {
		t.Errorf("by the local clock they live for %s", left)
	}
}

func TestWrongSettingsOfAssumeRole(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*AssumeRole)
		setting string
	}{
		"nothing to start from": {func(a *AssumeRole) { a.From = nil }, "chained role"},
		"no role":               {func(a *AssumeRole) { a.RoleARN = "" }, "chained role ARN"},
		"more than an hour":     {func(a *AssumeRole) { a.Duration = 2 * time.Hour }, "session duration"},
		"less than 15 minutes":  {func(a *AssumeRole) { a.Duration = time.Minute }, "session duration"},
		"session name":          {func(a *AssumeRole) { a.SessionName = "a/b" }, "role session name"},
		"no region":             {func(a *AssumeRole) { a.Region = "" }, "region"},
		"no region, endpoint":   {func(a *AssumeRole) { a.Region, a.Endpoint = "", "https://127.0.0.1" }, "region"},
		"another partition":     {func(a *AssumeRole) { a.Region = "cn-north-1" }, "region"},
		"endpoint":              {func(a *AssumeRole) { a.Endpoint = "http://10.0.0.1" }, "endpoint"},
		"FIPS and endpoint":     {func(a *AssumeRole) { a.FIPS, a.Endpoint = true, "https://127.0.0.1" }, "FIPS"},
		"external id":           {func(a *AssumeRole) { a.ExternalID = "a b" }, "external id"},
		"policy, no JSON":       {func(a *AssumeRole) { a.SessionPolicy = "{" }, "session policy"},
		"policy, too long":      {func(a *AssumeRole) { a.SessionPolicy = `{"a":"` + strings.Repeat("x", 2048) + `"}` }, "session policy"},
	} {
		f := &fake{}
		a := chained(f)
		c.change(a)
		for what, err := range map[string]error{
			"Check": a.Check(), "Credentials": second(a.Credentials(t.Context())), "MemoryKey": second(a.MemoryKey(t.Context())),
		} {
			ie := (*daypass.InputError)(nil)
			if !errors.As(err, &ie) || ie.Setting != c.setting {
				t.Errorf("%s, %s: got %v, want an InputError of %s", name, what, err, c.setting)
			}
		}
		if f.calls.Load() != 0 {
			t.Errorf("%s: a call was made", name)
		}
	}
}

func TestMemoryKeyOfAssumeRole(t *testing.T) {
	key := func(change func(*AssumeRole)) string {
		a := chained(&fake{})
		change(a)
		got, err := a.MemoryKey(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	same := key(func(*AssumeRole) {})
	if same != key(func(*AssumeRole) {}) {
		t.Error("the key is another each time")
	}
	seen := map[string]string{same: "nothing"}
	for what, change := range map[string]func(*AssumeRole){
		"first role":  func(a *AssumeRole) { a.From = &giver{key: "another"} },
		"role":        func(a *AssumeRole) { a.RoleARN += "2" },
		"duration":    func(a *AssumeRole) { a.Duration = time.Hour },
		"name":        func(a *AssumeRole) { a.SessionName = "x1" },
		"external id": func(a *AssumeRole) { a.ExternalID = "x1" },
		"policy":      func(a *AssumeRole) { a.SessionPolicy = "{}" },
		"region":      func(a *AssumeRole) { a.Region = "eu-west-2" },
		"endpoint":    func(a *AssumeRole) { a.Endpoint = "https://127.0.0.1" },
		"proxy":       func(a *AssumeRole) { a.Client = through("127.0.0.1:7777") },
	} {
		k := key(change)
		if seen[k] != "" {
			t.Errorf("%s makes no difference to %s", what, seen[k])
		}
		seen[k] = what
	}
}
