package world

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"daypass.dev/policy"
)

func TestParseReadsEverything(t *testing.T) {
	text, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	w, err := Parse("testdata/full.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	if w.Region != "eu-west-1" || w.SessionsLife != 90*time.Second || w.Home != "111122223333" {
		t.Errorf("region %s, life %v, home %s", w.Region, w.SessionsLife, w.Home)
	}
	if d := w.Now().Sub(time.Date(2026, 1, 2, 3, 24, 5, 0, time.UTC)); d < 0 || d > time.Minute {
		t.Errorf("the clock is %v off start and offset", d)
	}
	a := w.Account("111122223333")
	r := a.Roles["bucketlister"]
	if r == nil || r.ARN != "arn:aws:iam::111122223333:role/team/bucketlister" || r.MaxSession != 2*time.Hour ||
		len(r.Inline) != 2 || len(r.Attached) != 2 || r.Boundary == "" || r.Tags["team"] != "red" || r.Trust == nil {
		t.Fatalf("role %+v", r)
	}
	if u := a.Users["operator"]; u == nil || len(u.Keys) != 1 || len(u.Inline) != 1 {
		t.Errorf("user %+v", u)
	}
	if len(a.Anchors) != 1 || len(a.Profiles) != 1 || len(a.CRLs) != 1 {
		t.Fatalf("%d anchors, %d profiles, %d lists", len(a.Anchors), len(a.Profiles), len(a.CRLs))
	}
	for _, p := range a.Profiles {
		if len(p.RoleARNs) != 1 || p.RoleARNs[0] != r.ARN || p.SessionPolicy == nil || len(p.Mappings["x509Subject"]) != 2 || !p.AcceptSessionName {
			t.Errorf("profile %+v", p)
		}
	}
	for _, c := range a.CRLs {
		if x := a.Anchors["11111111-2222-4333-8444-555555555555"]; x == nil || c.AnchorARN != x.ARN {
			t.Errorf("list %+v of anchor %+v", c, x)
		}
	}
	_, b := w.Bucket("walk-bucket")
	if b == nil || b.Policy == nil || string(b.Objects["hello.txt"].Data) != "hello" || string(b.Objects["raw"].Data) != "\x00\x01" {
		t.Errorf("bucket %+v", b)
	}
	if f, ok := w.NextFault("sts", "AssumeRole"); !ok || !f.Throttle || f.RetryAfter != 3*time.Second {
		t.Errorf("fault %+v, %v", f, ok)
	}
}

// A trust policy is bound to the ids of this run, so that it holds for the
// role that is there and for no other of the same name.
func TestParseBindsTrust(t *testing.T) {
	w, err := Parse("w.yaml", []byte(`
accounts:
  "111122223333":
    roles:
      a: {trust: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: sts:AssumeRole, Principal: {AWS: "arn:aws:iam::111122223333:role/b"}}]}}
      b: {trust: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: sts:AssumeRole, Principal: {Service: rolesanywhere.amazonaws.com}}]}}
`))
	if err != nil {
		t.Fatal(err)
	}
	a := w.Account("111122223333")
	ask := func(id string) bool {
		b := a.Roles["b"]
		return policy.Evaluate(policy.Request{
			Principal: policy.Principal{
				Kind: policy.RoleSession, Account: a.ID, ARN: "arn:aws:sts::111122223333:assumed-role/b/s",
				ID: id + ":s", RoleARN: b.ARN, RoleID: id,
			},
			Action: "sts:AssumeRole", Resource: a.Roles["a"].ARN, ResourceAccount: a.ID,
		}, policy.Policies{Resource: &policy.Named{Document: a.Roles["a"].Trust}}).Allowed
	}
	if !ask(a.Roles["b"].ID) || ask("AROAANOTHERROLEOFTHATNAME") {
		t.Error("the trust policy is not bound to the role's id")
	}
}

