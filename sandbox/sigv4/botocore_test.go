package sigv4

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// captured is a request as botocore signs it at signedAt with testKey; see
// testdata/capture.py.
type captured struct {
	Service, Token, Method, URL, Body string
	Headers                           map[string]string
}

func (c captured) request(t *testing.T) *http.Request {
	t.Helper()
	u, err := url.Parse(c.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, target, _ := strings.Cut(strings.TrimPrefix(c.URL, u.Scheme+"://"), "/")
	r := &http.Request{Method: c.Method, Host: u.Host, URL: u, RequestURI: "/" + target, Header: http.Header{}}
	for name, value := range c.Headers {
		r.Header.Set(name, value)
	}
	return r
}

func TestRequestsOfBotocoreAreAccepted(t *testing.T) {
	text, err := os.ReadFile("testdata/botocore.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Requests []captured }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Requests) < 100 {
		t.Fatalf("only %d requests", len(file.Requests))
	}
	for _, c := range file.Requests {
		s, err := Parse(c.request(t))
		if err != nil {
			t.Errorf("%s %s: %v", c.Method, c.URL, err)
			continue
		}
		body, err := s.Verify(testSecret, signedAt, []byte(c.Body))
		if err != nil {
			t.Errorf("%s %s: %v", c.Method, c.URL, err)
			continue
		}
		if s.Service != c.Service || s.SessionToken != c.Token || s.Presigned != (c.Headers["Authorization"] == "") {
			t.Errorf("%s %s: read as %+v", c.Method, c.URL, s)
		}
		if c.Method == "PUT" && !s.Presigned && !strings.HasPrefix(string(body), "the body of ") {
			t.Errorf("%s %s: body %q", c.Method, c.URL, body)
		}
		if _, err := s.Verify(testSecret+"x", signedAt, []byte(c.Body)); slugOf(err) != "signature-mismatch" {
			t.Errorf("%s %s: with another secret: %v", c.Method, c.URL, err)
		}
		if _, err := s.Verify(testSecret, signedAt.Add(2*time.Hour), []byte(c.Body)); slugOf(err) == "" {
			t.Errorf("%s %s: accepted two hours later", c.Method, c.URL)
		}
	}
}
