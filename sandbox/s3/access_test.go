package s3_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"daypass.dev/policy"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

const (
	home    = world.DefaultAccount
	foreign = "444455556666"
)

// user is a client of a user in an account whose identity policy has the given
// statements; with none, it has no policy.
func user(t *testing.T, s *sandboxtest.Sandbox, account, name string, statements ...string) *awss3.Client {
	t.Helper()
	text := ""
	if len(statements) > 0 {
		text = document(statements...)
	}
	return newClient(s.User(t, account, name, text))
}

func document(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// statement is one that allows; rest is put behind its action and resource.
func statement(action, resource, rest string) string {
	return `{"Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"` + rest + `}`
}

func principal(arn string) string { return `,"Principal":{"AWS":"` + arn + `"}` }

// library starts a sandbox with a bucket of the home account that holds one
// object and has a bucket policy of the given statements.
func library(t *testing.T, statements ...string) *sandboxtest.Sandbox {
	t.Helper()
	s := sandboxtest.Start(t, "")
	client := newClient(s.Config())
	mustCreate(t, client, "library")
	put(t, client, "library", "book", "text")
	s.World.Lock()
	s.World.AddAccount(foreign)
	s.World.Unlock()
	if len(statements) > 0 {
		setPolicy(t, s, statements...)
	}
	return s
}

func setPolicy(t *testing.T, s *sandboxtest.Sandbox, statements ...string) {
	t.Helper()
	mustPolicy(t, newClient(s.Config()), "library", document(statements...))
}

func mustCreate(t *testing.T, client *awss3.Client, bucket string) {
	t.Helper()
	if _, err := client.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
}

func mustPolicy(t *testing.T, client *awss3.Client, bucket, doc string) {
	t.Helper()
	if _, err := client.PutBucketPolicy(t.Context(), &awss3.PutBucketPolicyInput{Bucket: &bucket, Policy: &doc}); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, client *awss3.Client, key string) error {
	t.Helper()
	_, err := client.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: aws.String("library"), Key: &key})
	return err
}

const (
	books   = "arn:aws:s3:::library/*"
	shelves = "arn:aws:s3:::library"
)

func TestWhoMayReadAnObject(t *testing.T) {
	reader := func(account string) string { return "arn:aws:iam::" + account + ":user/reader" }
	read := statement("s3:GetObject", books, "")
	deny := strings.Replace(read, "Allow", "Deny", 1)
	for _, c := range []struct {
		name     string
		account  string
		identity []string
		bucket   []string
		want     string
	}{
		{"nothing", home, nil, nil, "AccessDenied 403"},
		{"identity policy", home, []string{read}, nil, ""},
		{"identity policy for another bucket", home, []string{statement("s3:GetObject", "arn:aws:s3:::librarian/*", "")}, nil, "AccessDenied 403"},
		{"bucket policy", home, nil, []string{statement("s3:GetObject", books, principal(reader(home)))}, ""},
		{"bucket policy for the account", home, nil, []string{statement("s3:GetObject", books, principal("arn:aws:iam::"+home+":root"))}, "AccessDenied 403"},
		{"bucket policy denies", home, []string{read}, []string{`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"` + books + `","Condition":{"StringLike":{"aws:username":"reader"}}}`}, "AccessDenied 403"},
		{"identity policy denies", home, []string{deny}, []string{statement("s3:GetObject", books, principal(reader(home)))}, "AccessDenied 403"},
		{"foreign, identity policy", foreign, []string{read}, nil, "AccessDenied 403"},
		{"foreign, bucket policy", foreign, nil, []string{statement("s3:GetObject", books, principal(reader(foreign)))}, "AccessDenied 403"},
		{"foreign, both", foreign, []string{read}, []string{statement("s3:GetObject", books, principal(reader(foreign)))}, ""},
		{"foreign, both, by account", foreign, []string{read}, []string{statement("s3:GetObject", books, principal(foreign))}, ""},
		{"foreign, bucket policy for a third", foreign, []string{read}, []string{statement("s3:GetObject", books, principal(home))}, "AccessDenied 403"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := library(t)
			client := user(t, s, c.account, "reader", c.identity...)
			if len(c.bucket) > 0 {
				setPolicy(t, s, c.bucket...)
			}
			err := get(t, client, "book")
			if said(err) != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if d := s.Last(t, "GetObject"); len(d.Checks) != 1 || d.Checks[0].Action != "s3:GetObject" || d.Allowed != (c.want == "") {
				t.Errorf("decision %+v", d)
			}
			explains := strings.Contains(said(err)+messageOf(err), "is not authorized to perform: s3:GetObject")
			if c.want != "" && explains != (c.account == home) {
				t.Errorf("the refusal explains itself: %t: %v", explains, err)
			}
		})
	}
}

func messageOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestMissingKeysAreToldOnlyToWhoMayList(t *testing.T) {
	s := library(t)
	may := user(t, s, home, "lister", statement("s3:GetObject", books, ""), statement("s3:ListBucket", shelves, ""))
	mayNot := user(t, s, home, "reader", statement("s3:GetObject", books, ""))
	if got := said(get(t, may, "no book")); got != "NoSuchKey 404" {
		t.Errorf("who may list is told %s", got)
	}
	if got := said(get(t, mayNot, "no book")); got != "AccessDenied 403" {
		t.Errorf("who may not list is told %s", got)
	}
	if d := s.Last(t, "GetObject"); len(d.Checks) != 2 || d.Checks[1].Action != "s3:ListBucket" {
		t.Errorf("checks %+v", d.Checks)
	}
}

func TestStrangersGetWhatTheBucketPolicyGives(t *testing.T) {
	s := library(t)
	at := s.URL + "/library"
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/book", "403"}, {"GET", "", "403"}, {"PUT", "/new", "403"}, {"DELETE", "/book", "403"}, {"GET", "?policy", "403"},
	} {
		if got := do(t, s, c.method, at+c.path, "", nil); !strings.HasPrefix(got, c.want) {
			t.Errorf("without policy, %s %s: %s", c.method, c.path, got)
		}
	}
	setPolicy(t, s, statement("s3:GetObject", books, `,"Principal":"*"`))
	for _, c := range []struct{ method, path, want string }{
		{"GET", "/book", "200 text"}, {"HEAD", "/book", "200"}, {"GET", "/no-book", "403"}, {"GET", "", "403"}, {"PUT", "/new", "403"},
		{"GET", "/book?response-content-type=text/x", "400"},
	} {
		if got := do(t, s, c.method, at+c.path, "", nil); !strings.HasPrefix(got, c.want) {
			t.Errorf("with policy, %s %s: %s", c.method, c.path, got)
		}
	}
	setPolicy(t, s, statement("s3:PutObject", books, `,"Principal":"*"`))
	if got := do(t, s, "PUT", at+"/new", "4\r\nbody\r\n0\r\nx-amz-checksum-crc32:bad=\r\n\r\n", http.Header{
		"X-Amz-Content-Sha256": {"STREAMING-UNSIGNED-PAYLOAD-TRAILER"}, "X-Amz-Decoded-Content-Length": {"4"}, "X-Amz-Trailer": {"x-amz-checksum-crc32"},
	}); !strings.HasPrefix(got, "400") || !strings.Contains(got, "x-amz-checksum-crc32") {
		t.Errorf("a stranger's bad checksum: %s", got)
	}
	if got := do(t, s, "PUT", at+"/new", "body", nil); got != "200 " {
		t.Errorf("a stranger's object: %s", got)
	}
	if got := do(t, s, "GET", s.URL+"/", "", nil); !strings.HasPrefix(got, "403") {
		t.Errorf("a stranger's list of buckets: %s", got)
	}
}

