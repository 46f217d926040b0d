package policy

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// What a refusal says. Together the rows hold every reason that a decision can
// give: TestEveryReasonHasARow compares them with the code.
type explained struct {
	name string
	who  Principal
	// Texts of policies; empty: none.
	identity, boundary, session, resource string
	kind                                  Kind
	action, on, owner                     string
	ctx                                   Context

	reason, detail, change, message string
	missing                         string
	statement, line                 int
}

const (
	secret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-a1b2c3"
	lister = "arn:aws:iam::111122223333:role/bucketlister"
)

func explanations() []explained {
	cn := "aws:PrincipalTag/x509Subject/CN"
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},
"Action":["sts:AssumeRole","sts:SetSourceIdentity"],"Condition":{"StringEquals":{"` + cn + `":"myContainer"}}}]}`
	evil := Context{cn: {List: []string{"evil"}}}
	reads := `{"Version":"2012-10-17","Statement":[
{"Sid":"Read","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"},
{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"` + secret + `",
 "Condition":{"ForAnyValue:StringEquals":{"aws:CalledVia":"cloudformation.amazonaws.com"},"Bool":{"aws:SecureTransport":"true"}}}]}`
	return []explained{
		{
			name: "another common name", who: anchors(), resource: trust, kind: Trust, action: "sts:AssumeRole", on: lister, ctx: evil,
			reason:  "policy-condition",
			detail:  cn + ` is "evil", wanted "myContainer"`,
			change:  `in statement 1 of resource, let StringEquals of ` + cn + ` take in "evil"`,
			message: "User: rolesanywhere.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: " + lister + " because no role trust policy allows the sts:AssumeRole action", statement: 1, line: 1,
		},
		{
			name: "a tag that is missing", who: anchors(), resource: trust, kind: Trust, action: "sts:AssumeRole", on: lister,
			reason:  "policy-condition-key-missing",
			detail:  cn + ` is not in the request, StringEquals wants "myContainer"`,
			change:  "in statement 1 of resource, let the request carry " + cn + ", or write StringEqualsIfExists",
			missing: cn, statement: 1, line: 1,
		},
		{
			name: "an action that is not there", who: anchors(), resource: trust, kind: Trust, action: "sts:TagSession", on: lister,
			ctx:    Context{cn: {List: []string{"myContainer"}}},
			reason: "policy-action",
			detail: `Action is "sts:AssumeRole" or "sts:SetSourceIdentity", the request's is "sts:TagSession"`,
			change: `in statement 1 of resource, add "sts:TagSession" to Action`, statement: 1, line: 1,
		},
		{
			name: "another caller", who: alice(), resource: trust, kind: Trust, action: "sts:AssumeRole", on: lister,
			ctx:    Context{cn: {List: []string{"myContainer"}}},
			reason: "policy-principal",
			detail: `Principal does not name the caller ("AWS": "arn:aws:iam::111122223333:user/alice")`,
			change: `in statement 1 of resource, add "AWS": "arn:aws:iam::111122223333:user/alice" to Principal`, statement: 1, line: 1,
		},
		{
			name: "a trust policy that only denies", who: anchors(), kind: Trust, action: "sts:AssumeRole", on: lister,
			resource: `{"Statement":{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"sts:TagSession"}}`,
			reason:   "trust-no-statement",
			detail:   "no statement of the role trust policy has the effect Allow",
			change:   `add to a role trust policy a statement that allows sts:AssumeRole to {"Service": "rolesanywhere.amazonaws.com"}`,
		},
		{
			name: "no policy at all", who: alice(), action: "s3:GetObject", on: "arn:aws:s3:::b/k",
			reason:  "policy-no-allow",
			detail:  "there is no identity-based policy",
			change:  "add to an identity-based policy a statement that allows s3:GetObject on arn:aws:s3:::b/k",
			message: `User: arn:aws:iam::111122223333:user/alice is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::b/k" because no identity-based policy allows the s3:GetObject action`,
		},
		{
			name: "another resource", who: alice(), identity: reads, action: "s3:GetObject", on: "arn:aws:s3:::c/k",
			reason: "policy-resource",
			detail: `Resource is "arn:aws:s3:::b/*", the request's is "arn:aws:s3:::c/k"`,
			change: `in statement 1 (Read) of identity, add "arn:aws:s3:::c/k" to Resource`, statement: 1, line: 2,
		},
		{
			name: "the nearest statement is the one that knows the action", who: alice(), identity: reads,
			action: "secretsmanager:GetSecretValue", on: secret, ctx: Context{"aws:SecureTransport": {List: []string{"false"}}},
			reason: "policy-condition-key-missing",
			detail: `aws:CalledVia is not in the request, ForAnyValue:StringEquals wants "cloudformation.amazonaws.com"; aws:SecureTransport is "false", wanted "true"`,
			change: `in statement 2 of identity, let the request carry aws:CalledVia and let Bool of aws:SecureTransport take in "false"`,
			message: "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: secretsmanager:GetSecretValue on resource: " + secret +
				" because no identity-based policy allows the secretsmanager:GetSecretValue action",
			missing: "aws:CalledVia", statement: 2, line: 3,
		},
		{
			name: "a list under an operator for one value", who: alice(), action: "iam:TagUser", on: "*",
			identity: `{"Statement":{"Effect":"Allow","Action":"iam:TagUser","Resource":"*","Condition":{"StringEquals":{"aws:TagKeys":"team"}}}}`,
			ctx:      Context{"aws:TagKeys": {List: []string{"team"}, Multi: true}},
			reason:   "policy-condition-multivalued",
			detail:   "aws:TagKeys holds a list, which StringEquals never matches",
			change:   "in statement 1 of identity, write ForAnyValue:StringEquals or ForAllValues:StringEquals", statement: 1, line: 1,
		},
		{
			name: "a variable without value", who: alice(), action: "s3:GetObject", on: "arn:aws:s3:::b/red/k",
			identity: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:PrincipalTag/team}/*"}}`,
			reason:   "policy-variable",
			detail:   `Resource is "arn:aws:s3:::b/${aws:PrincipalTag/team}/*", the request's is "arn:aws:s3:::b/red/k", and "aws:PrincipalTag/team" has no single value to stand for its variable`,
			change:   `in statement 1 of identity, let the caller carry "aws:PrincipalTag/team", or give its variable a default`,
			missing:  "aws:PrincipalTag/team", statement: 1, line: 1,
		},
		{
			name: "many actions", who: alice(), action: "s3:GetObject", on: "*",
			identity: `{"Statement":{"Effect":"Allow","Action":["a:1","a:2","a:3","a:4","a:5","a:6","a:7","a:8","a:9","a:10"],"Resource":"*"}}`,
			reason:   "policy-action",
			detail:   `Action is "a:1" or "a:2" or "a:3" or "a:4" or "a:5" or "a:6" or "a:7" or "a:8" or 2 more, the request's is "s3:GetObject"`,
			change:   `in statement 1 of identity, add "s3:GetObject" to Action`, statement: 1, line: 1,
		},
		{
			name: "NotAction and NotResource", who: alice(), action: "iam:GetUser", on: "arn:aws:iam::111122223333:user/bob",
			identity: `{"Statement":{"Effect":"Allow","NotAction":"iam:*","NotResource":"arn:aws:iam::*:user/*"}}`,
			reason:   "policy-action",
			detail:   `NotAction holds "iam:*", which takes in "iam:GetUser"; NotResource holds "arn:aws:iam::*:user/*", which takes in "arn:aws:iam::111122223333:user/bob"`,
			change:   `in statement 1 of identity, take "iam:GetUser" out of what NotAction matches and take "arn:aws:iam::111122223333:user/bob" out of what NotResource matches`, statement: 1, line: 1,
		},
		{
			name: "Null and negation", who: alice(), action: "s3:GetObject", on: "*",
			identity: `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Null":{"aws:TokenIssueTime":"true"},"StringNotLike":{"aws:UserAgent":["a*","b*"]}}}}`,
			ctx:      Context{"aws:TokenIssueTime": {List: []string{"2026-01-01T00:00:00Z"}}, "aws:UserAgent": {List: []string{"boto"}}},
			reason:   "policy-condition",
			detail:   `aws:TokenIssueTime is in the request, and Null wants it absent; aws:UserAgent is "boto", wanted anything but "a*" or "b*"`,
			change:   `in statement 1 of identity, let Null of aws:TokenIssueTime be "false" and let StringNotLike of aws:UserAgent take in "boto"`, statement: 1, line: 1,
		},
		{
			name: "a Deny", who: session(), action: "s3:DeleteObject", on: "arn:aws:s3:::b/k",
			identity: `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
{"Sid":"NoPlain","Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"},"StringNotEquals":{"aws:PrincipalTag/team":"red"}}}]}`,
			ctx:     Context{"aws:SecureTransport": {List: []string{"false"}}},
			reason:  "policy-explicit-deny",
			detail:  `the Deny of statement 2 (NoPlain) of identity matches: aws:SecureTransport is "false" and Bool has "false"; aws:PrincipalTag/team is not in the request and StringNotEquals holds without it`,
			change:  "narrow or remove statement 2 (NoPlain) of identity",
			message: `User: arn:aws:sts::111122223333:assumed-role/lister/one is not authorized to perform: s3:DeleteObject on resource: "arn:aws:s3:::b/k" with an explicit deny in an identity-based policy`, statement: 2, line: 2,
		},
		{
			name: "a Deny of a session policy", who: session(), action: "kms:Decrypt", on: theResource,
			session: `{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`,
			reason:  "policy-explicit-deny", detail: "the Deny of statement 1 of session matches", change: "narrow or remove statement 1 of session",
			// Recorded: radkawar/stackd, testdata/aws/kms/grants.json.
			message: "User: arn:aws:sts::111122223333:assumed-role/lister/one is not authorized to perform: kms:Decrypt on resource: " + theResource + " with an explicit deny in a session policy", statement: 1, line: 1,
		},
		{
			name: "a boundary", who: alice(), action: "kms:Decrypt", on: theResource,
			identity: `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, boundary: reads,
			reason:  "policy-boundary",
			detail:  `Action is "s3:GetObject", the request's is "kms:Decrypt"; Resource is "arn:aws:s3:::b/*", the request's is "` + theResource + `"`,
			change:  `in statement 1 (Read) of boundary, add "kms:Decrypt" to Action and add "` + theResource + `" to Resource`,
			message: "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: kms:Decrypt on resource: " + theResource + " because no permissions boundary allows the kms:Decrypt action", statement: 1, line: 2,
		},
		{
			name: "session policies", who: session(), action: "s3:PutObject", on: "arn:aws:s3:::b/k",
			identity: `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, session: reads,
			reason:  "policy-session",
			detail:  `Action is "s3:GetObject", the request's is "s3:PutObject"`,
			change:  `in statement 1 (Read) of session, add "s3:PutObject" to Action`,
			message: `User: arn:aws:sts::111122223333:assumed-role/lister/one is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::b/k" because no session policy allows the s3:PutObject action`, statement: 1, line: 2,
		},
		{
			name: "a bucket abroad", who: alice(), identity: reads, action: "s3:GetObject", on: "arn:aws:s3:::b/k", owner: abroad,
			reason:  "policy-cross-account",
			detail:  "there is no resource-based policy",
			change:  `add to a resource-based policy a statement that allows s3:GetObject to {"AWS": "arn:aws:iam::111122223333:user/alice"} on arn:aws:s3:::b/k`,
			message: `User: arn:aws:iam::111122223333:user/alice is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::b/k" because no resource-based policy allows the s3:GetObject action`,
		},
		{
			name: "a key policy that leaves it to identity policies", who: alice(), action: "kms:Decrypt", on: theResource, kind: Key,
			resource: `{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}}`,
			reason:   "policy-no-allow",
			detail:   "there is no identity-based policy; the key policy names the account and so leaves the decision to identity policies",
			change:   "add to an identity-based policy a statement that allows kms:Decrypt on " + theResource,
		},
		{
			name: "a token", who: token(), resource: trust, kind: Trust, action: webIdentityAction, on: lister,
			ctx:    Context{cn: {List: []string{"myContainer"}}},
			reason: "policy-principal", statement: 1, line: 1,
			detail: `Principal does not name the caller ("Federated": "` + token().Name + `"); Action is "sts:AssumeRole" or "sts:SetSourceIdentity", the request's is "` + webIdentityAction + `"`,
			change: `in statement 1 of resource, add "Federated": "` + token().Name + `" to Principal and add "` + webIdentityAction + `" to Action`,
			// aws-side: the words of AssumeRoleWithWebIdentity.
			message: "Not authorized to perform sts:AssumeRoleWithWebIdentity",
		},
	}
}

func (x explained) decide(t *testing.T) Decision {
	var p Policies
	if x.identity != "" {
		p.Identity = []Named{named(t, Identity, "identity", x.identity)}
	}
	if x.boundary != "" {
		b := named(t, Identity, "boundary", x.boundary)
		p.Boundary = &b
	}
	if x.session != "" {
		p.Session = []Named{named(t, Session, "session", x.session)}
	}
	if x.resource != "" {
		r := named(t, x.kind, "resource", x.resource)
		p.Resource = &r
	}
	return Evaluate(Request{Principal: x.who, Action: x.action, Resource: x.on, ResourceAccount: x.owner, Context: x.ctx}, p)
}

func TestExplanations(t *testing.T) {
	for _, x := range explanations() {
		t.Run(x.name, func(t *testing.T) {
			d := x.decide(t)
			for _, c := range [][3]string{
				{"reason", d.Reason, x.reason}, {"detail", d.Detail, x.detail}, {"change", d.Change, x.change},
				{"missing", strings.Join(d.Missing, " "), x.missing},
			} {
				if c[1] != c[2] {
					t.Errorf("%s\n is   %s\n want %s", c[0], c[1], c[2])
				}
			}
			if x.message != "" && d.Message != x.message {
				t.Errorf("message\n is   %s\n want %s", d.Message, x.message)
			}
			if d.Statement != x.statement || d.Line != x.line {
				t.Errorf("statement %d on line %d, want %d on %d", d.Statement, d.Line, x.statement, x.line)
			}
			checkWhole(t, d)
		})
	}
}

// The reasons that decisions give are those of the catalogue's page of
// policies, and each has a row above.
func TestEveryReasonHasARow(t *testing.T) {
	catalogue := reasons(t, "../reason/policies.go", `Slug: +"([^"]+)"`)
	code := map[string]bool{}
	for _, file := range []string{"explain.go", "differences.go"} {
		for slug := range reasons(t, file, `"((?:policy|trust)-[a-z-]+)"`) {
			code[slug] = true
		}
	}
	rows := map[string]bool{}
	for _, x := range explanations() {
		rows[x.reason] = true
	}
	for slug := range catalogue {
		if !rows[slug] {
			t.Errorf("%s has no row", slug)
		}
		if !code[slug] {
			t.Errorf("%s is in the catalogue and in no decision", slug)
		}
	}
	for slug := range code {
		if !catalogue[slug] {
			t.Errorf("%s is not in the catalogue", slug)
		}
	}
}

// reasons reads slugs from a file: policy imports nothing, not even reason.
func reasons(t *testing.T, file, pattern string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
		found[m[1]] = true
	}
	if len(found) == 0 {
		t.Fatalf("%s holds no slug", file)
	}
	return found
}

// The smallest change does what it says, where it is one that can be made by
// rewriting the policy.
func TestChangesAllow(t *testing.T) {
	for name, edit := range map[string]func(string) string{
		"another common name": func(s string) string { return strings.Replace(s, `"myContainer"`, `["myContainer","evil"]`, 1) },
		"a tag that is missing": func(s string) string {
			return strings.Replace(s, `"StringEquals"`, `"StringEqualsIfExists"`, 1)
		},
		"an action that is not there": func(s string) string {
			return strings.Replace(s, `"sts:AssumeRole"`, `"sts:AssumeRole","sts:TagSession"`, 1)
		},
		"another caller": func(s string) string {
			return strings.Replace(s, `"Service"`, `"AWS":"arn:aws:iam::111122223333:user/alice","Service"`, 1)
		},
	} {
		for _, x := range explanations() {
			if x.name != name {
				continue
			}
			x.resource = edit(x.resource)
			if d := x.decide(t); !d.Allowed {
				t.Errorf("%s: the change does not allow: %s", name, d.Detail)
			}
		}
	}
}

// A decision is data: it goes to JSON and back.
func TestDecisionIsAValue(t *testing.T) {
	d := explanations()[0].decide(t)
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var back Decision
	if err := json.Unmarshal(b, &back); err != nil || back.Detail != d.Detail || len(back.Trace) != len(d.Trace) {
		t.Errorf("%s: %v", b, err)
	}
}

// Which statement a decision names: of those that allow, the first; else the
// one that the request matches in most elements, of equals the one that knows
// the action, then the caller, then the resource, then the first.
func TestNearestStatement(t *testing.T) {
	const (
		action = `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::c/*","Condition":{"Bool":{"k":"true"}}}`
		both   = `{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}`
		place  = `{"Effect":"Allow","Action":"s3:PutObject","Resource":"*","Condition":{"Bool":{"k":"true"}}}`
		half   = `{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"Bool":{"k":"true","l":"true"}}}`
		most   = `{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"Bool":{"k":"true","l":"false"}}}`
		nobody = `{"Effect":"Deny","Action":"iam:*","Resource":"*"}`
		wins   = `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`
	)
	for _, r := range []struct {
		statements string
		want       int
	}{
		{wins + "," + wins, 1}, {half + "," + wins + "," + wins, 2},
		{action + "," + both, 2}, {both + "," + action, 1}, // more elements
		{place + "," + action, 2}, {action + "," + place, 1}, // the action tells more than the resource
		{half + "," + half, 1}, {nobody + "," + half + "," + half, 2},
		{half + "," + most, 2}, {most + "," + half, 1}, // more conditions hold
	} {
		p := Policies{Identity: []Named{named(t, Identity, "p", `{"Statement":[`+r.statements+`]}`)}}
		d := Evaluate(Request{Principal: alice(), Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", Context: Context{"l": {List: []string{"false"}}}}, p)
		if d.Statement != r.want {
			t.Errorf("%s: statement %d, want %d: %s", r.statements, d.Statement, r.want, d.Detail)
		}
	}
	// A policy without document, as one that is gone, allows nothing.
	gone := Evaluate(Request{Principal: alice(), Action: "s3:GetObject", Resource: "*"}, Policies{Identity: []Named{{Name: "gone"}}})
	if gone.Allowed || gone.Reason != "policy-no-allow" || gone.Detail != "no statement of the identity policy has the effect Allow" {
		t.Errorf("%+v", gone)
	}
	// Of two policies the first, too.
	one := named(t, Identity, "one", `{"Statement":`+wins+`}`)
	two := named(t, Identity, "two", `{"Statement":`+wins+`}`)
	if d := Evaluate(Request{Principal: alice(), Action: "s3:GetObject", Resource: "*"}, Policies{Identity: []Named{one, two}}); d.Policy != "one" {
		t.Errorf("decided by %s", d.Policy)
	}
}
