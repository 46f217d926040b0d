package sandbox_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"daypass.dev/sandbox"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

// A query is one signed call of the query protocol.
type query struct {
	s                  *sandboxtest.Sandbox
	key, secret, token string
	service            string
}

// send returns status and code.
func (q query) send(t *testing.T, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, q.s.URL+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sign(t, r, q.key, q.secret, q.token, q.service, []byte(body), time.Now())
	answer, err := q.s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode, codeOf(t, answer.Body)
}

func sign(t *testing.T, r *http.Request, key, secret, token, service string, body []byte, at time.Time) {
	t.Helper()
	sum := sha256.Sum256(body)
	creds := aws.Credentials{AccessKeyID: key, SecretAccessKey: secret, SessionToken: token}
	if err := v4.NewSigner().SignHTTP(t.Context(), creds, r, hex.EncodeToString(sum[:]), service, "us-east-1", at); err != nil {
		t.Fatal(err)
	}
}

func codeOf(t *testing.T, body io.Reader) string {
	t.Helper()
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	var e struct{ Error struct{ Code string } }
	if err := xml.Unmarshal(text, &e); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return e.Error.Code
}

const refusalsWorld = `
accounts:
  "111122223333":
    users:
      off: {accessKeys: [{id: AKIAINACTIVEINACTIVE, secret: s, inactive: true}]}
      empty: {}
    policies:
      p: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}
    roles:
      plain: {trust: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {AWS: 111122223333}, Action: "sts:AssumeRole"}]}}
      all:
        maxSession: 12h
        trust: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {AWS: 111122223333}, Action: ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]}]}
        policies:
          any: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "*", Resource: "*"}]}
`

// refusals says for each reason of reason/services.go how to be refused for
// it: as the administrator by a form, or in another way.
var refusals = map[string]struct {
	service, form string
	before        func(*sandboxtest.Sandbox)
	as            func(*testing.T, *sandboxtest.Sandbox) query
	status        int
	code          string
}{
	"operation-not-built":      {service: "sts", form: "Action=GetSessionToken", status: 501, code: "NotImplemented"},
	"internal-failure":         {service: "broken", form: "Action=Break", status: 500, code: "InternalFailure"},
	"fault":                    {service: "sts", form: "Action=GetCallerIdentity", before: fault(world.Fault{Code: "ServiceUnavailable", Status: 503}), status: 503, code: "ServiceUnavailable"},
	"throttled":                {service: "sts", form: "Action=GetCallerIdentity", before: fault(world.Fault{Throttle: true}), status: 400, code: "Throttling"},
	"query-malformed":          {service: "sts", form: "Action=%zz", status: 400, code: "MalformedQueryString"},
	"parameter-malformed":      {service: "sts", form: assume("all", "DurationSeconds=9e2"), status: 400, code: "MalformedInput"},
	"parameter-invalid":        {service: "sts", form: "Action=AssumeRole", status: 400, code: "ValidationError"},
	"access-key-inactive":      {service: "sts", form: "Action=GetCallerIdentity", as: inactive, status: 403, code: "InvalidClientTokenId"},
	"session-token-missing":    {service: "sts", form: "Action=GetCallerIdentity", as: withoutToken, status: 403, code: "InvalidClientTokenId"},
	"session-role-gone":        {service: "sts", form: "Action=GetCallerIdentity", as: withoutRole, status: 403, code: "InvalidClientTokenId"},
	"role-not-found":           {service: "sts", form: assume("none"), status: 403, code: "AccessDenied"},
	"trust-tag-session":        {service: "sts", form: assume("plain", "Tags.member.1.Key=k", "Tags.member.1.Value=v"), status: 403, code: "AccessDenied"},
	"trust-source-identity":    {service: "sts", form: assume("plain", "SourceIdentity=me"), status: 403, code: "AccessDenied"},
	"source-identity-fixed":    {service: "sts", form: assume("all", "SourceIdentity=eve"), as: session, status: 403, code: "AccessDenied"},
	"transitive-tag-fixed":     {service: "sts", form: assume("all", "Tags.member.1.Key=K", "Tags.member.1.Value=v"), as: session, status: 400, code: "InvalidParameterValue"},
	"session-tags-duplicate":   {service: "sts", form: assume("all", "Tags.member.1.Key=k", "Tags.member.2.Key=K"), status: 400, code: "InvalidParameterValue"},
	"duration-over-role":       {service: "sts", form: assume("plain", "DurationSeconds=3601"), status: 400, code: "ValidationError"},
	"duration-over-chained":    {service: "sts", form: assume("all", "DurationSeconds=3601"), as: session, status: 400, code: "ValidationError"},
	"session-policy-not-found": {service: "sts", form: assume("all", "PolicyArns.member.1.arn=arn:aws:iam::aws:policy/None"), status: 400, code: "MalformedPolicyDocument"},
	"packed-policy-too-large":  {service: "sts", form: assume("all", incompressibleTags()...), status: 400, code: "PackedPolicyTooLarge"},
	"policy-malformed":         {service: "iam", form: "Action=PutRolePolicy&RoleName=all&PolicyName=p&PolicyDocument=x", status: 400, code: "MalformedPolicyDocument"},
	"entity-missing":           {service: "iam", form: "Action=GetRole&RoleName=none", status: 404, code: "NoSuchEntity"},
	"entity-exists":            {service: "iam", form: "Action=CreateUser&UserName=EMPTY", status: 409, code: "EntityAlreadyExists"},
	"delete-conflict":          {service: "iam", form: "Action=DeleteRole&RoleName=all", status: 409, code: "DeleteConflict"},
	"quota-exceeded":           {service: "iam", form: "Action=PutUserPolicy&UserName=empty&PolicyName=p&PolicyDocument=" + longPolicy(2100), status: 409, code: "LimitExceeded"},
	"input-invalid":            {service: "iam", form: "Action=GetPolicy&PolicyArn=this-is-not-an-arn-of-iam", status: 400, code: "InvalidInput"},
	"policy-not-attachable":    {service: "iam", form: "Action=AttachRolePolicy&RoleName=all&PolicyArn=arn:aws:iam::aws:policy/None", status: 404, code: "NoSuchEntity"},
	"policy-of-aws":            {service: "iam", form: "Action=DeletePolicy&PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess", status: 403, code: "AccessDenied"},
}