func TestListBucketsNeedsListAllMyBuckets(t *testing.T) {
	s := library(t)
	for resource, want := range map[string]string{"*": "", "arn:aws:s3:::*": "", shelves: "AccessDenied 403"} {
		client := user(t, s, home, "u"+world.NewID("")[:6], statement("s3:ListAllMyBuckets", resource, ""))
		out, err := client.ListBuckets(t.Context(), nil)
		if said(err) != want {
			t.Errorf("with resource %s: %v", resource, err)
		}
		if err == nil && len(out.Buckets) != 1 {
			t.Errorf("listed %+v", out.Buckets)
		}
	}
	stranger := user(t, s, foreign, "stranger", statement("s3:*", "*", ""))
	if out, err := stranger.ListBuckets(t.Context(), nil); err != nil || len(out.Buckets) != 0 {
		t.Errorf("another account lists %+v, %v", out, err)
	}
}

func TestConditionsOfS3(t *testing.T) {
	s := library(t)
	client := user(t, s, home, "reader",
		statement("s3:ListBucket", shelves, `,"Condition":{"StringLike":{"s3:prefix":["","home/*"]},"StringEquals":{"s3:delimiter":"/"}}`),
		statement("s3:PutObject", books, `,"Condition":{"StringEquals":{"s3:x-amz-server-side-encryption":"AES256"}}`))
	list := func(prefix, delimiter *string) string {
		_, err := client.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: aws.String("library"), Prefix: prefix, Delimiter: delimiter})
		return said(err)
	}
	for _, c := range []struct {
		prefix, delimiter *string
		want              string
	}{
		{aws.String("home/a"), aws.String("/"), ""},
		{aws.String("home/a"), nil, "AccessDenied 403"},
		{aws.String("other/"), aws.String("/"), "AccessDenied 403"},
		{nil, aws.String("/"), "AccessDenied 403"},
	} {
		if got := list(c.prefix, c.delimiter); got != c.want {
			t.Errorf("prefix %q, delimiter %q: %q, want %q", aws.ToString(c.prefix), aws.ToString(c.delimiter), got, c.want)
		}
	}
	in := &awss3.PutObjectInput{Bucket: aws.String("library"), Key: aws.String("k"), Body: strings.NewReader("")}
	if _, err := client.PutObject(t.Context(), in); said(err) != "AccessDenied 403" {
		t.Errorf("without encryption: %v", err)
	}
	in.ServerSideEncryption = "AES256"
	if _, err := client.PutObject(t.Context(), in); err != nil {
		t.Errorf("with encryption: %v", err)
	}
}

func TestAUserMadeAnewDoesNotInherit(t *testing.T) {
	s := library(t)
	client := user(t, s, home, "reader")
	setPolicy(t, s, statement("s3:GetObject", books, principal("arn:aws:iam::"+home+":user/reader")))
	if err := get(t, client, "book"); err != nil {
		t.Errorf("the user that the policy names: %v", err)
	}
	if got := said(get(t, user(t, s, home, "reader"), "book")); got != "AccessDenied 403" {
		t.Errorf("another user of the same name: %q", got)
	}
}

func TestSessionsOfARole(t *testing.T) {
	s := library(t)
	trust, err := policy.Parse(policy.Trust, document(`{"Effect":"Allow","Principal":{"AWS":"`+home+`"},"Action":"sts:AssumeRole"}`))
	if err != nil {
		t.Fatal(err)
	}
	identity, err := policy.Parse(policy.Identity, document(statement("s3:*", "*", "")))
	if err != nil {
		t.Fatal(err)
	}
	s.World.Lock()
	role := s.World.Account(home).AddRole("librarian", "/", trust)
	role.Inline["p"] = identity
	s.World.Unlock()
	session := func(sessionPolicy *string) *awss3.Client {
		out, err := sts.NewFromConfig(s.Config()).AssumeRole(t.Context(), &sts.AssumeRoleInput{
			RoleArn: &role.ARN, RoleSessionName: aws.String("shift"), Policy: sessionPolicy,
		})
		if err != nil {
			t.Fatal(err)
		}
		c := out.Credentials
		return newClient(s.ConfigFor(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken))
	}
	if err := get(t, session(nil), "book"); err != nil {
		t.Errorf("a session: %v", err)
	}
	only := document(statement("s3:ListBucket", shelves, ""))
	if got := said(get(t, session(&only), "book")); got != "AccessDenied 403" {
		t.Errorf("a session whose policy does not allow: %s", got)
	}
}
