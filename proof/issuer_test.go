package proof

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"daypass.dev"
)

func TestTokensOfServices(t *testing.T) {
	all := sources(t)
	if len(all) != 4 {
		t.Fatalf("%d sources", len(all))
	}
	for name, p := range all {
		got, err := p.source.Token(context.Background())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(got.Audience) != 1 || got.Audience[0] != audienceOfAll || got.Issuer == "" || got.Subject == "" {
			t.Errorf("%s: %+v", name, got)
		}
		if n := p.asks.calls.Load(); n != 1 {
			t.Errorf("%s: %d calls", name, n)
		}
	}
}

func TestAzureChoosesAmongIdentities(t *testing.T) {
	a := sources(t)["azure"].source.(*Azure)
	own, err := a.Token(context.Background())
	must(t, err)
	a.ClientID = chosenClient
	chosen, err := a.Token(context.Background())
	must(t, err)
	if own.Identity() == chosen.Identity() {
		t.Error("the client id chooses nothing")
	}
	a.ClientID = "another"
	if e := refusal(t, a); e.Code != "invalid_request" || e.Message != "Identity not found" {
		t.Errorf("got %+v", e)
	}
}

func TestGoogleAccountThatMayNotBeActedAs(t *testing.T) {
	g := sources(t)["google account"].source.(*Google)
	g.Account = machineAccount
	e := refusal(t, g)
	if e.Code != "PERMISSION_DENIED" || e.Status != 403 || !strings.Contains(e.Hint, machineAccount) || !strings.Contains(e.Message, "getOpenIdToken") {
		t.Errorf("got %+v", e)
	}
}

// refusal returns the error that a service expressed.
func refusal(t *testing.T, source TokenSource) *daypass.Error {
	t.Helper()
	got, err := source.Token(context.Background())
	e := (*daypass.Error)(nil)
	if got != nil || !errors.As(err, &e) {
		t.Fatalf("got %v, %v; want a daypass.Error", got, err)
	}
	hidesTokens(t, e.Op, err.Error()+e.Hint)
	return e
}

// An answer that a service, or something in its place, may give.
type reply struct {
	answer func(secret string) http.HandlerFunc
	code   string
	says   string
	soon   bool
	after  time.Duration
}

func text(status int, body string, header ...string) func(string) http.HandlerFunc {
	return func(secret string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Metadata-Flavor", "Google")
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, strings.ReplaceAll(body, "SECRET", secret))
		}
	}
}

// successes wraps a token as each of the services does.
func successes(token string) string {
	return fmt.Sprintf(`{"value":%q,"token":%q,"access_token":%q}`, token, token, token)
}

func replies() map[string]reply {
	whole := successes(jwt(ofGoogle()))
	return map[string]reply{
		"a page":              {text(502, "<html>planted</html>"), codeUnexpected, "status 502", true, 0},
		"a text":              {text(404, "no such account\n"), codeUnexpected, "no such account", false, 0},
		"Google's form":       {text(403, `{"error":{"code":403,"status":"PERMISSION_DENIED","message":"denied"}}`), "PERMISSION_DENIED", "denied", false, 0},
		"Entra's form":        {text(400, `{"error":"invalid_resource","error_description":"AADSTS500011"}`), "invalid_resource", "AADSTS500011", false, 0},
		"GitHub's form":       {text(403, `{"message":"not allowed"}`), codeUnexpected, "not allowed", false, 0},
		"a code that is none": {text(403, `{"error":"<script>"}`), codeUnexpected, "status 403", false, 0},
		"throttled":           {text(429, `{}`, "Retry-After", "7"), codeUnexpected, "status 429", true, 7 * time.Second},
		"throttled somehow":   {text(429, `{}`, "Retry-After", "-1"), codeUnexpected, "status 429", true, 0},
		"failing":             {text(500, `{"error":null}`), codeUnexpected, "status 500", true, 0},
		"leads elsewhere":     {text(307, "", "Location", "https://elsewhere.example/"), codeUnexpected, "status 307", false, 0},
		"repeats a secret":    {text(403, `{"message":"who is SECRET\u001b?\n"}`), codeUnexpected, "who is", false, 0},
		"tells a novel":       {text(403, `{"message":"`+strings.Repeat("é", 5000)+`"}`), codeUnexpected, strings.Repeat("é", maxMessage) + "…", false, 0},
		"nothing":             {text(200, ""), codeInvalid, "", false, 0},
		"JSON without it":     {text(200, `{"expires_in":3599}`), codeInvalid, "", false, 0},
		"no token":            {text(200, successes("opaque-"+planted)), codeInvalid, "", false, 0},
		"token of a type":     {text(200, `{"value":1,"token":1,"access_token":1}`), codeInvalid, "", false, 0},
		"token in lines":      {text(200, successes("a\nb")), codeInvalid, "", false, 0},
		"half a body":         {text(200, whole[:len(whole)/4]), codeInvalid, "", false, 0},
		"broken off":          {text(200, whole, "Content-Length", "9999"), codeInvalid, "not whole", false, 0},
		"too much":            {text(200, strings.Repeat(" ", maxIssued)+whole), codeInvalid, "longer than", false, 0},
	}
}

