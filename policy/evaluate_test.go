package policy

import "testing"

func TestTrustPolicyOnTheCommonName(t *testing.T) {
	trust := parse(t, Trust, `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": {"Service": "rolesanywhere.amazonaws.com"},
      "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
      "Condition": {
        "StringEquals": {"aws:PrincipalTag/x509Subject/CN": "myContainer"},
        "ArnEquals": {"aws:SourceArn": "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/a1"}
      }
    }
  ]
}`)
	r := Request{
		Principal: Principal{Kind: Service, Name: "rolesanywhere.amazonaws.com"},
		Action:    "sts:AssumeRole",
		Resource:  "arn:aws:iam::111122223333:role/bucketlister",
	}
	r.Context.Set("aws:PrincipalTag/x509Subject/CN", "myContainer")
	r.Context.Set("aws:SourceArn", "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/a1")
	p := Policies{Resource: &Named{Name: "trust policy of role bucketlister", Document: trust}}
	if d := Evaluate(r, p); !d.Allowed || d.Layer != ByTrust || d.Statement != 1 || d.Line != 4 {
		t.Errorf("the right common name: %+v", d)
	}
	r.Context.Set("aws:PrincipalTag/x509Subject/CN", "evil")
	d := Evaluate(r, p)
	want := `aws:PrincipalTag/x509Subject/CN is "evil", wanted "myContainer"`
	if d.Allowed || d.Reason != "policy-condition" || d.Detail != want {
		t.Errorf("another common name: %+v", d)
	}
}
