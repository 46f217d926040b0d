package policy

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// A written row is a document, and what IAM says when it is written; an empty
// message means that IAM takes it. «» marks where our own position points.
type written struct {
	text    string
	message string
}

// refused parses a row and checks text and position.
func (w written) check(t *testing.T, kind Kind) {
	t.Helper()
	text := w.text
	at := strings.Index(text, "«»")
	text = strings.Replace(text, "«»", "", 1)
	_, err := Parse(kind, text)
	if w.message == "" {
		if err != nil {
			t.Errorf("Parse(%s): %v; IAM takes it", text, err)
		}
		return
	}
	var s *SyntaxError
	if !errors.As(err, &s) {
		t.Errorf("Parse(%s): %v; IAM says %q", text, err, w.message)
		return
	}
	if s.Message != w.message {
		t.Errorf("Parse(%s)\n says %q\n want %q", text, s.Message, w.message)
	}
	if s.Hint == "" || s.Line < 1 || s.Column < 1 {
		t.Errorf("Parse(%s): no hint or no position: %+v", text, s)
	}
	if at < 0 {
		return
	}
	if line, column := position(text, at); s.Line != line || s.Column != column {
		t.Errorf("Parse(%s): %q at %d:%d, want %d:%d", text, s.Hint, s.Line, s.Column, line, column)
	}
}

// Refusals and acceptances of CreatePolicy, told anew from getmoto/moto,
// tests/test_iam/test_iam_policies.py, which took them from real IAM. What it
// says of Version is of managed policies alone: see TestManaged.
func TestIdentityPoliciesAsWritten(t *testing.T) {
	for _, w := range identityRows() {
		w.check(t, Identity)
	}
}