// Every reason of the subject has its row here, and every row is refused for
// its own reason.
func TestEveryReasonOfTheServices(t *testing.T) {
	text, err := os.ReadFile("../reason/services.go")
	if err != nil {
		t.Fatal(err)
	}
	slugs := regexp.MustCompile(`(?m)^\t\t\{"([a-z0-9-]+)", "`).FindAllSubmatch(text, -1)
	if len(slugs) < 20 {
		t.Fatalf("found %d reasons in the catalogue's source", len(slugs))
	}
	known := map[string]bool{}
	for _, m := range slugs {
		slug := string(m[1])
		known[slug] = true
		row, ok := refusals[slug]
		if !ok {
			t.Errorf("%s is never tried", slug)
			continue
		}
		t.Run(slug, func(t *testing.T) {
			w := load(t)
			s := sandboxtest.StartHandler(t, w, sandbox.WithService(w, "broken", broken{}))
			q := query{s: s, key: s.Admin.ID, secret: s.Admin.Secret}
			if row.as != nil {
				q = row.as(t, s)
			}
			if row.before != nil {
				row.before(s)
			}
			q.service = row.service
			status, code := q.send(t, row.form)
			if status != row.status || code != row.code {
				t.Errorf("answered %d %s, want %d %s", status, code, row.status, row.code)
			}
			all := s.Decisions()
			if d := all[len(all)-1]; d.Reason != slug || d.Allowed || d.Status != row.status || d.Detail == "" || d.Mend == "" {
				t.Errorf("recorded %+v", d)
			}
			text, err := json.Marshal(all)
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{q.secret, q.token, s.Admin.Secret} {
				if len(secret) > 1 && bytes.Contains(text, []byte(secret)) {
					t.Errorf("a secret is in the records: %s", text)
				}
			}
		})
	}
	for slug := range refusals {
		if !known[slug] {
			t.Errorf("%s is not in the catalogue", slug)
		}
	}
}

