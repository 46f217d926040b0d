package policy

import "testing"

// Which resources and actions a statement takes in.
func TestResources(t *testing.T) {
	for _, r := range []struct {
		pattern, resource string
		in                bool
	}{
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
		{"*", "arn:aws:s3:::b/k", true},
		{"*", "*", true},
		{"arn:aws:s3:::b/*", "*", false},
		{"arn:aws:s3:::b/*/test/*", "arn:aws:s3:::b/1/2/test/3/object.jpg", true},
		{"arn:aws:s3:::b/*/test/*", "arn:aws:s3:::b//test/", true},
		{"arn:aws:s3:::b/*/test/*", "arn:aws:s3:::b/1-test/object.jpg", false},
		{"arn:aws:s3:::b/file?", "arn:aws:s3:::b/file1", true},
		{"arn:aws:s3:::b/file?", "arn:aws:s3:::b/file", false},
		{"arn:aws:s3:::B/k", "arn:aws:s3:::b/k", false}, // case counts
		{"arn:aws:s3:::b/[a]", "arn:aws:s3:::b/a", false},
		// A * that ends a part of the ARN may reach over a colon, another may not.
		{finance, document, true},
		{"arn:aws:someservice:us-*2:111122223333:finance/*", document, false},
		{"arn:aws:someservice:us-?ast-2:*:store/*", document, true},
		{"arn:aws:some*:us-east-2:*:store/*", "arn:aws:someservice:us-east-2:999999999999:store/abc", true},
		{"arn:aws:s?:::b", "arn:aws:s3:::b", true},
		{"arn:aws:s3::?:b", "arn:aws:s3::::b", false},
		{"arn:aws:s3:::b/*suffix", "arn:aws:s3:::b/prefix:tail:suffix", true},
		// IAM completes ARNs of fewer parts.
		{"arn:aws:sqs", "arn:aws:sqs:eu-west-1:111122223333:queue", true},
		{"arn:aws:sqs", "arn:aws:sns:eu-west-1:111122223333:topic", false},
		{"arn:aws:sqs:eu-west-1", "arn:aws:sqs:us-east-1:111122223333:queue", false},
		// Recorded: radkawar/stackd at commit 9dc356f, testdata/aws/iam/conditions.json.
		{"arn:aws:s3:::policy-parity/folder/*/object", "arn:aws:s3:::policy-parity/folder/a:b/object", true},
		{"arn:aws:s3:::policy-parity/folder/*/object", "arn:aws:s3:::policy-parity/folder/a/b/object", true},
		{"arn:aws:s3:::policy-parity/folder/*/object", "arn:aws:s3:::policy-parity/folder/a/object/child", false},
		{"arn:aws:s3:::policy-parity*", "arn:aws:s3:::policy-parity:suffix/object", true},
		{"arn:aws:s3:::policy-parity*", "arn:aws:s3:::policy-unmatched/object", false},
	} {
		// Written as it would not be stored: the language, not the write.
		s := &statement{resources: []resource{newResource(mustTemplate(t, r.pattern, true))}}
		e := newEnv(Request{Resource: r.resource}, Policies{})
		if got := s.takesResource(e); got != r.in {
			t.Errorf("Resource %s takes in %s: %v", r.pattern, r.resource, got)
		}
		s.notResource = true
		if got := s.takesResource(e); got == r.in {
			t.Errorf("NotResource %s takes in %s: %v", r.pattern, r.resource, got)
		}
	}
}

func TestActions(t *testing.T) {
	for _, r := range []struct {
		element, action string
		in              bool
	}{
		{`"Action":"s3:GetObject"`, "s3:GetObject", true},
		{`"Action":"S3:getobject"`, "s3:GetObject", true}, // case does not count
		{`"Action":"s3:Get*"`, "s3:GetObjectVersion", true},
		{`"Action":"s3:Get*"`, "s3:PutObject", false},
		{`"Action":"s3:?etObject"`, "s3:GetObject", true},
		{`"Action":"*"`, "s3:GetObject", true},
		{`"Action":"*:*"`, "s3:GetObject", true},
		{`"Action":["s3:Put*","s3:Get*"]`, "s3:GetObject", true},
		{`"Action":"iam:*"`, "s3:GetObject", false},
		{`"NotAction":"iam:*"`, "s3:GetObject", true},
		{`"NotAction":["iam:*","s3:*"]`, "s3:GetObject", false},
	} {
		doc := parse(t, Identity, `{"Statement":{"Effect":"Allow",`+r.element+`,"Resource":"*"}}`)
		if got := doc.statements[0].takesAction(newEnv(Request{Action: r.action}, Policies{})); got != r.in {
			t.Errorf("%s takes in %s: %v", r.element, r.action, got)
		}
	}
}

