package oidc

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"daypass.dev/sandbox/world"
)

func TestLifetime(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": unsaid, "public": unsaid, "max-age=60": time.Minute, "public, Max-Age=60, must-revalidate": time.Minute,
		"max-age=0": 0, "max-age=-5": 0, "max-age=86400": time.Hour, "max-age=99999999999999999999": unsaid, "max-age=x": unsaid,
		"no-cache": 0, "max-age=60, no-store": 0, "NO-STORE": 0,
	} {
		h := http.Header{}
		if value != "" {
			h.Set("Cache-Control", value)
		}
		if got := lifetime(h); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

// A server's certificate counts by the machine's roots or by its thumbprint,
// and in both cases for its own names only.
func TestVerify(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	print, err := lastThumbprint(t.Context(), strings.TrimPrefix(server.URL, "https://"))
	if err != nil || print != thumbprint(server.Certificate()) {
		t.Fatalf("thumbprint %s, %v", print, err)
	}
	chain := []*x509.Certificate{server.Certificate()}
	for _, c := range []struct {
		host   string
		prints []string
		want   bool
	}{
		{"127.0.0.1", []string{print}, true},
		{"example.com", []string{strings.Repeat("a", 40), print}, true},
		{"127.0.0.1", nil, false},
		{"127.0.0.1", []string{strings.Repeat("a", 40)}, false},
		{"127.0.0.2", []string{print}, false},
		{"example.org", []string{print}, false},
		{"", []string{print}, false},
	} {
		err := verify(c.host, chain, c.prints)
		var wrong *tls.CertificateVerificationError
		if (err == nil) != c.want || err != nil && !errors.As(err, &wrong) {
			t.Errorf("%s with %q: %v", c.host, c.prints, err)
		}
	}
}

// Where the keys are, by what the discovery document says and the world maps.
func TestKeysURL(t *testing.T) {
	const issuer = "https://oidc.example.com/id"
	for _, c := range []struct{ at, uri, want string }{
		{"", issuer + "/keys", issuer + "/keys"},
		{"", "https://elsewhere.example.com/keys", "https://elsewhere.example.com/keys"},
		{"", "http://elsewhere.example.com/keys", ""},
		{"http://127.0.0.1:1", issuer + "/keys", "http://127.0.0.1:1/keys"},
		{"http://127.0.0.1:1", issuer + "2/keys", issuer + "2/keys"},
		{"http://127.0.0.1:1", "http://127.0.0.1:2/keys", "http://127.0.0.1:2/keys"},
		{"https://127.0.0.1:1", issuer + "/keys", "https://127.0.0.1:1/keys"},
		{"https://127.0.0.1:1", "http://127.0.0.1:2/keys", ""},
		{"", "", ""},
		{"", "https:///keys", ""},
		{"", "https://:443/keys", ""},
	} {
		s := Source{Issuer: issuer, At: world.Issuer{URL: c.at}}
		got, err := s.keysURL([]byte(`{"issuer":"` + issuer + `","jwks_uri":"` + c.uri + `"}`))
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s at %q: %q, %v; want %q", c.uri, c.at, got, err, c.want)
		}
	}
	if s := (Source{Issuer: issuer + "/"}); s.base() != issuer {
		t.Errorf("discovery below %s", s.base())
	}
}
