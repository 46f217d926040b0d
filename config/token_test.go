package config

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"daypass.dev"
	"daypass.dev/exchange"
	"daypass.dev/internal/cli"
	"daypass.dev/proof"
)

func TestCertificateOrToken(t *testing.T) {
	for name, c := range map[string]struct {
		given  Settings
		bears  bool
		refuse []string // what the error names
	}{
		"nothing":                       {given: Settings{}},
		"certificate":                   {given: Settings{Certificate: "c"}},
		"certificate beside a variable": {given: Settings{Certificate: "c", TokenSettings: TokenSettings{AmbientTokenFile: "t"}}},
		"anchor beside a variable":      {given: Settings{TrustAnchorARN: "a", TokenSettings: TokenSettings{AmbientTokenFile: "t"}}},
		"variable alone":                {given: Settings{TokenSettings: TokenSettings{AmbientTokenFile: "t"}}, bears: true},
		"variables of platforms alone":  {given: Settings{TokenSettings: TokenSettings{GoogleMetadataHost: "h", GitHubRequestURL: "u", AmbientSessionName: "n"}}},
		"file":                          {given: Settings{TokenSettings: TokenSettings{WebIdentityTokenFile: "t"}}, bears: true},
		"file, said so":                 {given: Settings{TokenSettings: TokenSettings{WebIdentityTokenFile: "t", TokenSource: "file"}}, bears: true},
		"file beside a variable":        {given: Settings{TokenSettings: TokenSettings{WebIdentityTokenFile: "t", AmbientTokenFile: "u"}}, bears: true},
		"google":                        {given: Settings{TokenSettings: TokenSettings{TokenSource: "google", Audience: "a", TokenAccount: "x"}}, bears: true},
		"azure":                         {given: Settings{TokenSettings: TokenSettings{TokenSource: "azure", Audience: "a"}}, bears: true},
		"github":                        {given: Settings{TokenSettings: TokenSettings{TokenSource: "github", Audience: "a"}}, bears: true},
		"certificate and file": {given: Settings{Certificate: "c", TokenSettings: TokenSettings{WebIdentityTokenFile: "t"}},
			refuse: []string{"--certificate", "--web-identity-token-file"}},
		"certificate and source": {given: Settings{Certificate: "c", PrivateKey: "k", TokenSettings: TokenSettings{TokenSource: "google", Audience: "a"}},
			refuse: []string{"--certificate", "--private-key", "--token-source", "--audience"}},
		"anchor and file": {given: Settings{TrustAnchorARN: "a", ProfileARN: "p", TokenSettings: TokenSettings{WebIdentityTokenFile: "t"}},
			refuse: []string{"--trust-anchor-arn", "--profile-arn", "--web-identity-token-file"}},
		"file and source": {given: Settings{TokenSettings: TokenSettings{WebIdentityTokenFile: "t", TokenSource: "github", Audience: "a"}},
			refuse: []string{"--token-source", "--web-identity-token-file"}},
		"unknown source":            {given: Settings{TokenSettings: TokenSettings{TokenSource: "gogle"}}, refuse: []string{"--token-source", "gogle"}},
		"source without audience":   {given: Settings{TokenSettings: TokenSettings{TokenSource: "google"}}, refuse: []string{"--audience"}},
		"audience without a source": {given: Settings{TokenSettings: TokenSettings{Audience: "a"}}, refuse: []string{"--audience", "--token-source"}},
		"file without its path":     {given: Settings{TokenSettings: TokenSettings{TokenSource: "file"}}, refuse: []string{"--web-identity-token-file"}},
		"audience of a file":        {given: Settings{TokenSettings: TokenSettings{WebIdentityTokenFile: "t", Audience: "a"}}, refuse: []string{"--audience"}},
		"account at github": {given: Settings{TokenSettings: TokenSettings{TokenSource: "github", Audience: "a", TokenAccount: "x"}},
			refuse: []string{"--token-account"}},
	} {
		bears, err := c.given.BearsToken()
		var told *cli.Error
		switch {
		case c.refuse == nil && (err != nil || bears != c.bears):
			t.Errorf("%s: %t, %v", name, bears, err)
		case c.refuse != nil && (!errors.As(err, &told) || told.Code != cli.Usage || told.Hint == ""):
			t.Errorf("%s: %v", name, err)
		}
		for _, part := range c.refuse {
			if err != nil && !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v lacks %s", name, err, part)
			}
		}
	}
}

