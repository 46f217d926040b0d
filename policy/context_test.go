package policy

import (
	"strings"
	"testing"
)

func TestContext(t *testing.T) {
	var c Context
	c.Set("aws:PrincipalTag/x509Subject/CN", "a")
	c.Set("AWS:principaltag/X509SUBJECT/cn", "b") // the same key
	c.SetMulti("aws:TagKeys", "one")
	c.Set("gone", "x")
	c.Set("gone")
	c.SetMulti("never")
	if len(c) != 2 {
		t.Errorf("%d keys: %v", len(c), c)
	}
	e := newEnv(Request{Context: c}, Policies{})
	if v, ok := e.get("aws:PrincipalTag/x509subject/CN"); !ok || v.Multi || v.List[0] != "b" {
		t.Errorf("%v, %v", v, ok)
	}
	if v, ok := e.get("aws:tagkeys"); !ok || !v.Multi {
		t.Errorf("%v, %v", v, ok)
	}
	if _, ok := e.get("gone"); ok {
		t.Error("a key without values is there")
	}
}

// Two spellings of one key: the last in byte order counts, whatever the map's
// order of the day.
func TestContextWithTwoSpellings(t *testing.T) {
	for range 50 {
		e := newEnv(Request{Context: Context{"Key": {List: []string{"upper"}}, "key": {List: []string{"lower"}}}}, Policies{})
		if v, _ := e.get("KEY"); v.List[0] != "lower" {
			t.Fatalf("%v", v)
		}
	}
}

// Session tags of a certificate, as Roles Anywhere makes them, stand under
// aws:PrincipalTag with their slashes; a tag that was dropped makes a negated
// condition hold.
func TestCertificateTags(t *testing.T) {
	ctx := Context{}
	ctx.Set("aws:PrincipalTag/x509Subject/CN", "web@prod")
	ctx.Set("aws:PrincipalTag/x509Subject/OU", "prod")
	ctx.Set("aws:PrincipalTag/x509SAN/URI", "spiffe://example.org/ns/prod/sa/web")
	for text, want := range map[string]bool{
		conditionText("StringEquals", "aws:PrincipalTag/x509Subject/CN", "web@prod"):                               true,
		conditionText("StringLike", "aws:PrincipalTag/x509SAN/URI", "spiffe://example.org/ns/prod/*"):              true,
		conditionText("StringLike", "aws:PrincipalTag/x509SAN/URI", "spiffe://example.org/ns/dev/*"):               false,
		conditionText("StringEquals", "aws:principaltag/X509SUBJECT/ou", "prod"):                                   true,
		conditionText("StringEquals", "aws:PrincipalTag/x509Subject/CN", "web@${aws:PrincipalTag/x509Subject/OU}"): true,
		conditionText("StringEquals", "aws:PrincipalTag/x509Issuer/CN", "CA"):                                      false,
		conditionText("StringNotEquals", "aws:PrincipalTag/x509Issuer/CN", "CA"):                                   true,
		conditionText("Null", "aws:PrincipalTag/x509Issuer/CN", "false"):                                           false,
	} {
		if got := underAllow(t, Identity, text, ctx); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// Sessions older than a moment are refused by their issue time: revocation.
func TestTokenIssueTime(t *testing.T) {
	text := conditionText("DateLessThan", "aws:TokenIssueTime", "2026-11-21T12:00:00Z")
	for issued, refused := range map[string]bool{"2026-11-21T11:59:59Z": true, "2026-11-21T12:00:00Z": false} {
		if got := underDeny(t, Identity, text, Context{"aws:TokenIssueTime": {List: []string{issued}}}); got != refused {
			t.Errorf("issued %s, refused: %v", issued, got)
		}
	}
	if underDeny(t, Identity, text, nil) {
		t.Error("a user without session is refused")
	}
}

// What is not JSON, or more than a policy can hold, is refused with its place.
func TestJSONAsWritten(t *testing.T) {
	for _, w := range jsonRows() {
		w.check(t, Identity)
	}
}

func jsonRows() []written {
	const whole = `"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	return []written{
		{`«»`, "Syntax errors in policy."},
		{` «»null`, "Syntax errors in policy."},
		{`«»[]`, "Syntax errors in policy."},
		{`«»"x"`, "Syntax errors in policy."},
		{`{` + whole + ` «»{}`, "Syntax errors in policy."},
		{"{\n  \"Version\": \"2012-10-17\",\n  «»'x'", "Syntax errors in policy."},
		{"{\n  \"Id\": \"é\", «»\"Id\": \"b\"," + whole, "Syntax errors in policy."},
		{`{"Statement":{"Effect":"Deny",«»"\u0045ffect":"Allow","Action":"*","Resource":"*"}}`, "Syntax errors in policy."},
		{`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}«»`, "Syntax errors in policy."},
		{`{"Id":"«»` + "\xff" + `",` + whole, "Syntax errors in policy."},
		{`{"Id":` + strings.Repeat("[", 10) + `«»[`, "Syntax errors in policy."},
		{`{«»"statement":{}}`, "Syntax errors in policy."},
		{`{«»"Sid":"x",` + whole, "Syntax errors in policy."},
		{`{"Statement":{«»"effect":"Allow","Effect":"Allow","Action":"*","Resource":"*"}}`, "Syntax errors in policy."},
		{`{"Statement":{"Sid":«»"a b","Effect":"Allow","Action":"*","Resource":"*"}}`, "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"},
		{`{"Statement":{"Effect":"Allow","Principal":«»"*","Action":"*","Resource":"*"}}`, errPrincipal},
		{`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{«»"":"true"}}}}`, "Syntax errors in policy."},
		{`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"k":«»null}}}}`, "Syntax errors in policy."},
		{`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{«»"NullIfExists":{"k":"true"}}}}`, "Syntax errors in policy."},
		{`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{«»"stringequals":{"k":"true"}}}}`, "Syntax errors in policy."},
	}
}

// Each kind has its size.
func TestSizes(t *testing.T) {
	texts := map[Kind]string{
		Identity: `{"Id":"%","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`,
		Resource: `{"Id":"%","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`,
		Trust:    `{"Id":"%","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}`,
	}
	texts[Key], texts[Session] = texts[Resource], texts[Identity]
	for kind, text := range texts {
		limit, message := limitOf(kind)
		room := limit - parse(t, kind, replace(text, "")).Size()
		// White space does not count.
		parse(t, kind, " "+replace(text, strings.Repeat("x", room))+"\n\t ")
		_, err := Parse(kind, replace(text, strings.Repeat("x", room+1)))
		s, ok := err.(*SyntaxError)
		if !ok || s.Code != "LimitExceeded" || s.Message != message {
			t.Errorf("kind %d with one character too many: %v", kind, err)
		}
	}
	_, err := Parse(Identity, strings.Repeat(" ", maxText)+"{}")
	if s, ok := err.(*SyntaxError); !ok || s.Code != "ValidationError" {
		t.Errorf("a text of %d: %v", maxText+2, err)
	}
}

