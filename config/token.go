package config

import (
	"net/http"
	"strings"

	"daypass.dev"
	"daypass.dev/exchange"
	"daypass.dev/internal/cli"
	"daypass.dev/proof"
)

// TokenSettings say which OIDC token the workload shows, if it shows one and no
// certificate.
type TokenSettings struct {
	// TokenSource is google, azure, github or file, empty where
	// WebIdentityTokenFile alone says it all.
	WebIdentityTokenFile, TokenSource string
	// Audience and TokenAccount are for sources that ask a service.
	Audience, TokenAccount string

	// What platforms put into the environment. AmbientTokenFile and
	// AmbientSessionName count only where nothing else is named.
	AmbientTokenFile, AmbientSessionName string
	GoogleMetadataHost, AzureMetadataURL string
	GitHubRequestURL                     string
	GitHubRequestToken                   daypass.Secret
}

// TokenTable lists the settings of tokens, pointing into s.
func (s *Settings) TokenTable() []cli.Setting {
	return []cli.Setting{
		{Flag: "web-identity-token-file", Arg: "FILE", Into: &s.WebIdentityTokenFile,
			Help: "file with an OIDC token to show in place of a certificate"},
		{Flag: "token-source", Arg: "SOURCE", Into: &s.TokenSource,
			Help: "where the token comes from: google, azure, github or file"},
		{Flag: "audience", Arg: "TEXT", Into: &s.Audience,
			Help: "whom google, azure or github make the token for, as sts.amazonaws.com"},
		{Flag: "token-account", Arg: "ACCOUNT", Into: &s.TokenAccount,
			Help: "Google service account or Azure client id to get the token of, if not the machine's own"},
		{Into: &s.AmbientTokenFile, Also: []string{"AWS_WEB_IDENTITY_TOKEN_FILE"},
			Help: "file with an OIDC token, if neither a certificate nor a token is named"},
		{Into: &s.GoogleMetadataHost, Also: []string{"GCE_METADATA_HOST"},
			Help: "HOST:PORT of Google's metadata server"},
		{Into: &s.AzureMetadataURL, Also: []string{"AZURE_POD_IDENTITY_AUTHORITY_HOST"},
			Help: "URL of Azure's metadata service"},
		{Into: &s.GitHubRequestURL, Also: []string{"ACTIONS_ID_TOKEN_REQUEST_URL"},
			Help: "where a job of GitHub Actions asks for its token"},
		{Into: (*secret)(&s.GitHubRequestToken), Also: []string{"ACTIONS_ID_TOKEN_REQUEST_TOKEN"},
			Help: "what the job shows there"},
	}
}

// BearsToken tells whether the workload shows a token, and no certificate. The
// error is of wrong usage: settings of both are given, or such as do not go
// together.
func (s *Settings) BearsToken() (bool, error) {
	token := given(s.TokenTable())
	keys := given(append(s.KeyTable(), s.anchorTable()...))
	switch {
	case len(token) == 0:
		return len(keys) == 0 && s.AmbientTokenFile != "", nil
	case len(keys) > 0:
		return true, cli.Usagef("give the settings of one of them; variables count, too: "+strings.Join(twins(append(keys, token...)), ", "),
			"a workload shows a certificate or a token, not both: %s and %s are given", strings.Join(keys, ", "), strings.Join(token, ", "))
	}
	return true, s.checkToken()
}

