package iam_test

import (
	"encoding/xml"
	"net/url"
	"strings"
	"testing"

	"daypass.dev/sandbox/iam"
	"daypass.dev/sandbox/sandboxtest"
)

const (
	home     = "111122223333"
	anybody  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	listOnly = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}`
)

// Every operation is refused to a user without permissions, and let through to
// one who has that action alone on the things of its path.
func TestEveryOperationNeedsItsOwnAction(t *testing.T) {
	s := sandboxtest.Start(t, `
accounts:
  "111122223333":
    users:
      nobody: {accessKeys: [{id: AKIANOBODYNOBODY0001, secret: secret}]}
      somebody: {path: /team/, accessKeys: [{id: AKIASOMEBODY00000001, secret: secret}]}
`)
	operations := iam.Operations()
	if len(operations) == 0 {
		t.Fatal("no operations")
	}
	for _, op := range operations {
		status, code := call(t, s, "AKIANOBODYNOBODY0001", op)
		d := s.Last(t, op)
		if status != 403 || code != "AccessDenied" || len(d.Checks) != 1 || d.Checks[0].Action != "iam:"+op || d.Checks[0].Allowed {
			t.Errorf("%s without permission: %d %s, checks %+v", op, status, code, d.Checks)
		}
		allow(t, s, "iam:"+op)
		if status, code = call(t, s, "AKIASOMEBODY00000001", op); code == "AccessDenied" || status >= 500 {
			t.Errorf("%s with its own action: %d %s, %+v", op, status, code, s.Last(t, op))
		}
	}
}

// allow gives the user somebody one action and no other.
func allow(t *testing.T, s *sandboxtest.Sandbox, action string) {
	t.Helper()
	resource := "arn:aws:iam::" + home + ":*"
	if action == "iam:SimulateCustomPolicy" { // which is about nothing that there is
		resource = "*"
	}
	doc := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"}]}`
	form := url.Values{"UserName": {"somebody"}, "PolicyName": {"own"}, "PolicyDocument": {doc}}
	if status, code := post(t, s, s.Admin.ID, s.Admin.Secret, "PutUserPolicy", form); status != 200 {
		t.Fatalf("PutUserPolicy: %d %s", status, code)
	}
}

// call sends parameters that suit every operation; what is made has no tags,
// for which another action would be asked for.
func call(t *testing.T, s *sandboxtest.Sandbox, key, op string) (status int, code string) {
	t.Helper()
	form := url.Values{
		"RoleName": {"r"}, "UserName": {"u"}, "PolicyName": {"p"}, "PolicyArn": {"arn:aws:iam::" + home + ":policy/p"},
		"AssumeRolePolicyDocument": {anybody}, "PolicyDocument": {listOnly}, "VersionId": {"v1"},
		"AccessKeyId": {"AKIAIOSFODNN7EXAMPLE"}, "Status": {"Active"},
		"TagKeys.member.1": {"k"}, "Url": {"https://oidc.example.com"}, "ThumbprintList.member.1": {strings.Repeat("a", 40)},
		"OpenIDConnectProviderArn": {"arn:aws:iam::" + home + ":oidc-provider/oidc.example.com"}, "ClientID": {"c"},
		"PolicySourceArn": {"arn:aws:iam::" + home + ":user/u"}, "ActionNames.member.1": {"s3:GetObject"},
	}
	if strings.HasPrefix(op, "Tag") {
		form.Set("Tags.member.1.Key", "k")
		form.Set("Tags.member.1.Value", "v")
	}
	return post(t, s, key, "secret", op, form)
}

// post signs and sends one call of the query protocol.
func post(t *testing.T, s *sandboxtest.Sandbox, key, secret, op string, form url.Values) (status int, code string) {
	t.Helper()
	form.Set("Action", op)
	form.Set("Version", "2010-05-08")
	status, text := s.Query(t, s.ConfigFor(key, secret, ""), "iam", form.Encode())
	var e struct {
		Error struct{ Code string }
	}
	if err := xml.Unmarshal(text, &e); err != nil {
		t.Fatalf("%s: %v in %s", op, err, text)
	}
	return status, e.Error.Code
}