func identityRows() []written {
	const (
		syntax    = "Syntax errors in policy."
		vendor    = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
		colon     = "Actions/Condition can contain only one colon."
		actions   = "Policy statement must contain actions."
		resources = "Policy statement must contain resources."
		unique    = "Statement IDs (SID) in a single policy must be unique."
		bucket    = `"Resource":"arn:aws:s3:::b"`
	)
	rows := []written{
		{`t«»his is no JSON`, syntax},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `}`, syntax},
		{`{"Version":«»"2013-10-17","Statement":{"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `}}`, syntax},
		{`«»{"Version":"2012-10-17"}`, syntax},
		{`{"Statement":[«»"afd"]}`, syntax},
		{`{"Statement":«»[]}`, syntax},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `},«»"Extra field":"value"}`, syntax},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `,«»"Extra field":"value"}}`, syntax},
		{`{"Id":«»["x"],"Statement":{"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `}}`, syntax},
		{`{"Id":{},"Statement":{"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `}}`, syntax},
		{`{"Id":"sdfsdfsdf","Statement":{"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `}}`, ""},
		{`{"Statement":{"Effect":«»"invalid","Action":"s3:ListBucket",` + bucket + `}}`, syntax},
		{`{"Statement":«»{"Action":"s3:ListBucket",` + bucket + `}}`, syntax},
		{`{"Statement":{"Effect":«»"denY","Action":"s3:ListBucket",` + bucket + `}}`, errLegacy},
		{`{"Statement":{"Effect":"allow","Resource":"arn:aws:s3:us-east-1::b"}}`, errLegacy},
		{`{"Statement":[{"Sid":"sdf","Effect":"aLLow","Action":"s3:ListBucket",` + bucket + `},{"Sid":"sdf","Effect":"Allow"}]}`, errLegacy},

		{`{"Statement":{"Effect":"Allow","Action":«»"invalid",` + bucket + `}}`, vendor},
		{`{"Statement":{"Effect":"Allow","NotAction":«»"",` + bucket + `}}`, vendor},
		{`{"Statement":{"Effect":"Allow","Action":«»"a a:ListBucket",` + bucket + `}}`, "Vendor a a is not valid"},
		{`{"Statement":{"Effect":"Allow","Action":"s3:List:Bucket",` + bucket + `}}`, colon},
		{`{"Statement":[{"Effect":"Allow","Action":"s3s:ListBucket",` + bucket + `},{"Effect":"Allow","Action":«»"s:3s:ListBucket",` + bucket + `}]}`, colon},
		{`{"Statement":{"Effect":"Allow","Action":"invalid"}}`, vendor},
		{`{"Statement":{"Effect":"Allow","Action":"iam: asdf safdsf af ",` + bucket + `}}`, ""},
		{`{"Statement":{"Effect":"Allow","Action":"*",` + bucket + `}}`, ""},
		{`{"Statement":{"Effect":"Allow","Action":"s3-s:ListBucket",` + bucket + `}}`, ""},
		{`{"Statement":{"Effect":"Allow","Action":"s3.s:ListBucket",` + bucket + `}}`, ""},
		{`{"Statement":«»{"Effect":"Allow",` + bucket + `}}`, actions},
		{`{"Statement":{"Effect":"Allow"}}`, actions},
		{`{"Statement":{"Effect":"Allow","Action":«»[],` + bucket + `}}`, actions},
		{`{"Statement":[{"Effect":"Deny"},{"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `}]}`, actions},
		{`{"Statement":{"Effect":"Deny","Action":[«»[]],` + bucket + `}}`, syntax},
		{`{"Statement":{"Effect":"Allow","Action":«»{},` + bucket + `}}`, syntax},
		{`{"Statement":{"Effect":"Allow","NotAction":«»"s3s:ListBucket","Action":[],` + bucket + `}}`, syntax},
		{`{"Statement":{"Effect":"Allow","NotAction":"s3:ListBucket",` + bucket + `}}`, ""},

		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":«»"invalid resource"}}`, `Resource invalid resource must be in ARN format or "*".`},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":""}}`, `Resource  must be in ARN format or "*".`},
		{`{"Statement":{"Effect":"Allow","Action":"s:3:ListBucket","Resource":"sdfsadf"}}`, `Resource sdfsadf must be in ARN format or "*".`},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":[«»"adf"]}}`, `Resource adf must be in ARN format or "*".`},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"a:bsdfdsafsad"}}`, `Partition "bsdfdsafsad" is not valid for resource "arn:bsdfdsafsad:*:*:*:*".`},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"a:b:cadfsdf"}}`, `Partition "b" is not valid for resource "arn:b:cadfsdf:*:*:*".`},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"a:b:c:d:e:f:g:h"}}`, `Partition "b" is not valid for resource "arn:b:c:d:e:f:g:h".`},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"aws:s3:::example_bucket"}}`, `Partition "s3" is not valid for resource "arn:s3:::example_bucket:*".`},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:error:s3:::b"}}`, `Partition "error" is not valid for resource "arn:error:s3:::b".`},
		{`{"Statement":«»{"Effect":"Allow","Action":"s3:ListBucket"}}`, resources},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":«»[]}}`, resources},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:iam:::b"}}`, errIAMPath},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:iam:::user/b"}}`, ""},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":«»"arn:aws:s3::b"}}`, errLegacy},
		{`{"Statement":{"Effect":"Allow","Resource":"arn:aws:s3::b"}}`, errLegacy},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","NotResource":"arn:aws:s3::b"}}`, errLegacy},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws::fdsasf"}}`, errLegacy},
		{`{"Statement":{"Effect":"Allow","NotAction":"s3:ListBucket","Resource":"arn:aws::::b"}}`, errLegacy},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws"}}`, errVendorRegex},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:fdsasf"}}`, ""},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s33:::b"}}`, ""},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:cloudwatch:us-east-1::b"}}`, ""},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":["arn:aws:s3:::b","*"]}}`, ""},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":«»{"a":"arn:aws:s3:::b"}}}`, syntax},
		{`{"Statement":{"Effect":"Deny","Action":"s3:ListBucket","Resource":["adfdf",«»{}]}}`, syntax},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","NotResource":«»[]}}`, syntax},
		{`{"Statement":{"Effect":"Allow","NotAction":"s3:ListBucket","NotResource":"*"}}`, ""},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:iam:us-east-1::b"}}`, "IAM resource arn:aws:iam:us-east-1::b cannot contain region information."},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:us-east-1::b"}}`, "Resource arn:aws:s3:us-east-1::b can not contain region information."},

		{`{"Statement":{"Sid":«»{},"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `}}`, syntax},
		{`{"Statement":{"Sid":[],"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `}}`, syntax},
		{`{"Statement":[{"Sid":"sdf","Effect":"Allow","Action":"s3:ListBucket",` + bucket + `},{"Sid":«»"sdf","Effect":"Allow"}]}`, unique},

		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `,"Condition":«»[]}}`, syntax},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `,"Condition":"a"}}`, syntax},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `,"Condition":{"a":«»"b"}}}`, syntax},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `,"Condition":{"DateGreaterThan":[]}}}`, syntax},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `,"Condition":{"DateGreaterThan":{"a":«»{}}}}}`, syntax},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `,"Condition":{«»"x":{"a":"1"}}}}`, syntax},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `,"Condition":{«»"ForAnyValue::StringEqualsIfExists":{"a":"asf"}}}}`, syntax},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `,"Condition":{}}}`, ""},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `,"Condition":{"x":{},"DateGreaterThan":{}}}}`, ""},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `,"Condition":{"DateGreaterThan":{"a":[]}}}}`, ""},
		{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `,"Condition":{"ForAnyValue:StringEqualsIfExists":{"a":"asf"}}}}`, ""},
	}
	for _, value := range []string{"sdfdsf", "234-13", "2016-12-13t2:00:00.593194+1", "2016-12-13t2:00:00.1999999999+10:59", "9223372036854775808"} {
		rows = append(rows, written{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `,"Condition":{"DateLessThanEquals":{"a":«»"` + value + `"}}}}`, errLegacy})
	}
	for _, value := range []string{"01T", "2019-07-01T13:20:15Z", "2016-12-13T21:20:37.593194+00:00", "2016-12-13t2:00:00.593194+23", "-292275054"} {
		rows = append(rows, written{`{"Statement":{"Effect":"Allow","Action":"s3:ListBucket",` + bucket + `,"Condition":{"DateLessThan":{"a":"` + value + `"}}}}`, ""})
	}
	return rows
}

func TestManaged(t *testing.T) {
	const statement = `"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}}`
	for _, version := range []string{`{`, `{"Version":"2008-10-17",`} {
		err := parse(t, Identity, version+statement).Managed()
		if err == nil || err.Error() != "Policy document must be version 2012-10-17 or greater." {
			t.Errorf("managed policy %s: %v", version, err)
		}
	}
	if err := parse(t, Identity, `{"Version":"2012-10-17",`+statement).Managed(); err != nil {
		t.Error(err)
	}
	long := parse(t, Identity, `{"Version":"2012-10-17","Id":"`+strings.Repeat("x", 6200)+`",`+statement)
	var s *SyntaxError
	if !errors.As(long.Managed(), &s) || s.Code != "LimitExceeded" {
		t.Errorf("a managed policy of %d characters: %v", long.Size(), s)
	}
}

