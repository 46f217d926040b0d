package proof

import (
	"context"
	"net/http"
	"net/url"

	"daypass.dev"
)

// GitHub is a TokenSource that yields tokens of a job of GitHub Actions, issued
// by https://token.actions.githubusercontent.com. It is safe for concurrent
// use.
//
// https://docs.github.com/actions/reference/security/oidc
type GitHub struct {
	// Audience is who the token is for, any text.
	Audience string
	// RequestURL and RequestToken are what a job with the permission id-token:
	// write finds in its environment as ACTIONS_ID_TOKEN_REQUEST_URL and
	// ACTIONS_ID_TOKEN_REQUEST_TOKEN.
	RequestURL   string
	RequestToken daypass.Secret
	// Client makes the call. Nil: http.DefaultClient.
	Client *http.Client
}

const (
	requestURL   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	requestToken = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
	permission   = "give the job permissions: id-token: write, and run this in one of its steps"
)

// Check says whether the settings are well formed: nil or an *daypass.InputError.
func (g *GitHub) Check() error {
	_, err := g.url()
	return err
}

func (g *GitHub) url() (string, error) {
	switch {
	case g.Audience == "":
		return "", input("audience", "", "none is given")
	case g.RequestURL == "":
		return "", input(requestURL, permission, "it is not set")
	case g.RequestToken == "":
		return "", input(requestToken, permission, "it is not set")
	case !visible(g.RequestToken.Reveal()):
		return "", input(requestToken, "", "it is no token")
	}
	u, err := url.Parse(g.RequestURL)
	if err != nil {
		return "", input(requestURL, "", "it is not a URL")
	}
	if err := private(requestURL, u); err != nil {
		return "", err
	}
	query := u.Query()
	query.Set("audience", g.Audience)
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// Token asks for a new token. Errors are *daypass.InputError, *daypass.Error where
// GitHub answered, *IssuerError where it did not.
func (g *GitHub) Token(ctx context.Context) (*Token, error) {
	address, err := g.url()
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return nil, input(requestURL, "", "it is not a URL")
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Authorization", "Bearer "+g.RequestToken.Reveal())
	d := &demand{op: "GitHub identity token", client: g.Client, secret: g.RequestToken,
		silence: "check the job's way to GitHub",
		refused: map[int]string{
			http.StatusUnauthorized: "the job has ended, or its token is another job's",
			http.StatusForbidden:    permission,
		}}
	if d.client == nil {
		d.client = http.DefaultClient
	}
	body, _, err := d.send(ctx, r)
	if err != nil {
		return nil, err
	}
	text, err := d.field(body, "value")
	if err != nil {
		return nil, err
	}
	return d.token(text)
}