func TestAnswersOfNoUse(t *testing.T) {
	for name, p := range sources(t) {
		for what, r := range replies() {
			p.asks.answer(r.answer(p.secret))
			before := p.asks.calls.Load()
			e := refusal(t, p.source)
			if e.Code != r.code || !strings.Contains(e.Message, r.says) || e.Temporary() != r.soon || e.RetryAfter != r.after || e.Op == "" {
				t.Errorf("%s, %s: got %+v, temporary %t", name, what, e, e.Temporary())
			}
			if p.secret != "" && strings.Contains(e.Error()+e.Hint, p.secret) {
				t.Errorf("%s, %s: %v holds a secret", name, what, e)
			}
			if n := p.asks.calls.Load() - before; n != 1 {
				t.Errorf("%s, %s: %d calls", name, what, n)
			}
		}
	}
}

// Whatever answers in place of Google's metadata server does not say that it is.
func TestMetadataServerOfSomebodyElse(t *testing.T) {
	p := sources(t)["google"]
	p.asks.answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, jwt(ofGoogle())) })
	if e := refusal(t, p.source); e.Code != codeInvalid || !strings.Contains(e.Message, "metadata server") {
		t.Errorf("got %+v", e)
	}
}

func TestServicesThatDoNotAnswer(t *testing.T) {
	for name, p := range sources(t) {
		unanswered := func(what, want string, ctx context.Context) {
			t.Helper()
			got, err := p.source.Token(ctx)
			ie := (*IssuerError)(nil)
			if got != nil || !errors.As(err, &ie) || !strings.Contains(err.Error(), want) || ie.Op == "" {
				t.Errorf("%s, %s: got %v, %v", name, what, got, err)
				return
			}
			if p.secret != "" && strings.Contains(err.Error()+ie.Hint, p.secret) || strings.Contains(err.Error(), "audience") {
				t.Errorf("%s, %s: %v holds a secret or the query", name, what, err)
			}
		}
		p.asks.answer(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		unanswered("reset", "EOF", context.Background())
		p.asks.answer(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then it is seen that the caller has left
			<-r.Context().Done()
		})
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		unanswered("hang", "deadline", ctx)
		cancel()
		p.asks.CloseClientConnections()
		p.asks.Close()
		unanswered("gone", "refused", context.Background())
	}
}

// Why nobody answered may hold what a stranger wrote, as the names in a
// certificate that nobody has verified. It does not steer a terminal.
func TestAStrangersNamesDoNotSteerTheTerminal(t *testing.T) {
	err := &IssuerError{Op: "GitHub OIDC token", Err: x509.HostnameError{
		Certificate: &x509.Certificate{DNSNames: []string{"a\x1b[2J\r\nhint"}}, Host: "localhost"}}
	if !strings.Contains(err.Error(), "a [2J  hint") || strings.ContainsAny(err.Error(), "\x1b\r\n") {
		t.Errorf("got %q", err)
	}
}

func TestPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &GitHub{Audience: "a", RequestURL: "https://actions.example/", RequestToken: "t", Client: &http.Client{Transport: hanging{}}}
		begin := time.Now()
		_, err := g.Token(context.Background())
		if !errors.Is(err, errNoAnswer) || time.Since(begin) != patience {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
	})
}