// A bound principal is the one that was there: made anew under the same ARN it
// is another.
func TestBind(t *testing.T) {
	who := session()
	text := `{"Statement":{"Effect":"Allow","Principal":{"AWS":["` + who.RoleARN + `","444455556666"],"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}`
	doc := parse(t, Trust, text)
	bound, err := doc.Bind(func(arn string) string {
		if arn != who.RoleARN {
			t.Errorf("asked for %s", arn)
		}
		return who.RoleID
	})
	if err != nil || bound.Text != text {
		t.Fatalf("%v, %v", bound, err)
	}
	allowed := func(d *Document, who Principal) bool {
		return Evaluate(Request{Principal: who, Action: "sts:AssumeRole", Resource: lister}, Policies{Resource: &Named{Document: d}}).Allowed
	}
	anew := who
	anew.RoleID, anew.ID = "AROANEWNEWNEWNEWNEW1", "AROANEWNEWNEWNEWNEW1:one"
	if !allowed(bound, who) || allowed(bound, anew) {
		t.Error("a bound policy does not tell a role from its successor")
	}
	if !allowed(doc, anew) {
		t.Error("binding changed the document")
	}
	_, err = doc.Bind(func(string) string { return "" })
	s, ok := err.(*SyntaxError)
	if !ok || s.Message != `Invalid principal in policy: "AWS":"`+who.RoleARN+`"` || s.Column != strings.Index(text, `"arn:`)+1 {
		t.Errorf("a role that is not there: %+v", s)
	}
}

// The places of statements, of one line and of several.
func TestStatementPlaces(t *testing.T) {
	doc := named(t, Identity, "p", `{
 "Statement": [
  {"Effect":"Deny","Action":"s3:*","Resource":"*"},
  {
   "Sid": "Two",
   "Effect": "Allow", "Action": "*",
   "Resource": "*"
  }]}`)
	d := Evaluate(Request{Principal: alice(), Action: "iam:GetUser", Resource: "*"}, Policies{Identity: []Named{doc}})
	want := Finding{Layer: ByIdentity, Effect: "allow", Policy: "p", Sid: "Two", Statement: 2, Line: 4, Column: 3, EndLine: 8, EndColumn: 3}
	if len(d.Trace) != 1 || d.Trace[0] != want {
		t.Errorf("%+v", d.Trace)
	}
	if d.Statement != 2 || d.Line != 4 || d.Sid != "Two" {
		t.Errorf("%+v", d)
	}
}
