package config

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"daypass.dev"
	"daypass.dev/exchange"
	"daypass.dev/internal/cli"
	"daypass.dev/pki"
	"daypass.dev/proof"
)

func whole() Settings {
	s := Defaults()
	s.Certificate = "tls.crt"
	s.RoleARN = "arn:aws:iam::111122223333:role/team/reports"
	s.TrustAnchorARN = "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/11111111-2222-4333-8444-555555555555"
	s.ProfileARN = "arn:aws:rolesanywhere:eu-west-1:111122223333:profile/66666666-7777-4888-8999-aaaaaaaaaaaa"
	return s
}

func TestTableNamesEverySettingOnce(t *testing.T) {
	var s Settings
	seen := map[string]bool{}
	places := map[any]bool{}
	rows := s.ServeTable()
	if len(rows) < 10 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		for _, name := range row.Names() {
			if seen[name] {
				t.Errorf("%s stands twice", name)
			}
			seen[name] = true
		}
		if places[row.Into] || row.Into == nil {
			t.Errorf("%v fills what another row fills", row.Names())
		}
		places[row.Into] = true
		if row.Help == "" || strings.HasSuffix(row.Help, ".") || len(row.Names()) == 0 {
			t.Errorf("%v: help %q", row.Names(), row.Help)
		}
	}
	// What the design promises.
	for _, name := range []string{
		"--certificate", "--private-key", "--intermediates", "--role-arn", "--trust-anchor-arn", "--profile-arn",
		"--session-duration", "--role-session-name", "--region", "--endpoint", "DAYPASS_ROLE_ARN",
		"AWS_ROLE_ARN", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ROLESANYWHERE",
		"TRUST_ANCHOR_ARN", "PROFILE_ARN", "ROLE_ARN",
		"--web-identity-token-file", "--token-source", "--audience", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_SESSION_NAME", "AWS_ENDPOINT_URL_STS",
	} {
		if !seen[name] {
			t.Errorf("nothing is called %s", name)
		}
	}
	for _, row := range s.Table() {
		for _, name := range []string{"TRUST_ANCHOR_ARN", "PROFILE_ARN", "ROLE_ARN"} {
			for _, also := range row.Also {
				if also == name {
					t.Errorf("%s is read by more than serve", name)
				}
			}
		}
	}
}

func TestMissingNamesAllAtOnce(t *testing.T) {
	for _, test := range []struct {
		drop func(*Settings)
		want []string
	}{
		{func(s *Settings) { s.RoleARN = "" }, []string{"--role-arn"}},
		{func(s *Settings) { s.RoleARN, s.Certificate = "", "" }, []string{"--certificate", "--role-arn"}},
		{func(s *Settings) { *s = Settings{} }, []string{"--certificate", "--role-arn", "--trust-anchor-arn", "--profile-arn"}},
	} {
		s := whole()
		test.drop(&s)
		_, err := s.Exchange(s.Keys(nil), nil)
		var told *cli.Error
		if !errors.As(err, &told) || told.Code != cli.Usage {
			t.Fatalf("%v", err)
		}
		for _, name := range test.want {
			if !strings.Contains(err.Error(), name) || !strings.Contains(told.Hint, "DAYPASS_") {
				t.Errorf("%v (%s) lacks %s", err, told.Hint, name)
			}
		}
		if strings.Count(err.Error(), "--") != len(test.want) {
			t.Errorf("%v names more than %v", err, test.want)
		}
	}
	s := whole()
	if err := s.Missing(); err != nil {
		t.Error(err)
	}
}

