package world

import (
	"errors"
	"strings"
	"testing"
)

func TestGoogleAndTopicsInAWorld(t *testing.T) {
	w, err := Parse("w.yaml", []byte(`
google:
  machine: web-app@demo-project.iam.gserviceaccount.com
  accounts:
    web-app@demo-project.iam.gserviceaccount.com:
    second@demo-project.iam.gserviceaccount.com:
      id: "100000000000000000002"
      bindings: {roles/iam.workloadIdentityUser: ["serviceAccount:demo-project.svc.id.goog[shop/web]"]}
accounts:
  "111122223333":
    topics:
      orders:
      open: {region: eu-west-1, policy: {Version: 2012-10-17, Statement: {Effect: Allow, Principal: "*", Action: "sns:Publish", Resource: "*"}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	first, second := w.Google.Accounts["web-app@demo-project.iam.gserviceaccount.com"], w.Google.Accounts["second@demo-project.iam.gserviceaccount.com"]
	if first == nil || len(first.ID) != 21 || first.Project != "demo-project" || w.Google.Machine != first.Email {
		t.Errorf("%+v", first)
	}
	if second == nil || second.ID != "100000000000000000002" || !second.Binds("serviceAccount:demo-project.svc.id.goog[shop/web]", "roles/iam.workloadIdentityUser") {
		t.Errorf("%+v", second)
	}
	topics := w.Account("111122223333").Topics
	if topics["arn:aws:sns:us-east-1:111122223333:orders"] == nil || topics["arn:aws:sns:eu-west-1:111122223333:open"].Policy == nil {
		t.Errorf("%+v", topics)
	}
	for text, want := range map[string]string{
		"google: {accounts: {a@b: {}}}":                                                                    "is not NAME@PROJECT.iam.gserviceaccount.com",
		"google: {machine: nobody@demo-project.iam.gserviceaccount.com}":                                   "google has no account",
		`google: {accounts: {"web-app@demo-project.iam.gserviceaccount.com": {id: "1"}}}`:                  "is not an account's number",
		`google: {accounts: {"web-app@demo-project.iam.gserviceaccount.com": {bindings: {editor: [a]}}}}`:  "is no role",
		`accounts: {"111122223333": {topics: {"a topic": {}}}}`:                                            "is not a topic's name",
		`accounts: {"111122223333": {topics: {orders: {policy: {Version: 2012-10-17, Statement: [{}]}}}}}`: "",
	} {
		_, err := Parse("w.yaml", []byte(text))
		var wrong *ParseError
		if !errors.As(err, &wrong) || wrong.Line == 0 || !strings.Contains(wrong.Problem, want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
