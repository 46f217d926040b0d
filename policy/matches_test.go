package policy

import (
	"fmt"
	"slices"
	"testing"
)

func TestMatches(t *testing.T) {
	identity := parse(t, Identity, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:Get*","Resource":"*"},
		{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"},
		{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"},
		{"Sid":"Last","Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b/*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}]}`)
	boundary := parse(t, Identity, `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:*","Resource":"*"}}`)
	bucket := parse(t, Resource, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}`)
	r := Request{
		Principal: alice(), Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k",
		Context: Context{"aws:SecureTransport": {List: []string{"true"}}},
	}
	var got []string
	for _, f := range Matches(r, Policies{
		Identity: []Named{{"a", identity}, {"gone", nil}}, Boundary: &Named{"limit", boundary}, Resource: &Named{"bucket", bucket},
	}) {
		got = append(got, fmt.Sprintf("%s %s %d:%d %s", f.Policy, f.Effect, f.Line, f.Column, f.Sid))
	}
	want := []string{"bucket allow 1:37 ", "a allow 2:3 ", "a deny 3:3 ", "a allow 5:3 Last", "limit deny 1:37 "}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestKeys(t *testing.T) {
	d := parse(t, Identity, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::b/${aws:username}","arn:aws:s3:::${s3:prefix, 'x'}/*","arn:aws:s3:::${*}"],
		 "Condition":{"StringEquals":{"aws:PrincipalTag/team":["a","${aws:PrincipalTag/group}"],"AWS:UserName":"u"},"Null":{"aws:TokenIssueTime":"true"}}},
		{"Effect":"Deny","NotAction":"iam:*","NotResource":"arn:aws:iam::*:user/${aws:userid}"}]}`)
	want := []string{"aws:PrincipalTag/group", "aws:PrincipalTag/team", "aws:TokenIssueTime", "aws:userid", "aws:username", "s3:prefix"}
	if got := d.Keys(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := parse(t, Identity, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`).Keys(); got != nil {
		t.Errorf("got %q of a document without keys", got)
	}
}