// Every text that a policy can be refused with has a row.
func TestEveryRefusalHasARow(t *testing.T) {
	rows := map[string][]written{
		"identity": append(identityRows(), jsonRows()...),
		"trust":    trustRows(),
	}
	covered := func(name, text string) bool {
		before, after, _ := strings.Cut(text, "%s")
		for _, w := range rows[name] {
			if w.message != "" && strings.HasPrefix(w.message, before) && strings.HasSuffix(w.message, after) {
				return true
			}
		}
		return false
	}
	for name, kind := range map[string]Kind{"identity": Identity, "trust": Trust} {
		w := reflect.ValueOf(wordsOf(kind))
		for i := range w.NumField() {
			text, field := w.Field(i).String(), w.Type().Field(i).Name
			// Trust policies have neither resources nor services in actions.
			absent := kind == Trust && (field == "noResource" || field == "oneColon" || field == "vendor" || field == "noVendor")
			if text != "" && !absent && !covered(name, text) {
				t.Errorf("%s: %s (%q) has no row", name, field, text)
			}
		}
	}
	for name, texts := range map[string][]string{
		"identity": {errLegacy, errPrincipal, errVendorRegex, errIAMPath},
		"trust":    {errNotPrincipal, errAllowNot, errSTSOnly, errResource, errNotResource},
	} {
		for _, text := range texts {
			if !covered(name, text) {
				t.Errorf("%s: %q has no row", name, text)
			}
		}
	}
}
