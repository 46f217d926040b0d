package policy

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// Policies that people write, as seeds.
func realPolicies() []string {
	texts := []string{
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Condition":{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"myContainer"},"ArnEquals":{"aws:SourceArn":["arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/a1"]}}}]}`,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"accounts.google.com"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"accounts.google.com:aud":"1","accounts.google.com:sub":"1"}}}]}`,
		`{"Version":"2012-10-17","Statement":{"Sid":"Own","Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::b/home/${aws:username}","arn:aws:s3:::b/home/${aws:username, 'all'}/*"]}}`,
		`{"Version":"2012-10-17","Statement":[{"Sid":"NoMFA","Effect":"Deny","NotAction":["iam:CreateVirtualMFADevice","sts:GetSessionToken"],"Resource":"*","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}]}`,
		`{"Version":"2012-10-17","Id":"key-default-1","Statement":[{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}]}`,
		`{"Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":["arn:aws:iam::111122223333:user/alice","111122223333"]},"Action":"s3:*","NotResource":"arn:aws:s3:::b/*"}]}`,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:StartInstances"],"Resource":"arn:aws:ec2:*:*:instance/*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2017-07-01T00:00:00Z"},"IpAddress":{"aws:SourceIp":["203.0.113.0/24","2001:DB8:1234:5678::/64"]},"ForAllValues:StringEquals":{"aws:TagKeys":["a","b"]},"NumericLessThanEquals":{"s3:max-keys":10},"Null":{"aws:TokenIssueTime":"true"}}}]}`,
	}
	for _, x := range explanations() {
		texts = append(texts, x.identity, x.resource)
	}
	return texts
}

// Whatever is written: an answer, in which all is as documented.
func FuzzParse(f *testing.F) {
	for _, text := range realPolicies() {
		f.Add(text)
	}
	f.Add("{\"Id\":\"\xff\"}")
	f.Add(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NumericEquals":{"k":1e999}}}}`)
	f.Add(strings.Repeat(`{"a":[`, 40))
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range []Kind{Identity, Resource, Trust, Key, Session} {
			doc, err := Parse(kind, text)
			if err != nil {
				var s *SyntaxError
				if !errors.As(err, &s) || s.Code == "" || s.Message == "" || s.Hint == "" {
					t.Fatalf("%#v", err)
				}
				if s.Line < 1 || s.Column < 1 || s.Line > 1+strings.Count(text, "\n") {
					t.Fatalf("%q: place %d:%d", text, s.Line, s.Column)
				}
				continue
			}
			if !json.Valid([]byte(text)) || len(doc.statements) == 0 {
				t.Fatalf("taken: %q", text)
			}
			p := Policies{Identity: []Named{{Document: doc}}}
			if kind.namesCallers() {
				p = Policies{Resource: &Named{Document: doc}}
			}
			for _, who := range []Principal{alice(), session(), anchors(), token(), {}} {
				d := Evaluate(Request{Principal: who, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", Context: Context{"k": {List: []string{"v"}}}}, p)
				checkWhole(t, d)
			}
		}
	})
}

// A world of few words, so that statements often match.
type dice func(n int) int

func (roll dice) pick(from ...string) string { return from[roll(len(from))] }

func (roll dice) statement(kind Kind) string {
	effect := roll.pick("Allow", "Allow", "Deny")
	s := `{"Effect":"` + effect + `"`
	not := func(odds int) string {
		if roll(odds) == 0 {
			return "Not"
		}
		return ""
	}
	if kind.namesCallers() {
		n := ""
		if effect == "Deny" {
			n = not(3)
		}
		s += `,"` + n + `Principal":` + roll.pick(`{"AWS":"*"}`, `{"AWS":"`+home+`"}`, `{"AWS":"`+alice().ARN+`"}`,
			`{"AWS":"`+session().RoleARN+`"}`, `{"AWS":"`+session().ARN+`"}`, `{"Service":"`+anchors().Name+`"}`, `{"Federated":"`+token().Name+`"}`)
	}
	s += `,"` + not(4) + `Action":` + roll.pick(`"*"`, `"s3:*"`, `"s3:GetObject"`, `["s3:Put*","kms:Decrypt"]`)
	s += `,"` + not(4) + `Resource":` + roll.pick(`"*"`, `"arn:aws:s3:::b/*"`, `"arn:aws:s3:::b/${aws:username}"`, `["arn:aws:s3:::c","arn:aws:s3:::b/k"]`)
	if roll(2) == 0 {
		s += `,"Condition":{"` + roll.pick("", "ForAnyValue:", "ForAllValues:") + roll.pick("StringEquals", "StringNotEquals", "StringLike", "StringNotLike") +
			roll.pick("", "IfExists") + `":{"` + roll.pick("a", "b") + `":` + roll.pick(`"x"`, `"y"`, `["x","*"]`, `[]`, `"${b}"`) + `}}`
	}
	return s + "}"
}

func (roll dice) document(t testing.TB, kind Kind) Named {
	statements := make([]string, 1+roll(3))
	for i := range statements {
		statements[i] = roll.statement(kind)
	}
	return named(t, kind, "p", `{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`)
}

func (roll dice) request() Request {
	who := []Principal{alice(), session(), root(), anchors(), token(), {}}[roll(6)]
	r := Request{
		Principal: who, Action: roll.pick("s3:GetObject", "S3:PUTOBJECT", "kms:Decrypt", "iam:GetUser"),
		Resource: roll.pick("arn:aws:s3:::b/k", "arn:aws:s3:::b/alice", "arn:aws:s3:::c", "*"), ResourceAccount: roll.pick("", home, abroad),
	}
	for _, key := range []string{"a", "b", "aws:username"} {
		switch roll(4) {
		case 0:
			r.Context.Set(key, roll.pick("x", "y", "alice", ""))
		case 1:
			r.Context.SetMulti(key, "x", roll.pick("x", "y"))
		}
	}
	return r
}

func (roll dice) policies(t testing.TB) Policies {
	var p Policies
	for range roll(3) {
		p.Identity = append(p.Identity, roll.document(t, Identity))
	}
	if roll(3) == 0 {
		b := roll.document(t, Identity)
		p.Boundary = &b
	}
	if roll(3) == 0 {
		p.Session = []Named{roll.document(t, Session)}
	}
	if roll(2) == 0 {
		r := roll.document(t, []Kind{Resource, Key}[roll(2)])
		p.Resource = &r
	}
	return p
}

// with returns p with one more statement in the layer.
func (p Policies) with(t testing.TB, layer int, text string) (Policies, bool) {
	document := func(kind Kind, statement string) Named { return named(t, kind, "added", `{"Statement":`+statement+`}`) }
	switch layer {
	case 0:
		p.Identity = append(append([]Named{}, p.Identity...), document(Identity, text))
	case 1:
		if p.Session == nil {
			return p, false
		}
		p.Session = append(append([]Named{}, p.Session...), document(Session, text))
	default:
		if p.Resource == nil {
			return p, false
		}
		d := *p.Resource.Document
		more := document(d.Kind, strings.Replace(text, `{`, `{"Principal":{"AWS":"*"},`, 1)).Document
		d.statements = append(append([]*statement{}, d.statements...), more.statements...)
		p.Resource = &Named{Name: "widened", Document: &d}
	}
	return p, true
}

// properties checks what must hold of any decision.
func properties(t testing.TB, roll dice) {
	r, p := roll.request(), roll.policies(t)
	before := Evaluate(r, p)
	e := newEnv(r, p)
	denied := false
	all := append(append([]Named{}, p.Identity...), p.Session...)
	for _, one := range []*Named{p.Boundary, p.Resource} {
		if one != nil {
			all = append(all, *one)
		}
	}
	for _, n := range all {
		for _, s := range n.Document.statements {
			denied = denied || !s.allow && s.matches(e, n.Document.Kind)
		}
	}
	if denied && before.Allowed || denied != before.Explicit {
		t.Errorf("a Deny matches: %v, the decision is %+v", denied, before)
	}
	layer := roll(3)
	if wider, ok := p.with(t, layer, `{"Effect":"Deny","Action":"`+roll.pick("*", "s3:*")+`","Resource":"*"}`); ok {
		if after := Evaluate(r, wider); after.Allowed && !before.Allowed {
			t.Errorf("one more Deny allows: %+v, then %+v", before, after)
		}
	}
	if wider, ok := p.with(t, layer, `{"Effect":"Allow","Action":"`+roll.pick("*", "s3:*")+`","Resource":"*"}`); ok {
		if after := Evaluate(r, wider); before.Allowed && !after.Allowed {
			t.Errorf("one more Allow refuses: %+v, then %+v", before, after)
		}
	}
	free := p
	free.Session, free.Boundary = nil, nil
	if after := Evaluate(r, free); before.Allowed && !after.Allowed && p.Boundary == nil {
		t.Errorf("without session policies less is allowed: %+v, then %+v", before, after)
	}
	if again := Evaluate(r, p); again.Detail != before.Detail || again.Change != before.Change || again.Statement != before.Statement {
		t.Errorf("two answers: %+v and %+v", before, again)
	}
}

func TestPropertiesOfDecisions(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	allowed, explicit := 0, 0
	for range 5000 {
		properties(t, rng.IntN)
		r := dice(rng.IntN)
		switch d := Evaluate(r.request(), r.policies(t)); {
		case d.Allowed:
			allowed++
		case d.Explicit:
			explicit++
		}
	}
	if allowed < 250 || explicit < 250 {
		t.Errorf("of 5000 decisions %d allow and %d deny: the world is too narrow", allowed, explicit)
	}
}

func FuzzEvaluate(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09"))
	f.Add([]byte("a matching Deny outweighs what allows"))
	f.Fuzz(func(t *testing.T, choices []byte) {
		properties(t, func(n int) int {
			if len(choices) == 0 {
				return 0
			}
			c := int(choices[0])
			choices = choices[1:]
			return c % n
		})
	})
}

// Both ways of matching agree with each other and with a regular expression.
func TestPatterns(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	roll := dice(rng.IntN)
	for range 20000 {
		var p pattern
		re := "^(?s:"
		for range roll(7) {
			i := roll(6)
			p = append(p, []symbol{'a', ':', anyUnit, anyRun, partUnit, partRun}[i])
			re += []string{"a", ":", ".", ".*", "[^:]", "[^:]*"}[i]
		}
		text := ""
		for range roll(8) {
			text += roll.pick("a", ":", "b")
		}
		want := regexp.MustCompile(re + ")$").MatchString(text)
		if got := p.matches(units(text)); got != want || p.matchesAny(units(text)) != want {
			t.Fatalf("%s matches %q: %v and %v, want %v", re, text, got, p.matchesAny(units(text)), want)
		}
	}
}

// Patterns of many stars take no longer than their lengths multiplied.
func TestPatternsTerminate(t *testing.T) {
	text := units(strings.Repeat("a", 4000))
	if glob(strings.Repeat("*a", 1000)+"b").matches(text) || confine(glob(strings.Repeat("*a", 1000)+"b")).matches(text) {
		t.Error("a pattern that ends in b matches a text without")
	}
}
