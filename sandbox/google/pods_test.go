package google_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"daypass.dev/sandbox/world"
)

const accounts = "https://iam.googleapis.com/v1/projects/demo-project/serviceAccounts"

// TestPodsAreWhoTheirServiceAccountsAreBoundTo makes an account as gcloud does,
// and asks as pods.
func TestPodsAreWhoTheirServiceAccountsAreBoundTo(t *testing.T) {
	g := start(t)
	pod, failure := world.GooglePod{}, error(nil)
	g.World.Google.Pods = func(context.Context, string) (world.GooglePod, error) { return pod, failure }

	status, text := g.call("POST", accounts, `{"accountId": "made-here"}`)
	var made struct{ Email, UniqueID string }
	if err := json.Unmarshal([]byte(text), &made); status != 200 || err != nil || len(made.UniqueID) != 21 {
		t.Fatal(status, text, err)
	}
	if status, text := g.call("POST", accounts, `{"accountId": "made-here"}`); status != 409 {
		t.Error(status, text)
	}
	if status, text := g.call("POST", accounts, `{"accountId": "x"}`); status != 400 {
		t.Error(status, text)
	}
	bind := `{"policy": {"bindings": [{"role": "roles/iam.workloadIdentityUser", "members": ["serviceAccount:demo-project.svc.id.goog[shop/web]"]}]}}`
	if status, text := g.call("POST", accounts+"/"+made.Email+":setIamPolicy", bind); status != 200 {
		t.Fatal(status, text)
	}
	if status, text := g.call("POST", accounts+"/"+made.Email+":getIamPolicy", ""); status != 200 || !strings.Contains(text, "shop/web") {
		t.Error(status, text)
	}
	if status, text := g.call("GET", accounts+"/"+made.Email, ""); status != 200 || !strings.Contains(text, made.UniqueID) {
		t.Error(status, text)
	}
	for _, bad := range []string{
		`{"policy": {"bindings": [{"role": "x", "members": ["user:a"]}]}}`,
		`{"policy": {"bindings": [{"role": "roles/x", "members": ["a"]}]}}`,
		`{"policy": {"bindings": [{"role": "roles/x", "members": []}]}}`,
		`[`,
	} {
		if status, text := g.call("POST", accounts+"/"+made.Email+":setIamPolicy", bad); status != 400 {
			t.Error(bad, status, text)
		}
	}

	for _, c := range []struct {
		pod     world.GooglePod
		failure error
		status  int
		slug    string
	}{
		{world.GooglePod{Namespace: "shop", ServiceAccount: "web", Account: made.Email}, nil, 200, ""},
		{world.GooglePod{Namespace: "shop", ServiceAccount: "web"}, nil, 404, "google-account-missing"},
		{world.GooglePod{Namespace: "shop", ServiceAccount: "other", Account: made.Email}, nil, 403, "google-not-bound"},
		{world.GooglePod{Namespace: "another", ServiceAccount: "web", Account: made.Email}, nil, 403, "google-not-bound"},
		{world.GooglePod{Namespace: "shop", ServiceAccount: "web", Account: "none@demo-project.iam.gserviceaccount.com"}, nil, 404, "google-account-missing"},
		{world.GooglePod{}, errors.New("no pod"), 503, "google-pod-unknown"},
	} {
		pod, failure = c.pod, c.failure
		status, text := g.metadata("identity?audience=a&format=full")
		if d := g.Last(t, "metadata identity"); status != c.status || d.Reason != c.slug {
			t.Errorf("%+v: %d %s %q", c.pod, status, d.Reason, text)
		}
	}
}

// A world that is kept has its accounts after a restart.
func TestAccountsAreKept(t *testing.T) {
	g := start(t)
	piece, err := g.World.Piece(world.Thing{Kind: "world"})
	if err != nil {
		t.Fatal(err)
	}
	again := world.New()
	if err := again.Restore(world.Thing{Kind: "world"}, piece); err != nil {
		t.Fatal(err)
	}
	a := again.Google.Accounts["uploader@demo-project.iam.gserviceaccount.com"]
	if a == nil || a.ID != "100000000000000000001" || len(a.Bindings) != 1 || again.Google.Machine != a.Email {
		t.Errorf("after a restart: %+v", again.Google)
	}
}