// Variables in Resource, by version.
func TestVariablesInResources(t *testing.T) {
	const tag = "aws:PrincipalTag/team"
	ctx := func(pairs ...string) (c Context) {
		for i := 0; i < len(pairs); i += 2 {
			c.Set(pairs[i], pairs[i+1])
		}
		return c
	}
	multi := Context{tag: {List: []string{"red", "blue"}, Multi: true}}
	// The variables of a tag: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
	for _, r := range []struct {
		pattern, resource string
		ctx               Context
		in                bool
	}{
		{"arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/alice/k", ctx("AWS:UserName", "alice"), true},
		{"arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/bob/k", ctx("aws:username", "alice"), false},
		{"arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b//k", nil, false}, // missing: matches nothing
		{"arn:aws:s3:::b/${" + tag + "}", "arn:aws:s3:::b/any", ctx(tag, "*"), false},
		{"arn:aws:s3:::b/${" + tag + "}", "arn:aws:s3:::b/*", ctx(tag, "*"), true},
		{"arn:aws:s3:::b/${" + tag + "}", "arn:aws:s3:::b/x", ctx(tag, "?"), false},
		{"arn:aws:s3:::b/${" + tag + "}", "arn:aws:s3:::b/${aws:username}", ctx(tag, "${aws:username}", "aws:username", "alice"), true},
		{"arn:aws:s3:::b/${" + tag + "}/k", "arn:aws:s3:::b/red/k", multi, false},
		{"arn:aws:s3:::b/${" + tag + ", 'shared'}/k", "arn:aws:s3:::b/shared/k", multi, false},
		{"arn:aws:s3:::b/${" + tag + ", 'shared'}/k", "arn:aws:s3:::b/shared/k", nil, true},
		{"arn:aws:s3:::b/${" + tag + ", 'shared'}/k", "arn:aws:s3:::b/red/k", ctx(tag, "red"), true},
		{"arn:aws:s3:::b/${" + tag + ", 'shared'}/k", "arn:aws:s3:::b/shared/k", ctx(tag, ""), false}, // empty is a value
		{"arn:aws:s3:::b/${" + tag + ",'*'}", "arn:aws:s3:::b/any", nil, false},
		{"arn:aws:s3:::b/${" + tag + ", 'red,blue}'}", "arn:aws:s3:::b/red,blue}", nil, true},
		{"arn:aws:s3:::b/${*}", "arn:aws:s3:::b/*", nil, true},
		{"arn:aws:s3:::b/${*}", "arn:aws:s3:::b/x", nil, false},
		{"arn:aws:s3:::b/${?}", "arn:aws:s3:::b/?", nil, true},
		{"arn:aws:s3:::b/${?}", "arn:aws:s3:::b/x", nil, false},
		{"arn:aws:s3:::b/${$}{aws:username}", "arn:aws:s3:::b/${aws:username}", nil, true},
		// Recorded with SimulateCustomPolicy, though documented as possible
		// after the fifth colon only: radkawar/stackd at commit 9dc356f,
		// internal/iam/managed/testdata/arn_component_variables.json.
		{"arn:aws:kms:us-east-1:${aws:PrincipalAccount}:key/*", "arn:aws:kms:us-east-1:111122223333:key/k", ctx("aws:PrincipalAccount", home), true},
		{"arn:aws:kms:${aws:RequestedRegion}:111122223333:key/*", "arn:aws:kms:us-east-1:111122223333:key/k", ctx("aws:RequestedRegion", "us-east-1"), true},
		{"arn:${aws:PrincipalTag/p}:kms:us-east-1:111122223333:key/*", "arn:aws:kms:us-east-1:111122223333:key/k", ctx("aws:PrincipalTag/p", "aws"), true},
		{"${aws:PrincipalTag/arn}", "arn:aws:kms:us-east-1:111122223333:key/k", ctx("aws:PrincipalTag/arn", "arn:aws:kms:us-east-1:111122223333:key/k"), true},
		{"arn:aws:${aws:PrincipalTag/s}:us-east-1:111122223333:key/*", "arn:aws:kms:us-east-1:111122223333:key/k", ctx("aws:PrincipalTag/s", "kms"), true},
		{"arn:aws:${aws:PrincipalTag/s}", "arn:aws:kms:us-east-1:111122223333:key/k", ctx("aws:PrincipalTag/s", "kms"), false}, // not completed
	} {
		s := &statement{resources: []resource{newResource(mustTemplate(t, r.pattern, true))}}
		if got := s.takesResource(newEnv(Request{Resource: r.resource, Context: r.ctx}, Policies{})); got != r.in {
			t.Errorf("%s takes in %s with %v: %v", r.pattern, r.resource, r.ctx, got)
		}
	}
	// In the older version ${…} is text.
	old := `{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b/${aws:username}"}}`
	s := parse(t, Identity, old).statements[0]
	for resource, want := range map[string]bool{"arn:aws:s3:::b/${aws:username}": true, "arn:aws:s3:::b/alice": false} {
		if got := s.takesResource(newEnv(Request{Resource: resource, Context: ctx("aws:username", "alice")}, Policies{})); got != want {
			t.Errorf("in version 2008-10-17 %s: %v", resource, got)
		}
	}
}

// Variables that are not well formed are refused where they stand.
func TestMalformedVariables(t *testing.T) {
	for _, v := range []string{"${}", "${aws:username", "${aws:username, fallback}", "${aws:username, 'fall'back'}", "${a b}", "${aws:username, '}"} {
		written{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":«»"arn:aws:s3:::b/` + v + `"}}`, "Syntax errors in policy."}.check(t, Identity)
		written{`{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b/` + v + `"}}`, ""}.check(t, Identity)
		written{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringLike":{"k":«»"` + v + `"}}}}`, "Syntax errors in policy."}.check(t, Identity)
	}
	for _, op := range operators() {
		text := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":` + conditionText(op.name, "k", "${aws:username}") + `}}`
		if _, err := Parse(Identity, text); (err == nil) != op.variables {
			t.Errorf("a variable in %s: %v", op.name, err)
		}
	}
}

func mustTemplate(t *testing.T, text string, variables bool) template {
	t.Helper()
	tpl, problem := readTemplate(text, variables)
	if problem != "" {
		t.Fatalf("%s: %s", text, problem)
	}
	return tpl
}