func (s *Settings) checkToken() error {
	const sources = "give one of google, azure, github and file"
	asked := s.TokenSource == "google" || s.TokenSource == "azure" || s.TokenSource == "github"
	switch {
	case s.TokenSource == "" && s.WebIdentityTokenFile == "":
		return cli.Usagef(sources+" as --token-source (or DAYPASS_TOKEN_SOURCE)", "--audience and --token-account need --token-source")
	case !asked && s.TokenSource != "" && s.TokenSource != "file":
		return cli.Usagef(sources, "--token-source: %.40q is none of google, azure, github and file", s.TokenSource)
	case asked && s.WebIdentityTokenFile != "":
		return cli.Usagef("leave one of them out", "--token-source %s and --web-identity-token-file exclude each other", s.TokenSource)
	case !asked && s.WebIdentityTokenFile == "":
		return cli.Usagef("give --web-identity-token-file (or DAYPASS_WEB_IDENTITY_TOKEN_FILE)", "--web-identity-token-file is missing")
	case !asked && s.Audience+s.TokenAccount != "":
		return cli.Usagef("leave them out", "--audience and --token-account are for google, azure and github: a token in a file has its own")
	case asked && s.Audience == "":
		return cli.Usagef("give --audience (or DAYPASS_AUDIENCE), as the role's trust policy has it", "--audience is missing")
	case s.TokenSource == "github" && s.TokenAccount != "":
		return cli.Usagef("leave it out", "--token-account is for google and azure: a job of GitHub Actions has one identity")
	}
	return nil
}

// given lists the flags that are given; variables without one are nobody's
// wish.
func given(table []cli.Setting) (flags []string) {
	for _, row := range table {
		if at, ok := row.Into.(*string); ok && *at != "" && row.Flag != "" {
			flags = append(flags, row.Names()[0])
		}
	}
	return flags
}

func twins(flags []string) (names []string) {
	for _, flag := range flags {
		names = append(names, (cli.Setting{Flag: strings.TrimPrefix(flag, "--")}).Names()[1])
	}
	return names
}

// Tokens is the source of tokens that the settings name. Errors are of wrong
// usage; nothing is read and nobody called.
func (s *Settings) Tokens() (proof.TokenSource, error) {
	file := s.WebIdentityTokenFile
	switch s.TokenSource {
	case "google", "azure", "github":
	default:
		if file == "" {
			file = s.AmbientTokenFile
		}
		return &proof.TokenFile{Path: file}, nil
	}
	client, err := s.HTTPClient()
	if err != nil {
		return nil, err
	}
	source := s.service(client)
	return source, source.Check()
}

type checkedSource interface {
	proof.TokenSource
	Check() error
}

func (s *Settings) service(client *http.Client) checkedSource {
	switch s.TokenSource {
	case "google":
		return &proof.Google{Audience: s.Audience, Account: s.TokenAccount, MetadataHost: s.GoogleMetadataHost, Client: client}
	case "azure":
		return &proof.Azure{Audience: s.Audience, ClientID: s.TokenAccount, MetadataURL: s.AzureMetadataURL}
	}
	return &proof.GitHub{Audience: s.Audience, RequestURL: s.GitHubRequestURL, RequestToken: s.GitHubRequestToken, Client: client}
}

// WebIdentity wires the call to STS that shows a token. Errors are of wrong
// usage: a setting is missing or malformed, or the CA bundle cannot be used. It
// neither asks for the token nor calls anybody.
func (s *Settings) WebIdentity(tokens proof.TokenSource) (*exchange.WebIdentity, error) {
	needed := map[any]bool{&s.RoleARN: true}
	region, endpoint := s.Region, s.endpoint(s.STSEndpoint)
	if region == "" {
		region = s.WorkloadRegion
	}
	if endpoint == "" && region == "" {
		needed[&s.Region] = true
	}
	if err := s.missing(needed); err != nil {
		return nil, err
	}
	client, err := s.HTTPClient()
	if err != nil {
		return nil, err
	}
	call := &exchange.WebIdentity{
		Token:       tokens,
		RoleARN:     s.RoleARN,
		Duration:    s.SessionDuration,
		SessionName: s.webSessionName(),
		Region:      region,
		FIPS:        s.FIPS,
		DualStack:   s.DualStack,
		Endpoint:    endpoint,
		Client:      client,
	}
	return call, call.Check()
}

// webSessionName says who asks, for the logs of AWS, which want a name here:
// what is given, else the host or pod.
func (s *Settings) webSessionName() string {
	for _, name := range []string{s.RoleSessionName, s.AmbientSessionName} {
		if name != "" {
			return name
		}
	}
	return who(namespaceFile)
}
