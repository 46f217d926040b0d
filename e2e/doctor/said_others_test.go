package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"daypass.dev/sandbox/world"
)

func newToken(t *testing.T) *caller {
	t.Helper()
	s := newWeb(t).scene
	return &caller{scene: s, admin: quiet(s.box.Config())}
}

// providerRefusals: of OAuth tokens, which no workload of ours has, and of
// providers without thumbprints.
func providerRefusals() []refusal {
	assume := func(provider string) func(*caller) error {
		return func(c *caller) error {
			token, err := os.ReadFile(c.file("token"))
			c.must(nil, err)
			in := &sts.AssumeRoleWithWebIdentityInput{RoleArn: aws.String(roleARN), RoleSessionName: aws.String("web"), WebIdentityToken: aws.String(strings.TrimSpace(string(token)))}
			if provider != "" {
				in.ProviderId = &provider
			}
			return only(sts.NewFromConfig(c.admin).AssumeRoleWithWebIdentity(c.Context(), in))
		}
	}
	provider := func(thumbprints ...string) func(*caller) error {
		return func(c *caller) error {
			return only(iam.NewFromConfig(c.admin).CreateOpenIDConnectProvider(c.Context(), &iam.CreateOpenIDConnectProviderInput{Url: aws.String("https://nowhere.invalid/id"), ThumbprintList: thumbprints}))
		}
	}
	return []refusal{
		{slug: "provider-id", call: assume("accounts.google.com"), instead: assume("")},
		{slug: "provider-id-amazon", call: assume("www.amazon.com"), instead: assume("")},
		{slug: "provider-unreachable", call: provider(), instead: provider(strings.Repeat("a", 40))},
	}
}

// googleRefusals: what the sandbox's stand-in for Google refuses, whose own words
// are told where Google's are not known.
func googleRefusals() []refusal {
	const project, email = "demo-project", "uploader@demo-project.iam.gserviceaccount.com"
	metadata := func(what, flavor string) wire {
		return wire{unsigned: true, method: "GET", target: "/computeMetadata/v1/instance/service-accounts/default/" + what, header: map[string]string{"Metadata-Flavor": flavor}}
	}
	token, bare := metadata("identity?audience=sts.amazonaws.com", "Google"), metadata("identity", "Google")
	rest := func(host, path, body string) wire {
		return wire{unsigned: true, method: "POST", host: host, target: "/v1/projects/" + path, body: body, header: map[string]string{"Content-Type": "application/json"}}
	}
	create := func(name string) wire {
		return rest("iam.googleapis.com", project+"/serviceAccounts", `{"accountId":"`+name+`"}`)
	}
	grant := func(role, member string) func(*caller) {
		w := rest("iam.googleapis.com", project+"/serviceAccounts/"+email+":setIamPolicy", `{"policy":{"bindings":[{"role":"`+role+`","members":["serviceAccount:`+member+`"]}]}}`)
		return func(c *caller) { c.must(nil, c.send(w, nil)) }
	}
	bound := grant("roles/iam.workloadIdentityUser", project+".svc.id.goog[shop/web]")
	// on has the caller be a pod, whose ServiceAccount names this account.
	on := func(account string, err error) func(*caller) {
		return func(c *caller) {
			c.box.World.Lock()
			defer c.box.World.Unlock()
			c.box.World.Google.Pods = func(context.Context, string) (world.GooglePod, error) {
				return world.GooglePod{Namespace: "shop", ServiceAccount: "web", Account: account}, err
			}
		}
	}
	generate := func(bears func(*caller) string) func(*caller) error {
		return func(c *caller) error {
			w := rest("iamcredentials.googleapis.com", "-/serviceAccounts/"+email+":generateIdToken", `{"audience":"sts.amazonaws.com"}`)
			return c.send(w, header("Authorization", bears(c)))
		}
	}
	mine := func(c *caller) string { return "Bearer " + c.googleToken(metadata("token", "Google")) }
	all := []refusal{
		written("google-metadata-flavor", metadata("identity?audience=sts.amazonaws.com", ""), token),
		written("google-argument", bare, token),
		{slug: "google-account-missing", silent: true, spoil: func(c *caller) { bound(c); on("", nil)(c) }, call: sends(token), mend: on(email, nil)},
		written("google-account-exists", create("uploader"), create("downloader")),
		{slug: "google-not-bound", spoil: on(email, nil), call: sends(token), mend: bound},
		{slug: "google-pod-unknown", silent: true, spoil: func(c *caller) { bound(c); on(email, errors.New("no pod yet"))(c) }, call: sends(token), mend: on(email, nil)},
		{slug: "google-access-token", spoil: grant("roles/iam.serviceAccountOpenIdTokenCreator", email), call: generate(func(*caller) string { return "" }), instead: generate(mine)},
		{slug: "google-not-token-creator", call: generate(mine), mend: grant("roles/iam.serviceAccountOpenIdTokenCreator", email)},
	}
	for i, spoil := range all {
		all[i].spoil = func(c *caller) {
			c.box.World.Lock()
			_, err := c.box.World.AddGoogleAccount(email, "")
			c.box.World.Google.Machine = email
			c.box.World.Unlock()
			c.must(nil, err)
			if spoil.spoil != nil {
				spoil.spoil(c)
			}
		}
	}
	return all
}

func sends(w wire) func(*caller) error { return func(c *caller) error { return c.send(w, nil) } }

// googleToken is the access token that the metadata server gives.
func (c *caller) googleToken(w wire) string {
	c.Helper()
	r, err := http.NewRequestWithContext(c.Context(), w.method, c.box.URL+w.target, nil)
	c.must(nil, err)
	r.Header.Set("Metadata-Flavor", "Google")
	answer, err := c.box.Client().Do(r)
	c.must(nil, err)
	defer answer.Body.Close()
	var got struct {
		Token string `json:"access_token"`
	}
	c.must(nil, json.NewDecoder(answer.Body).Decode(&got))
	return got.Token
}