func TestSourcesOfTokens(t *testing.T) {
	s := Settings{TokenSettings: TokenSettings{
		Audience: "a", TokenAccount: "x", GoogleMetadataHost: "h:80", AzureMetadataURL: "http://h",
		GitHubRequestURL: "https://h/", GitHubRequestToken: "t", AmbientTokenFile: "ambient",
	}}
	source := func(name string) proof.TokenSource {
		t.Helper()
		s.TokenSource = name
		got, err := s.Tokens()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return got
	}
	if g, ok := source("google").(*proof.Google); !ok || g.Audience != "a" || g.Account != "x" || g.MetadataHost != "h:80" || g.Client == nil {
		t.Errorf("google: %+v", g)
	}
	if a, ok := source("azure").(*proof.Azure); !ok || *a != (proof.Azure{Audience: "a", ClientID: "x", MetadataURL: "http://h"}) {
		t.Errorf("azure: %+v", a)
	}
	if g, ok := source("github").(*proof.GitHub); !ok || g.Audience != "a" || g.RequestURL != "https://h/" || g.RequestToken != "t" || g.Client == nil {
		t.Errorf("github: %+v", g)
	}
	if f, ok := source("").(*proof.TokenFile); !ok || f.Path != "ambient" {
		t.Errorf("variable: %+v", f)
	}
	s.WebIdentityTokenFile = "named"
	if f, ok := source("file").(*proof.TokenFile); !ok || f.Path != "named" {
		t.Errorf("file: %+v", f)
	}
	s.TokenSource, s.GitHubRequestURL = "github", ""
	var input *daypass.InputError
	if _, err := s.Tokens(); !errors.As(err, &input) || !strings.Contains(input.Hint, "id-token: write") {
		t.Errorf("github outside a job: %v", err)
	}
	s.CABundle = "absent"
	var told *cli.Error
	if _, err := s.Tokens(); !errors.As(err, &told) {
		t.Errorf("CA bundle: %v", err)
	}
}

func TestWebIdentityCarriesEverySetting(t *testing.T) {
	s := Defaults()
	s.RoleARN, s.SessionDuration, s.RoleSessionName = "arn:aws:iam::111122223333:role/r", 30*time.Minute, "nightly"
	s.Region, s.WorkloadRegion, s.AmbientSessionName = "eu-west-1", "us-east-1", "ambient"
	s.Endpoint = "https://localhost:7777"
	tokens := &proof.TokenFile{Path: "t"}
	call, err := s.WebIdentity(tokens)
	if err != nil {
		t.Fatal(err)
	}
	if call.Token != proof.TokenSource(tokens) || call.RoleARN != s.RoleARN || call.Duration != 30*time.Minute || call.SessionName != "nightly" ||
		call.Region != "eu-west-1" || call.Endpoint != s.Endpoint || call.Client == nil {
		t.Error("a setting does not reach the exchange")
	}
	s.Region, s.RoleSessionName, s.Endpoint = "", "", ""
	call, err = s.WebIdentity(tokens)
	if err != nil || call.Region != "us-east-1" || call.SessionName != "ambient" || call.Endpoint != "" {
		t.Errorf("from the environment: %v", err)
	}
	s.AmbientSessionName = ""
	call, err = s.WebIdentity(tokens)
	if host, _ := os.Hostname(); err != nil || call.SessionName == "" && len(host) > 1 {
		t.Errorf("session name %q on host %s: %v", call.SessionName, host, err)
	}
}