func load(t *testing.T) *world.World {
	t.Helper()
	w, err := world.Parse("w.yaml", []byte(refusalsWorld))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestPanicsAreRecorded(t *testing.T) {
	w := world.New()
	h := sandbox.WithService(w, "sts", panicking{})
	r := httptest.NewRequest("POST", "/", strings.NewReader("Action=AssumeRoleWithSAML"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a := httptest.NewRecorder()
	h.ServeHTTP(a, r)
	d := w.Decisions()
	if a.Code != 500 || len(d) != 1 || d[0].Reason != "internal-failure" || !strings.HasPrefix(d[0].Detail, "panic: oh at ") || strings.Contains(a.Body.String(), "oh") {
		t.Errorf("answered %d %s, recorded %+v", a.Code, a.Body, d)
	}
}

type panicking struct{}

func (panicking) Serve(*world.Call, http.ResponseWriter, *http.Request, []byte) error { panic("oh") }

type broken struct{}

func (broken) Serve(*world.Call, http.ResponseWriter, *http.Request, []byte) error {
	return errors.New("something that no caller should read")
}

func fault(f world.Fault) func(*sandboxtest.Sandbox) {
	return func(s *sandboxtest.Sandbox) { s.World.SetFaults(f) }
}

func assume(role string, more ...string) string {
	v, err := url.ParseQuery(strings.Join(more, "&"))
	if err != nil {
		panic(err)
	}
	v.Set("Action", "AssumeRole")
	v.Set("RoleArn", "arn:aws:iam::111122223333:role/"+role)
	v.Set("RoleSessionName", "session")
	return v.Encode()
}

func incompressibleTags() []string {
	var all []string
	for i := range 50 {
		a, b := sha256.Sum256([]byte{byte(i)}), sha256.Sum256([]byte{byte(i), 1})
		all = append(all, fmt.Sprintf("Tags.member.%d.Key=k%d", i+1, i), fmt.Sprintf("Tags.member.%d.Value=%x%x", i+1, a, b))
	}
	return all
}

func longPolicy(n int) string {
	return url.QueryEscape(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::` + strings.Repeat("x", n) + `"}]}`)
}

func inactive(_ *testing.T, s *sandboxtest.Sandbox) query {
	return query{s: s, key: "AKIAINACTIVEINACTIVE", secret: "s"}
}

// session is one of the role all, with a tag that it hands on and a source
// identity.
func session(t *testing.T, s *sandboxtest.Sandbox) query {
	t.Helper()
	r := s.World.Role("arn:aws:iam::111122223333:role/all")
	now := s.World.Now()
	id, secret, token, err := s.World.Seal(world.Session{
		Account: "111122223333", RoleName: r.Name, RoleARN: r.ARN, RoleID: r.ID, Name: "first",
		Tags: map[string]string{"k": "v"}, TransitiveTags: []string{"k"}, SourceIdentity: "me", Issued: now, Expires: now.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return query{s: s, key: id, secret: secret, token: token}
}

func withoutToken(t *testing.T, s *sandboxtest.Sandbox) query {
	q := session(t, s)
	q.token = ""
	return q
}

func withoutRole(t *testing.T, s *sandboxtest.Sandbox) query {
	q := session(t, s)
	s.World.Lock()
	delete(s.World.Account("111122223333").Roles, "all")
	s.World.Unlock()
	return q
}

// Authentication comes before anything else, in the words of each protocol.
func TestUnauthenticated(t *testing.T) {
	w := world.New()
	h := sandbox.New(w)
	for _, c := range []struct {
		name, method, target, host, contentType, amzTarget string
		status                                             int
		want                                               string
	}{
		{"query", "POST", "/", "iam.amazonaws.com", "application/x-www-form-urlencoded", "", 403, "<Code>MissingAuthenticationToken</Code>"},
		{"rest-json", "GET", "/profiles", "rolesanywhere.us-east-1.amazonaws.com", "", "", 403, "Request is missing Authentication Token"},
		{"a service that is not built", "POST", "/", "dynamodb.us-east-1.amazonaws.com", "application/x-amz-json-1.0", "DynamoDB_20120810.GetItem", 501, `"__type":"NotImplemented"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.target, bytes.NewReader(nil))
			r.Host = c.host
			r.Header.Set("Content-Type", c.contentType)
			if c.amzTarget != "" {
				r.Header.Set("X-Amz-Target", c.amzTarget)
			}
			a := httptest.NewRecorder()
			h.ServeHTTP(a, r)
			if a.Code != c.status || !strings.Contains(a.Body.String(), c.want) {
				t.Errorf("answered %d %s", a.Code, a.Body)
			}
		})
	}
	sandboxtest.CheckReasons(t, w.Decisions())
}
