package google_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"daypass.dev/sandbox/sandboxtest"
)

const worldText = `
google:
  machine: uploader@demo-project.iam.gserviceaccount.com
  accounts:
    uploader@demo-project.iam.gserviceaccount.com:
      id: "100000000000000000001"
      bindings:
        roles/iam.serviceAccountTokenCreator: ["serviceAccount:uploader@demo-project.iam.gserviceaccount.com"]
    neighbour@demo-project.iam.gserviceaccount.com: {id: "100000000000000000002"}
accounts:
  "111122223333":
    roles:
      uploader:
        trust:
          Version: 2012-10-17
          Statement:
            - Effect: Allow
              Principal: {Federated: accounts.google.com}
              Action: sts:AssumeRoleWithWebIdentity
              Condition:
                StringEquals:
                  "accounts.google.com:aud": "100000000000000000001"
                  "accounts.google.com:oaud": gtoken/sts/assume-role-with-web-identity
                  "accounts.google.com:sub": "100000000000000000001"
`

const audience = "gtoken/sts/assume-role-with-web-identity"

// A google is the sandbox, as clients of Google's see it.
type google struct {
	*sandboxtest.Sandbox
	t *testing.T
}

func start(t *testing.T) google { return google{sandboxtest.Start(t, worldText), t} }

func (g google) call(method, url, body string, header ...string) (int, string) {
	g.t.Helper()
	r, err := http.NewRequestWithContext(g.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	answer, err := g.ProxyClient().Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func (g google) metadata(path string) (int, string) {
	g.t.Helper()
	return g.call("GET", "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/"+path, "", "Metadata-Flavor: Google")
}

// assume shows a token to STS and returns what the record says of it.
func (g google) assume(token string) (reason, detail string) {
	g.t.Helper()
	client := sts.NewFromConfig(g.ConfigFor("", "", ""))
	_, err := client.AssumeRoleWithWebIdentity(g.t.Context(), &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String("arn:aws:iam::111122223333:role/uploader"), RoleSessionName: aws.String("test"), WebIdentityToken: &token,
	})
	d := g.Last(g.t, "AssumeRoleWithWebIdentity")
	if (err == nil) != d.Allowed {
		g.t.Errorf("the SDK says %v, the record %+v", err, d)
	}
	return d.Reason, d.Detail
}

func TestAMachinesTokenIsTakenBySTS(t *testing.T) {
	g := start(t)
	if status, email := g.metadata("email"); status != 200 || email != "uploader@demo-project.iam.gserviceaccount.com" {
		t.Errorf("the e-mail address is %d %q", status, email)
	}
	status, token := g.metadata("identity?audience=" + audience + "&format=full")
	if status != 200 {
		t.Fatal(status, token)
	}
	if reason, detail := g.assume(token); reason != "" {
		t.Errorf("refused: %s: %s", reason, detail)
	}
	_, other := g.metadata("identity?audience=another")
	if reason, detail := g.assume(other); reason != "policy-condition" || !strings.Contains(detail, `accounts.google.com:oaud is "another"`) {
		t.Errorf("a token for another audience: %s: %s", reason, detail)
	}
	changed := token[:len(token)-8] + "AAAAAAA" + token[len(token)-1:]
	if reason, _ := g.assume(changed); reason != "token-signature" {
		t.Errorf("a token with another signature is refused for %q", reason)
	}
}

func TestGenerateIDToken(t *testing.T) {
	g := start(t)
	_, text := g.metadata("token")
	var access struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(text), &access); err != nil || access.Token == "" {
		t.Fatal(text, err)
	}
	generate := func(account, bearer, body string) (int, string) {
		return g.call("POST", "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"+account+":generateIdToken", body,
			"Authorization: Bearer "+bearer, "Content-Type: application/json")
	}
	ask := fmt.Sprintf(`{"audience": %q, "includeEmail": true}`, audience)
	status, text := generate("100000000000000000001", access.Token, ask)
	var got struct{ Token string }
	if err := json.Unmarshal([]byte(text), &got); status != 200 || err != nil {
		t.Fatal(status, text, err)
	}
	if reason, detail := g.assume(got.Token); reason != "" {
		t.Errorf("refused: %s: %s", reason, detail)
	}
	for _, c := range []struct {
		account, bearer, body string
		status                int
		slug                  string
	}{
		{"neighbour@demo-project.iam.gserviceaccount.com", access.Token, ask, 403, "google-not-token-creator"},
		{"nobody@demo-project.iam.gserviceaccount.com", access.Token, ask, 404, "google-account-missing"},
		{"100000000000000000001", "ya29.other", ask, 401, "google-access-token"},
		{"100000000000000000001", access.Token, `{}`, 400, "google-argument"},
		{"100000000000000000001", access.Token, `{"audience": "a", "delegates": ["x"]}`, 501, "operation-not-built"},
		{"100000000000000000001", access.Token, `nonsense`, 400, "google-argument"},
	} {
		status, text := generate(c.account, c.bearer, c.body)
		if d := g.Last(t, "generateIdToken"); status != c.status || d.Reason != c.slug || !strings.Contains(text, `"error"`) {
			t.Errorf("%s %s: %d %s %s", c.account, c.body, status, d.Reason, text)
		}
	}
}

func TestTheMetadataServerRefuses(t *testing.T) {
	g := start(t)
	const root = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/"
	for _, c := range []struct {
		method, path, header, more string
		status                     int
		slug                       string
	}{
		{"GET", "default/email", "A: b", "A: b", 403, "google-metadata-flavor"},
		{"GET", "default/email", "Metadata-Flavor: google", "A: b", 403, "google-metadata-flavor"},
		{"GET", "default/email", "Metadata-Flavor: Google", "X-Forwarded-For: 10.0.0.1", 403, "google-metadata-flavor"},
		{"POST", "default/email", "Metadata-Flavor: Google", "A: b", 400, "google-argument"},
		{"GET", "default/identity", "Metadata-Flavor: Google", "A: b", 400, "google-argument"},
		{"GET", "default/identity?audience=a&format=fat", "Metadata-Flavor: Google", "A: b", 400, "google-argument"},
		{"GET", "neighbour@demo-project.iam.gserviceaccount.com/email", "Metadata-Flavor: Google", "A: b", 404, "google-account-missing"},
		{"GET", "default/scopes", "Metadata-Flavor: Google", "A: b", 501, "operation-not-built"},
	} {
		status, text := g.call(c.method, root+c.path, "", c.header, c.more)
		all := g.Decisions()
		if d := all[len(all)-1]; status != c.status || d.Reason != c.slug || d.Service != "google" {
			t.Errorf("%s %s with %s, %s: %d %s %q", c.method, c.path, c.header, c.more, status, d.Reason, text)
		}
	}
}
