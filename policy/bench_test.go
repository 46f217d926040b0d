package policy

import (
	"strconv"
	"strings"
	"testing"
)

// A role session with a managed policy of forty statements, an inline policy,
// a session policy and a bucket policy: what one S3 request of the sandbox
// costs.
func ordinary(b *testing.B) (Request, Policies) {
	var statements []string
	for i := range 40 {
		statements = append(statements, `{"Sid":"S`+strconv.Itoa(i)+`","Effect":"Allow","Action":["dynamodb:Get*","dynamodb:Query"],"Resource":"arn:aws:dynamodb:*:*:table/t`+strconv.Itoa(i)+`"}`)
	}
	bucket := named(b, Resource, "bucket policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`)
	r := Request{Principal: session(), Action: "s3:GetObject", Resource: "arn:aws:s3:::b/red/some/object.json"}
	for k, v := range map[string]string{
		"aws:SecureTransport": "true", "aws:SourceIp": "192.0.2.7", "aws:PrincipalArn": session().RoleARN, "aws:userid": session().ID,
		"aws:PrincipalTag/team": "red", "aws:CurrentTime": "2026-11-21T12:00:00Z", "aws:RequestedRegion": "eu-west-1", "aws:UserAgent": "aws-sdk-go-v2/1.41",
	} {
		r.Context.Set(k, v)
	}
	return r, Policies{
		Identity: []Named{
			named(b, Identity, "managed", `{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`),
			named(b, Identity, "inline", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::b/${aws:PrincipalTag/team}/*","Condition":{"StringLike":{"aws:UserAgent":"aws-sdk-*"},"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}}`),
		},
		Session:  []Named{named(b, Session, "session", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`)},
		Resource: &bucket,
	}
}

func BenchmarkEvaluateAllowed(b *testing.B) {
	r, p := ordinary(b)
	if d := Evaluate(r, p); !d.Allowed {
		b.Fatal(d.Detail)
	}
	b.ReportAllocs()
	for b.Loop() {
		Evaluate(r, p)
	}
}

func BenchmarkEvaluateRefused(b *testing.B) {
	r, p := ordinary(b)
	r.Action = "s3:PutObject"
	if d := Evaluate(r, p); d.Allowed {
		b.Fatal("allowed")
	}
	b.ReportAllocs()
	for b.Loop() {
		Evaluate(r, p)
	}
}

func BenchmarkEvaluateTrust(b *testing.B) {
	x := explanations()[0]
	p := Policies{Resource: &Named{Name: "trust", Document: parse(b, Trust, x.resource)}}
	r := Request{Principal: x.who, Action: x.action, Resource: x.on, Context: Context{}}
	r.Context.Set("aws:PrincipalTag/x509Subject/CN", "myContainer")
	if d := Evaluate(r, p); !d.Allowed {
		b.Fatal(d.Detail)
	}
	b.ReportAllocs()
	for b.Loop() {
		Evaluate(r, p)
	}
}

func BenchmarkParse(b *testing.B) {
	text := realPolicies()[0]
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Parse(Trust, text); err != nil {
			b.Fatal(err)
		}
	}
}
