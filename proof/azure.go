package proof

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// Azure is a TokenSource that yields tokens of a managed identity of an Azure
// machine, issued by Entra as https://sts.windows.net/TENANT/. Where Kubernetes
// puts an Entra workload's token into a file, use TokenFile. It is safe for
// concurrent use.
//
// https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
type Azure struct {
	// Audience is the resource that the token is for: the application ID URI of
	// a registered application, as api://NAME. Entra issues tokens for no other.
	Audience string
	// ClientID chooses one of several managed identities. Empty: the only one,
	// or the machine's own.
	ClientID string
	// MetadataURL is the base URL of the metadata service. Empty:
	// http://169.254.169.254.
	MetadataURL string
}

// Check says whether the settings are well formed: nil or an *daypass.InputError.
func (a *Azure) Check() error {
	if a.Audience == "" {
		return input("audience", "it looks like api://NAME", "none is given")
	}
	if a.MetadataURL == "" {
		return nil
	}
	u, err := url.Parse(a.MetadataURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return input("metadata server", "it looks like http://169.254.169.254", "it is no URL of a host alone")
	}
	return nil
}

// Token asks for a token; the metadata service may answer with one that it has
// given before. Errors are *daypass.InputError, *daypass.Error where the service
// answered, *IssuerError where it did not.
func (a *Azure) Token(ctx context.Context) (*Token, error) {
	if err := a.Check(); err != nil {
		return nil, err
	}
	base := strings.TrimRight(a.MetadataURL, "/")
	if base == "" {
		base = "http://169.254.169.254"
	}
	query := url.Values{"api-version": {"2018-02-01"}, "resource": {a.Audience}}
	if a.ClientID != "" {
		query.Set("client_id", a.ClientID)
	}
	r, err := http.NewRequest(http.MethodGet, base+"/metadata/identity/oauth2/token?"+query.Encode(), nil)
	if err != nil {
		return nil, input("metadata server", "", "it is no URL")
	}
	r.Header.Set("Metadata", "true")
	d := &demand{op: "Azure identity token", client: nearby(),
		silence: "only Azure's machines have such a metadata service",
		refused: map[int]string{
			http.StatusBadRequest: "the machine needs a managed identity, and the audience must be the application ID URI of a registered application",
			http.StatusNotFound:   "the identity may be in the making: wait a minute",
			http.StatusGone:       "the metadata service is being renewed: wait a minute",
		}}
	body, _, err := d.send(ctx, r)
	if err != nil {
		return nil, err
	}
	text, err := d.field(body, "access_token")
	if err != nil {
		return nil, err
	}
	return d.token(text)
}
