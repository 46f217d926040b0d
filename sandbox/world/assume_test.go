package world

import (
	"testing"

	"daypass.dev/policy"
)

// A trust policy sees the tags that a service brings as aws:RequestTag, as
// anybody's; Roles Anywhere's alone are the principal's, too.
func TestTagsInTrustPolicies(t *testing.T) {
	for _, c := range []struct {
		service, key string
		want         bool
	}{
		{"rolesanywhere.amazonaws.com", "aws:RequestTag/team", true},
		{"rolesanywhere.amazonaws.com", "aws:PrincipalTag/team", true},
		{"pods.eks.amazonaws.com", "aws:RequestTag/team", true},
		{"pods.eks.amazonaws.com", "aws:PrincipalTag/team", false},
	} {
		trust, err := policy.Parse(policy.Trust, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"`+c.service+`"},
			"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{"StringEquals":{"`+c.key+`":"red"}}}}`)
		if err != nil {
			t.Fatal(err)
		}
		w := New()
		role := w.Account(DefaultAccount).AddRole("app", "/", trust)
		call := &Call{World: w, Time: w.Now(), Decision: &Decision{}}
		_, err = call.AssumeRole(Assume{
			RoleARN: role.ARN, SessionName: "one", Tags: map[string]string{"team": "red"},
			As: &policy.Principal{Kind: policy.Service, Name: c.service},
		})
		if (err == nil) != c.want {
			t.Errorf("%s of %s: %v", c.key, c.service, err)
		}
	}
}
