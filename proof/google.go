package proof

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"daypass.dev"
)

// Google is a TokenSource that yields ID tokens of a Google service account,
// issued by https://accounts.google.com. The metadata server of the machine or
// of the GKE node vouches for who asks. It is safe for concurrent use.
//
// https://cloud.google.com/compute/docs/instances/verifying-instance-identity
type Google struct {
	// Audience is who the token is for, any text; in AWS the condition key
	// accounts.google.com:oaud.
	Audience string
	// Account is the e-mail address or number of the service account whose token
	// is asked for, from IAM Credentials, as which the machine's own account
	// must be allowed to act. Empty: the machine's own, or the one that GKE
	// gives to the pod's ServiceAccount.
	Account string
	// MetadataHost is HOST or HOST:PORT of the metadata server. Empty:
	// metadata.google.internal.
	MetadataHost string
	// Client calls IAM Credentials, and nothing else. Nil: http.DefaultClient.
	Client *http.Client

	iam string // in place of IAM Credentials' address
}

const (
	metadataAccount = "/computeMetadata/v1/instance/service-accounts/default/"
	iamCredentials  = "https://iamcredentials.googleapis.com"
	offGoogle       = "only Google Cloud has such a metadata server; in GKE it also needs time after a pod's start"
)

// Check says whether the settings are well formed: nil or an *daypass.InputError.
func (g *Google) Check() error {
	switch {
	case g.Audience == "":
		return input("audience", "", "none is given")
	case g.MetadataHost != "" && !isHost(g.MetadataHost):
		return input("metadata server", "it looks like 169.254.169.254:80", "%.100q is no host", g.MetadataHost)
	case strings.Trim(g.Account, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@") != "" || len(g.Account) > 320:
		return input("token account", "it looks like NAME@PROJECT.iam.gserviceaccount.com", "%.100q is no service account", g.Account)
	}
	return nil
}

// Token asks for a token; the metadata server may answer with one that it has
// given before. Errors are *daypass.InputError, *daypass.Error where a service
// answered, *IssuerError where none did.
func (g *Google) Token(ctx context.Context) (*Token, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	if g.Account != "" {
		return g.generate(ctx)
	}
	d := g.demand("Google identity token")
	body, err := g.metadata(ctx, d, "identity?"+url.Values{"audience": {g.Audience}, "format": {"full"}}.Encode())
	if err != nil {
		return nil, err
	}
	return d.token(strings.TrimSpace(string(body)))
}

func (g *Google) demand(op string) *demand {
	const account = "the machine has no service account, or GKE gives none to the pod's ServiceAccount"
	return &demand{op: op, client: nearby(), silence: offGoogle, refused: map[int]string{
		http.StatusNotFound:  account,
		http.StatusForbidden: "let the pod's ServiceAccount act as the Google account that its annotation names (roles/iam.workloadIdentityUser)",
	}}
}

// metadata asks the metadata server about the account.
func (g *Google) metadata(ctx context.Context, d *demand, what string) ([]byte, error) {
	host := g.MetadataHost
	if host == "" {
		host = "metadata.google.internal"
	}
	r, err := http.NewRequest(http.MethodGet, "http://"+host+metadataAccount+what, nil)
	if err != nil {
		return nil, input("metadata server", "", "%.100q is no host", host)
	}
	const flavor = "Metadata-Flavor"
	r.Header.Set(flavor, "Google")
	body, header, err := d.send(ctx, r)
	if err == nil && header.Get(flavor) != "Google" {
		return nil, d.invalid("it was not answered by Google's metadata server")
	}
	return body, err
}

// generate asks IAM Credentials, with the machine's own access token.
//
// https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken
func (g *Google) generate(ctx context.Context) (*Token, error) {
	d := g.demand("Google access token")
	body, err := g.metadata(ctx, d, "token")
	if err != nil {
		return nil, err
	}
	access, err := d.field(body, "access_token")
	if err != nil {
		return nil, err
	}
	d = &demand{op: "generateIdToken", client: g.Client, secret: daypass.Secret(access), refused: map[int]string{
		http.StatusForbidden: "grant the machine's own account roles/iam.serviceAccountOpenIdTokenCreator on " + g.Account,
		http.StatusNotFound:  "there is no service account " + g.Account,
	}}
	if d.client == nil {
		d.client = http.DefaultClient
	}
	ask, err := json.Marshal(struct {
		Audience string `json:"audience"`
		Email    bool   `json:"includeEmail"`
	}{g.Audience, true})
	if err != nil {
		return nil, fmt.Errorf("preparing generateIdToken: %w", err)
	}
	base := iamCredentials
	if g.iam != "" {
		base = g.iam
	}
	r, err := http.NewRequest(http.MethodPost, base+"/v1/projects/-/serviceAccounts/"+url.PathEscape(g.Account)+":generateIdToken", bytes.NewReader(ask))
	if err != nil {
		return nil, fmt.Errorf("preparing generateIdToken: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+access)
	if body, _, err = d.send(ctx, r); err != nil {
		return nil, err
	}
	text, err := d.field(body, "token")
	if err != nil {
		return nil, err
	}
	return d.token(text)
}