func TestExchangeCarriesEverySetting(t *testing.T) {
	s := whole()
	s.PrivateKey, s.Intermediates = "tls.key", "chain.pem"
	s.SessionDuration, s.RoleSessionName = 30*time.Minute, "nightly"
	s.Region, s.WorkloadRegion = "eu-west-1", "us-east-1"
	keys := s.Keys(nil)
	if keys.Certificate != "tls.crt" || keys.PrivateKey != "tls.key" || keys.Intermediates != "chain.pem" {
		t.Errorf("keys %+v", keys)
	}
	s.InstanceProperties, s.DualStack = "cluster=prod, node=n7", true
	s.Endpoint = ""
	wired, err := s.Exchange(keys, nil)
	if err != nil {
		t.Fatal(err)
	}
	call := wired.(*exchange.RolesAnywhere)
	if !call.DualStack || call.DefaultSessionName != "" || !maps.Equal(call.InstanceProperties, map[string]string{"cluster": "prod", "node": "n7"}) {
		t.Errorf("dual stack %v, default name %q, properties %v", call.DualStack, call.DefaultSessionName, call.InstanceProperties)
	}
	if call.Key != proof.KeySource(keys) || call.RoleARN != s.RoleARN || call.TrustAnchorARN != s.TrustAnchorARN || call.ProfileARN != s.ProfileARN ||
		call.Duration != 30*time.Minute || call.SessionName != "nightly" || call.Region != "eu-west-1" || call.Endpoint != s.Endpoint {
		t.Error("a setting does not reach the exchange")
	}
}

func TestMalformedSettingsAreInputErrors(t *testing.T) {
	s := whole()
	s.ProfileARN = "my profile"
	_, err := s.Exchange(s.Keys(nil), nil)
	var input *daypass.InputError
	if !errors.As(err, &input) {
		t.Errorf("%v", err)
	}
}

// The workload may work in another region than its trust anchor is of.
func TestServedRegion(t *testing.T) {
	for _, test := range []struct{ workload, region, want string }{
		{"", "", "eu-west-1"}, {"", "eu-west-2", "eu-west-2"}, {"us-east-1", "", "us-east-1"}, {"us-east-1", "eu-west-1", "us-east-1"},
	} {
		s := whole()
		s.WorkloadRegion, s.Region = test.workload, test.region
		if got := s.ServedRegion(); got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
	if got := new(Settings).ServedRegion(); got != "" {
		t.Errorf("nothing known: %q", got)
	}
}

func TestSidecarFiles(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		name             string
		given            Settings
		dir              string
		certificate, key string
	}{
		{"directory", Settings{}, dir, filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")},
		{"no directory", Settings{}, filepath.Join(dir, "absent"), "", ""},
		{"certificate given", Settings{Certificate: "both.pem"}, dir, "both.pem", ""},
		{"key given", Settings{PrivateKey: "tls.key"}, dir, "", "tls.key"},
	} {
		test.given.UseSidecarFiles(test.dir)
		if test.given.Certificate != test.certificate || test.given.PrivateKey != test.key {
			t.Errorf("%s: %q, %q", test.name, test.given.Certificate, test.given.PrivateKey)
		}
	}
}

func TestCABundle(t *testing.T) {
	key, err := pki.NewKey("ec-p256")
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.NewCA(key, pkix.Name{CommonName: "CA"}, time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	s := whole()
	s.CABundle = write("ca.pem", pki.EncodeCertificate(ca.Certificate))
	want := x509.NewCertPool()
	want.AddCert(ca.Certificate)
	if roots, err := s.roots(); err != nil || !roots.Equal(want) {
		t.Errorf("the pool is not the bundle's: %v", err)
	}
	for name, path := range map[string]string{
		"absent": filepath.Join(dir, "absent"), "directory": dir,
		"no certificate": write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})),
		"empty":          write("empty", nil),
		"huge":           write("huge", make([]byte, maxBundle+1)),
	} {
		s.CABundle = path
		_, err := s.Exchange(s.Keys(nil), nil)
		var told *cli.Error
		if !errors.As(err, &told) || told.Code != cli.Usage || !strings.Contains(err.Error(), "reading CA bundle") || told.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCallsGoThroughTheProxy(t *testing.T) {
	s := whole()
	client, err := s.HTTPClient()
	if err != nil {
		t.Fatal(err)
	}
	// net/http reads HTTPS_PROXY once per process, so only that it is asked
	// can be seen here; that it works is seen where daypass runs as a process.
	if transport, ok := client.Transport.(*http.Transport); !ok || transport.Proxy == nil {
		t.Error("no proxy is ever used")
	}
}