type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestWrongSettingsOfSources(t *testing.T) {
	github := func(change func(*GitHub)) TokenSource {
		g := &GitHub{Audience: "a", RequestURL: "https://actions.example/?x=1", RequestToken: plantedRequest, Client: &http.Client{Transport: never{t}}}
		change(g)
		return g
	}
	for name, c := range map[string]struct {
		source  TokenSource
		setting string
	}{
		"google without audience": {&Google{}, "audience"},
		"google host with scheme": {&Google{Audience: "a", MetadataHost: "http://h"}, "metadata server"},
		"google host with path":   {&Google{Audience: "a", MetadataHost: "h/x"}, "metadata server"},
		"google host with user":   {&Google{Audience: "a", MetadataHost: "u@h"}, "metadata server"},
		"google account a path":   {&Google{Audience: "a", Account: "../x"}, "token account"},
		"google account too long": {&Google{Audience: "a", Account: strings.Repeat("x", 321)}, "token account"},
		"azure without audience":  {&Azure{}, "audience"},
		"azure host alone":        {&Azure{Audience: "a", MetadataURL: "169.254.169.254"}, "metadata server"},
		"azure with a path":       {&Azure{Audience: "a", MetadataURL: "http://h/x"}, "metadata server"},
		"azure with a password":   {&Azure{Audience: "a", MetadataURL: "http://u:planted@h"}, "metadata server"},
		"github without audience": {github(func(g *GitHub) { g.Audience = "" }), "audience"},
		"github without URL":      {github(func(g *GitHub) { g.RequestURL = "" }), requestURL},
		"github without token":    {github(func(g *GitHub) { g.RequestToken = "" }), requestToken},
		"github token in lines":   {github(func(g *GitHub) { g.RequestToken = plantedRequest + "\n" }), requestToken},
		"github URL is none":      {github(func(g *GitHub) { g.RequestURL = "https://%zz" }), requestURL},
		"github URL in clear":     {github(func(g *GitHub) { g.RequestURL = "http://actions.example/" }), requestURL},
		"github URL a password":   {github(func(g *GitHub) { g.RequestURL = "https://u:planted@actions.example/" }), requestURL},
		"github URL a file":       {github(func(g *GitHub) { g.RequestURL = "file:///etc/passwd" }), requestURL},
	} {
		got, err := c.source.Token(context.Background())
		check := c.source.(interface{ Check() error }).Check()
		ie := (*daypass.InputError)(nil)
		if got != nil || !errors.As(err, &ie) || ie.Setting != c.setting || check == nil || check.Error() != err.Error() {
			t.Errorf("%s: got %v, %v; Check says %v", name, got, err, check)
			continue
		}
		if strings.Contains(err.Error()+ie.Hint, "planted") {
			t.Errorf("%s: %v holds a secret", name, err)
		}
	}
	for name, p := range sources(t) {
		if err := p.source.(interface{ Check() error }).Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// never fails the test if anybody is called.
type never struct{ t *testing.T }

func (n never) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("%s was called", r.URL.Host)
	return nil, errors.New("nobody is to be called")
}

// FuzzIssuer reads what services answer.
func FuzzIssuer(f *testing.F) {
	f.Add(200, successes(jwt(ofGitHub())), "")
	f.Add(200, jwt(ofGoogle()), "")
	f.Add(403, `{"error":{"code":403,"message":"Permission 'iam.serviceAccounts.getOpenIdToken' denied","status":"PERMISSION_DENIED"}}`, "")
	f.Add(400, `{"error":"invalid_request","error_description":"Identity not found"}`, "")
	f.Add(429, `{"message":"slow down `+plantedRequest+`"}`, "7")
	f.Add(502, "<html>", "Fri, 31 Dec 1999 23:59:59 GMT")
	f.Fuzz(func(t *testing.T, status int, body, after string) {
		if status < 200 || status > 999 {
			return // net/http takes no other answers for final ones
		}
		answer := func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {after}, "Metadata-Flavor": {"Google"}},
				Body: io.NopCloser(strings.NewReader(body))}, nil
		}
		g := &GitHub{Audience: "a", RequestURL: "https://actions.example/", RequestToken: plantedRequest, Client: &http.Client{Transport: roundTrip(answer)}}
		got, err := g.Token(context.Background())
		if err == nil {
			if status/100 != 2 || got.Text == "" {
				t.Fatalf("status %d gave %v", status, got)
			}
			return
		}
		e := (*daypass.Error)(nil)
		if got != nil || !errors.As(err, &e) || e.Code == "" || e.RetryAfter < 0 {
			t.Fatalf("got %v, %#v", got, err)
		}
		if said := err.Error() + e.Hint; strings.Contains(said, plantedRequest) || strings.ContainsAny(said, "\n\r\x1b") {
			t.Fatalf("%q holds a secret or breaks the line", said)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
