package policy_test

import (
	"fmt"

	"daypass.dev/policy"
)

// A trust policy on a certificate's common name, and another certificate.
func ExampleEvaluate() {
	trust, err := policy.Parse(policy.Trust, `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": {"Service": "rolesanywhere.amazonaws.com"},
      "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
      "Condition": {"StringEquals": {"aws:PrincipalTag/x509Subject/CN": "myContainer"}}
    }
  ]
}`)
	if err != nil {
		fmt.Println(err)
		return
	}
	r := policy.Request{
		Principal: policy.Principal{Kind: policy.Service, Name: "rolesanywhere.amazonaws.com"},
		Action:    "sts:AssumeRole",
		Resource:  "arn:aws:iam::111122223333:role/bucketlister",
	}
	for _, name := range []string{"myContainer", "evil"} {
		r.Context.Set("aws:PrincipalTag/x509Subject/CN", name)
		d := policy.Evaluate(r, policy.Policies{Resource: &policy.Named{Name: "the trust policy", Document: trust}})
		fmt.Printf("%s: %v by statement %d, line %d, of the %s\n", name, d.Allowed, d.Statement, d.Line, d.Layer)
		if !d.Allowed {
			fmt.Println(d.Reason+":", d.Detail)
			fmt.Println(d.Change)
		}
	}
	// Output:
	// myContainer: true by statement 1, line 4, of the role trust policy
	// evil: false by statement 1, line 4, of the role trust policy
	// policy-condition: aws:PrincipalTag/x509Subject/CN is "evil", wanted "myContainer"
	// in statement 1 of the trust policy, let StringEquals of aws:PrincipalTag/x509Subject/CN take in "evil"
}

// A policy that IAM refuses, with the place and the mend.
func ExampleParse() {
	_, err := policy.Parse(policy.Identity, `{
  "Version": "2012-10-17",
  "Statement": {"effect": "Allow", "Action": "s3:*", "Resource": "*"}
}`)
	if e, ok := err.(*policy.SyntaxError); ok {
		fmt.Printf("%s: %s\n%d:%d: %s\n", e.Code, e.Message, e.Line, e.Column, e.Hint)
	}
	// Output:
	// MalformedPolicyDocument: Syntax errors in policy.
	// 3:17: write Effect: names of elements keep their case
}