// Of endpoints, that of the service counts before that of all, and none of
// another service.
func TestEndpointsOfServices(t *testing.T) {
	all := Settings{Endpoint: "https://flag", RolesAnywhereEndpoint: "https://ra", STSEndpoint: "https://sts", AnyEndpoint: "https://any"}
	for _, c := range []struct {
		drop    func(*Settings)
		ra, sts string
	}{
		{func(*Settings) {}, "https://flag", "https://flag"},
		{func(s *Settings) { s.Endpoint = "" }, "https://ra", "https://sts"},
		{func(s *Settings) { s.Endpoint, s.RolesAnywhereEndpoint = "", "" }, "https://any", "https://sts"},
		{func(s *Settings) { s.Endpoint, s.STSEndpoint = "", "" }, "https://ra", "https://any"},
		{func(s *Settings) { *s = Settings{RolesAnywhereEndpoint: "https://ra"} }, "https://ra", ""},
	} {
		s := whole()
		given := all
		c.drop(&given)
		s.Endpoint, s.RolesAnywhereEndpoint, s.STSEndpoint, s.AnyEndpoint = given.Endpoint, given.RolesAnywhereEndpoint, given.STSEndpoint, given.AnyEndpoint
		wired, err := s.Exchange(s.Keys(nil), nil)
		anywhere := wired.(*exchange.RolesAnywhere)
		if err != nil || anywhere.Endpoint != c.ra {
			t.Errorf("Roles Anywhere at %q, %v; want %q", anywhere.Endpoint, err, c.ra)
		}
		s.Region = "eu-west-1"
		web, err := s.WebIdentity(&proof.TokenFile{})
		if err != nil || web.Endpoint != c.sts {
			t.Errorf("STS at %q, %v; want %q", web.Endpoint, err, c.sts)
		}
	}
}

func TestWhatATokenNeeds(t *testing.T) {
	s := Defaults()
	_, err := s.WebIdentity(&proof.TokenFile{})
	var told *cli.Error
	if !errors.As(err, &told) || !strings.Contains(err.Error(), "2 settings are missing: --role-arn, --region") || !strings.Contains(told.Hint, "AWS_REGION") {
		t.Errorf("%v", err)
	}
	s.AnyEndpoint = "https://localhost:7777"
	if _, err := s.WebIdentity(&proof.TokenFile{}); err == nil || !strings.Contains(err.Error(), "--role-arn is missing") {
		t.Errorf("%v", err)
	}
	s.RoleARN = "reports"
	var input *daypass.InputError
	if _, err := s.WebIdentity(&proof.TokenFile{}); !errors.As(err, &input) {
		t.Errorf("%v", err)
	}
	s.CABundle = "absent"
	if _, err := s.WebIdentity(&proof.TokenFile{}); !errors.As(err, &told) || !strings.Contains(err.Error(), "CA bundle") {
		t.Errorf("%v", err)
	}
}

// Where a token is named, nobody's certificate comes in from a folder.
func TestSidecarFilesBesideAToken(t *testing.T) {
	for _, token := range []TokenSettings{{WebIdentityTokenFile: "t"}, {TokenSource: "google"}} {
		s := Settings{TokenSettings: token}
		if s.UseSidecarFiles(t.TempDir()); s.Certificate != "" || s.PrivateKey != "" {
			t.Errorf("%+v: %s, %s", token, s.Certificate, s.PrivateKey)
		}
	}
	s := Settings{TokenSettings: TokenSettings{AmbientTokenFile: "t"}}
	if s.UseSidecarFiles(t.TempDir()); s.Certificate == "" {
		t.Error("a variable keeps the sidecar's files away")
	}
}

// A secret that a platform puts into the environment prints nowhere.
func TestRequestTokenPrintsNowhere(t *testing.T) {
	s := Settings{TokenSettings: TokenSettings{GitHubRequestToken: "planted"}}
	secrets := 0
	for _, row := range s.TokenTable() {
		if into, ok := row.Into.(*secret); ok {
			if secrets++; into.String() != "" {
				t.Errorf("%v shows it", row.Names())
			}
		}
	}
	if said := fmt.Sprintf("%+v", s); secrets != 1 || strings.Contains(said, "planted") {
		t.Errorf("%d secrets in %s", secrets, said)
	}
}