func TestParseSaysWhereAndHow(t *testing.T) {
	cases := []struct{ name, yaml, at, problem, mend string }{
		{"unknown field", "accounts:\n  \"111122223333\":\n    rolls: {}\n", "3:5", `an account has no field "rolls"`, "roles"},
		{"unknown at the top", "regoin: x\n", "1:1", `a world has no field "regoin"`, "region"},
		{"wrong type", "accounts: [1]\n", "1:11", "accounts is a list", "NAME"},
		{"bad account", "accounts:\n  \"1234\": {}\n", "2:3", `"1234" is not an account`, "twelve"},
		{"twice", "region: us-east-1\nregion: us-east-1\n", "2:1", `"region" stands twice`, "keep one"},
		{"bad yaml", "a: [\n", "1", "did not find", "YAML"},
		{"no partition", "accounts: {\"111122223333\": {partition: aws-eu}}\n", "1:40", "no such partition", "aws-us-gov"},
		{"home elsewhere", "accounts: {\"111122223333\": {partition: aws-cn}}\n", "1:12", "us-east-1 is of partition aws, the account of aws-cn", "a region"},
		{"bucket elsewhere", "region: cn-north-1\naccounts: {\"111122223333\": {partition: aws-cn, buckets: {abc: {region: us-east-1}}}}\n", "2:58", "of partition aws,", "a region"},
		{"topic elsewhere", "accounts: {\"111122223333\": {topics: {abc: {region: us-gov-west-1}}}}\n", "1:38", "of partition aws-us-gov", "a region"},
		{"profile elsewhere", "accounts: {\"111122223333\": {profiles: {abc: {region: cn-north-1, roles: []}}}}\n", "1:45", "of partition aws-cn", "a region"},
		{"second document", "region: us-east-1\n---\nregion: us-east-1\n", "2:1", "second document", "one world"},
		{"alias", "accounts: &a\n  \"111122223333\": {users: *a}\n", "2:27", "users is an alias", "write out"},
		{"bad duration", "sessions: {life: 5}\n", "1:18", `"5" is no such duration`, "90s"},
		{"bad time", "clock: {start: now}\n", "1:16", `"now" is no time`, "2026"},
		{"bad flag", "faults: [{hang: 1}]\n", "1:17", `"1" is neither true nor false`, "true"},
		{"fault without effect", "faults:\n  - service: sts\n", "2:5", "does nothing", "latency"},
		{"fault with two", "faults: [{hang: true, reset: true}]\n", "1:10", "one of", "each"},
		{"fault percentage", "faults: [{hang: true, percent: 101}]\n", "1:32", "no percentage", "100"},
		{"no trust", inAccount("roles: {r: {}}"), "3:13", "role r has no trust policy", "trust:"},
		{"unknown principal", inAccount("roles:\n      r:\n        trust:\n          Version: 2012-10-17\n          Statement:\n            - Effect: Allow\n              Action: sts:AssumeRole\n              Principal: {AWS: \"arn:aws:iam::111122223333:role/none\"}"),
			"10:32", "Invalid principal in policy", "no such user or role"},
		{"unknown policy", inAccount("users: {u: {attached: [nope]}}"), "3:28", `there is no managed policy "nope"`, "AdministratorAccess"},
		{"policy, inline", inAccount("policies:\n      p:\n        Version: 2012-10-17\n        Statement:\n          - Effect: Permit\n            Action: s3:*\n            Resource: '*'"),
			"7:21", "", ""},
		{"policy, literal", inAccount("policies:\n      p: |\n        {\"Version\": \"2012-10-17\",\n         \"Statement\": [{\"Effect\": \"Permit\", \"Action\": \"s3:*\", \"Resource\": \"*\"}]}"),
			"6:35", "", ""},
		{"short key", inAccount("users: {u: {accessKeys: [{id: AKIA1, secret: s}]}}"), "3:35", "not an access key id", "AKIA"},
		{"key without secret", inAccount("users: {u: {accessKeys: [{id: AKIAIOSFODNN7EXAMPLE}]}}"), "3:30", "lacks its id or secret", "secret"},
		{"anchor without certificate", inAccount("trustAnchors: {a: {}}"), "3:20", "has no certificate", "PEM"},
		{"anchor with junk", inAccount("trustAnchors: {a: {certificate: junk}}"), "3:37", "no certificate in PEM", "PEM"},
		{"missing file", inAccount("trustAnchors: {a: {certificateFile: nowhere.pem}}"), "3:41", "no such file", "relative"},
		{"folder as file", inAccount("trustAnchors: {a: {certificateFile: .}}"), "3:41", "not a regular file", "regular"},
		{"profile's role", inAccount("profiles: {p: {roles: [nobody]}}"), "3:28", `has no role "nobody"`, "ARN"},
		{"mapping", inAccount("profiles: {p: {mappings: {x509Key: [CN]}}}"), "3:31", `"x509Key" is no field`, "x509Subject"},
		{"crl without anchor", inAccount("crls: {c: {}}"), "3:12", "lacks", "trustAnchor"},
		{"bucket name", inAccount("buckets: {Big: {}}"), "3:15", `"Big" is not a bucket's name`, "lower-case"},
		{"object", inAccount("buckets: {abc: {objects: {k: {base64: \"?\"}}}}"), "3:43", "not base64", "base64"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("w.yaml", []byte(c.yaml))
			var e *ParseError
			if !errors.As(err, &e) {
				t.Fatalf("error %v, want a *ParseError", err)
			}
			if want := "w.yaml:" + c.at + ": "; !strings.HasPrefix(e.Error(), want) {
				t.Errorf("%s\nwant it at %s", e, want)
			}
			if !strings.Contains(e.Problem, c.problem) || !strings.Contains(e.Mend, c.mend) || e.Mend == "" {
				t.Errorf("problem %q, mend %q; want %q, %q", e.Problem, e.Mend, c.problem, c.mend)
			}
		})
	}
}

// inAccount puts a field into an account, on the third line from column 5.
func inAccount(field string) string { return "accounts:\n  \"111122223333\":\n    " + field + "\n" }

func TestParseIDsAreTheSameInEveryRun(t *testing.T) {
	if a, b := stableID("1", "profile", "x"), stableID("1", "profile", "x"); a != b || !uuid.MatchString(a) {
		t.Errorf("%s and %s", a, b)
	}
	if stableID("1", "profile", "x") == stableID("1", "crl", "x") {
		t.Error("a profile and a list share an id")
	}
}

func FuzzWorld(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, path := range seeds {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("faults: [{hang: true, percent: 101}]\n"))
	f.Add([]byte(inAccount("roles: {r: {trust: '{}'}}")))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		w, err := Parse(filepath.Join("testdata", "w.yaml"), text)
		if err == nil {
			if w.Account(w.Home) == nil {
				t.Fatal("a world without its home account")
			}
			return
		}
		var e *ParseError
		if !errors.As(err, &e) || e.Mend == "" || e.Problem == "" {
			t.Fatalf("error %#v is not whole", err)
		}
	})
}
