package exchange

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"daypass.dev"
	"daypass.dev/proof"
)

const plantedSignature = "planted-token-signature"

// jwt makes a token whose signature nobody here verifies.
func jwt(change func(claims map[string]any)) *proof.Token {
	claims := map[string]any{
		"iss": "https://oidc.example.com/id/1", "aud": "sts.amazonaws.com", "sub": "system:serviceaccount:shop:reports",
		"exp": 1800086400, "iat": 1800000000,
	}
	if change != nil {
		change(claims)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	token, err := proof.ParseToken(encode([]byte(`{"alg":"RS256"}`)) + "." + encode(payload) + "." + encode([]byte(plantedSignature)))
	if err != nil {
		panic(err)
	}
	return token
}

// bearer yields one token and counts how often it is asked.
type bearer struct {
	token *proof.Token
	err   error
	asked atomic.Int64
}

func (b *bearer) Token(context.Context) (*proof.Token, error) {
	b.asked.Add(1)
	return b.token, b.err
}

// webSuccess is the answer as AWS documents it.
func webSuccess(expires time.Time) string {
	return fmt.Sprintf(`<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <SubjectFromWebIdentityToken>system:serviceaccount:shop:reports</SubjectFromWebIdentityToken>
    <Audience>sts.amazonaws.com</Audience>
    <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/reader/s</Arn><AssumedRoleId>AROA:s</AssumedRoleId></AssumedRoleUser>
    <Credentials><SessionToken>%s</SessionToken><SecretAccessKey>%s</SecretAccessKey><Expiration>%s</Expiration><AccessKeyId>ASIAEXAMPLE</AccessKeyId></Credentials>
    <Provider>arn:aws:iam::123456789012:oidc-provider/oidc.example.com/id/1</Provider>
  </AssumeRoleWithWebIdentityResult>
  <ResponseMetadata><RequestId>2f1c-9</RequestId></ResponseMetadata>
</AssumeRoleWithWebIdentityResponse>
`, plantedToken, plantedKey, expires.UTC().Format(time.RFC3339))
}

func webError(code, message string) string {
	return `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>` + code +
		`</Code><Message>` + message + `</Message></Error><RequestId>2f1c-9</RequestId></ErrorResponse>`
}

// webFake is AWS in memory, which grants unless respond says otherwise.
func webFake(respond func(*http.Request) *http.Response) *fake {
	return &fake{respond: func(r *http.Request) *http.Response {
		if respond != nil {
			if a := respond(r); a != nil {
				return a
			}
		}
		return reply(200, webSuccess(time.Now().Add(time.Hour)))
	}}
}

func webSource(f http.RoundTripper) *WebIdentity {
	return &WebIdentity{Token: &bearer{token: jwt(nil)}, RoleARN: roleARN, Region: "eu-west-1", Client: &http.Client{Transport: f}}
}

func webRefused(t *testing.T, w *WebIdentity) *daypass.Error {
	t.Helper()
	c, err := w.Credentials(context.Background())
	de := (*daypass.Error)(nil)
	if c != (daypass.Credentials{}) || !errors.As(err, &de) {
		t.Fatalf("got %v, %v; want a daypass.Error", c, err)
	}
	for _, secret := range []string{plantedKey, plantedToken, base64.RawURLEncoding.EncodeToString([]byte(plantedSignature))} {
		if strings.Contains(err.Error()+de.Hint, secret) {
			t.Errorf("error %q, hint %q hold a secret", err, de.Hint)
		}
	}
	return de
}

// The whole way over TLS: what AWS documents goes out, unsigned, and
// credentials come in.
func TestAssumeRoleWithWebIdentity(t *testing.T) {
	token := jwt(nil)
	date := time.Now().UTC().Truncate(time.Second)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		form, broken := url.ParseQuery(string(body))
		if err != nil || broken != nil || r.Method != "POST" || r.RequestURI != "/" || r.Header.Get("Authorization") != "" {
			t.Errorf("%s %s with %v: %v, %v", r.Method, r.RequestURI, r.Header, err, broken)
		}
		want := url.Values{
			"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {roleARN}, "RoleSessionName": {"pod-1"},
			"DurationSeconds": {"900"}, "WebIdentityToken": {token.Text.Reveal()},
		}
		if diff := cmp.Diff(want, form); diff != "" {
			t.Errorf("form (-want +got):\n%s", diff)
		}
		w.Header().Set("Date", date.Format(http.TimeFormat))
		_, _ = io.WriteString(w, webSuccess(date.Add(15*time.Minute)))
	}))
	defer server.Close()
	w := &WebIdentity{Token: &bearer{token: token}, RoleARN: roleARN, Duration: 15 * time.Minute, SessionName: "pod-1",
		Endpoint: server.URL + "/", Client: server.Client()}
	got, err := w.Credentials(context.Background())
	want := daypass.Credentials{
		AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: plantedKey, SessionToken: plantedToken,
		Issued: date, Expires: date.Add(15 * time.Minute), RoleARN: roleARN, AccountID: "123456789012",
	}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestWebEndpoints(t *testing.T) {
	for want, w := range map[string]*WebIdentity{
		"https://sts.eu-west-1.amazonaws.com/":         {RoleARN: "arn:aws:iam::123456789012:role/r", Region: "eu-west-1"},
		"https://sts-fips.us-east-1.amazonaws.com/":    {RoleARN: "arn:aws:iam::123456789012:role/r", Region: "us-east-1", FIPS: true},
		"https://sts.us-gov-west-1.amazonaws.com/":     {RoleARN: "arn:aws-us-gov:iam::123456789012:role/r", Region: "us-gov-west-1"},
		"https://sts.us-gov-east-1.amazonaws.com/":     {RoleARN: "arn:aws-us-gov:iam::123456789012:role/r", Region: "us-gov-east-1", FIPS: true},
		"https://sts.cn-north-1.amazonaws.com.cn/":     {RoleARN: "arn:aws-cn:iam::123456789012:role/r", Region: "cn-north-1"},
		"https://sts.us-iso-east-1.c2s.ic.gov/":        {RoleARN: "arn:aws-iso:iam::123456789012:role/r", Endpoint: "https://sts.us-iso-east-1.c2s.ic.gov"},
		"http://127.0.0.1:7777/":                       {RoleARN: roleARN, Endpoint: "http://127.0.0.1:7777"},
		"https://vpce-1.sts.eu-west-1.vpce.amazonaws/": {RoleARN: roleARN, Region: "eu-west-1", Endpoint: "https://vpce-1.sts.eu-west-1.vpce.amazonaws"},
	} {
		w.Token = &bearer{}
		call, err := w.prepare()
		if err != nil || call.url != want {
			t.Errorf("%s: got %+v, %v", want, call, err)
		}
	}
}

func TestWrongSettingsOfWebIdentity(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*WebIdentity)
		setting string
	}{
		"no token":                    {func(w *WebIdentity) { w.Token = nil }, "web identity token"},
		"no role":                     {func(w *WebIdentity) { w.RoleARN = "" }, "role ARN"},
		"no ARN":                      {func(w *WebIdentity) { w.RoleARN = "reader" }, "role ARN"},
		"no region":                   {func(w *WebIdentity) { w.Region = "" }, "region"},
		"region that makes a host":    {func(w *WebIdentity) { w.Region = "evil.example/" }, "region"},
		"region of another partition": {func(w *WebIdentity) { w.Region = "cn-north-1" }, "region"},
		"region of none known":        {func(w *WebIdentity) { w.Region = "us-iso-east-1" }, "region"},
		"partition without endpoint":  {func(w *WebIdentity) { w.RoleARN = "arn:aws-iso:iam::123456789012:role/r" }, "endpoint"},
		"FIPS in China": {func(w *WebIdentity) {
			w.RoleARN, w.Region, w.FIPS = "arn:aws-cn:iam::123456789012:role/r", "cn-north-1", true
		}, "FIPS"},
		"duration below":        {func(w *WebIdentity) { w.Duration = time.Minute }, "session duration"},
		"duration above":        {func(w *WebIdentity) { w.Duration = 13 * time.Hour }, "session duration"},
		"part of a second":      {func(w *WebIdentity) { w.Duration = time.Hour + 1 }, "session duration"},
		"session name":          {func(w *WebIdentity) { w.SessionName = "ns/pod" }, "role session name"},
		"endpoint in clear":     {func(w *WebIdentity) { w.Endpoint = "http://10.0.0.1" }, "endpoint"},
		"endpoint with a path":  {func(w *WebIdentity) { w.Endpoint = "https://127.0.0.1/x" }, "endpoint"},
		"endpoint, region none": {func(w *WebIdentity) { w.Endpoint, w.Region = "https://127.0.0.1", "x" }, "region"},
	} {
		f := webFake(nil)
		w := webSource(f)
		c.change(w)
		for what, err := range map[string]error{
			"Check": w.Check(), "Credentials": second(w.Credentials(context.Background())), "MemoryKey": second(w.MemoryKey(context.Background())),
		} {
			ie := (*daypass.InputError)(nil)
			if !errors.As(err, &ie) || ie.Setting != c.setting {
				t.Errorf("%s, %s: got %v, want an InputError of %s", name, what, err, c.setting)
			}
		}
		if n := f.calls.Load(); n != 0 {
			t.Errorf("%s: %d calls were made", name, n)
		}
	}
	if err := webSource(nil).Check(); err != nil {
		t.Errorf("as is: %v", err)
	}
}

func TestRefusalsOfWebIdentity(t *testing.T) {
	const claims = `iss "https://oidc.example.com/id/1", aud "sts.amazonaws.com", sub "system:serviceaccount:shop:reports"`
	signature := base64.RawURLEncoding.EncodeToString([]byte(plantedSignature))
	for name, c := range map[string]struct {
		answer  *http.Response
		code    string
		message string
		hint    string
		soon    bool
		after   time.Duration
	}{
		"not trusted": {reply(403, webError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")),
			"AccessDenied", "Not authorized", claims, false, 0},
		"expired": {reply(400, webError("ExpiredTokenException", "Token expired: current date/time 2 must be before the expiration date/time 1")),
			"ExpiredTokenException", "Token expired", "2027-01-16", false, 0},
		"no provider": {reply(400, webError("InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://oidc.example.com/id/1")),
			"InvalidIdentityToken", "No OpenIDConnect", "create the provider", false, 0},
		"many causes": {reply(400, webError("InvalidIdentityToken", "The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements.")),
			"InvalidIdentityToken", "could not be validated", "find its issuer's keys", false, 0},
		"issuer out of reach": {reply(400, webError("IDPCommunicationError", "m")), "IDPCommunicationError", "m", "", true, 0},
		"unknown words":       {reply(400, webError("Odd", "m")), "Odd", "m", "", false, 0},
		"throttled":           {reply(400, webError("Throttling", "Rate exceeded"), "Retry-After", "7"), "Throttling", "Rate", "", true, 7 * time.Second},
		"failing":             {reply(500, webError("InternalFailure", "m")), "InternalFailure", "m", "", true, 0},
		"a proxy's page":      {reply(502, "<html><body>Bad gateway</body></html>"), codeUnexpected, "502", "proxy", true, 0},
		"JSON":                {reply(403, `{"message":"m"}`), codeUnexpected, "403", "proxy", false, 0},
		"code that is none":   {reply(403, webError("&lt;script&gt;", "m")), codeUnexpected, "403", "proxy", false, 0},
		"half a body":         {half(reply(403, webError("AccessDenied", "m")[:80])), codeUnexpected, "403", "proxy", false, 0},
		"body too long":       {reply(403, strings.Repeat(" ", maxErrorAnswer+1)+webError("X", "m")), codeUnexpected, "403", "proxy", false, 0},
		"leads elsewhere":     {reply(307, "", "Location", "https://elsewhere.example/"), codeUnexpected, "307", "proxy", false, 0},
		"steers a terminal":   {reply(403, webError("X", "a&#10;b&#9;c")), "X", "a b c", "", false, 0},
		"repeats the token":   {reply(400, webError("X", "Value '"+jwt(nil).Text.Reveal()+"' at 'webIdentityToken'")), "X", "Value '[secret]' at", "", false, 0},
		"repeats a part":      {reply(400, webError("X", "signature "+signature+" is wrong")), "X", "signature [secret] is", "", false, 0},
	} {
		f := webFake(func(*http.Request) *http.Response { return c.answer })
		got := webRefused(t, webSource(f))
		if got.Code != c.code || !strings.Contains(got.Message, c.message) || got.Op != opWeb || got.Status != c.answer.StatusCode || got.RequestID != "2f1c-9" {
			t.Errorf("%s: got %+v", name, got)
		}
		if got.Temporary() != c.soon || got.RetryAfter != c.after || !strings.Contains(got.Hint, c.hint) || c.hint == "" && got.Hint != "" {
			t.Errorf("%s: temporary %t, after %s, hint %q", name, got.Temporary(), got.RetryAfter, got.Hint)
		}
		if n := f.calls.Load(); n != 1 {
			t.Errorf("%s: %d calls", name, n)
		}
	}
}

// A claim may hold anything.
func TestHintsOfOddClaims(t *testing.T) {
	w := webSource(webFake(func(*http.Request) *http.Response { return reply(403, webError("AccessDenied", "m")) }))
	w.Token = &bearer{token: jwt(func(c map[string]any) { c["sub"] = "a\x1b[31m\n" + strings.Repeat("é", 3000) })}
	if hint := webRefused(t, w).Hint; strings.ContainsAny(hint, "\n\x1b") || len([]rune(hint)) > 900 {
		t.Errorf("hint %q", hint)
	}
}

func TestWebSuccessWithoutUse(t *testing.T) {
	good := webSuccess(time.Now().Add(time.Hour))
	without := func(field string) string {
		return strings.ReplaceAll(good, field+">", "X>")
	}
	for name, c := range map[string]struct {
		answer  *http.Response
		message string
	}{
		"empty body":           {reply(200, ""), "not the XML"},
		"HTML":                 {reply(200, "<html>"+plantedKey+"</html>"), "not the XML"},
		"JSON":                 {reply(200, success(time.Now().Add(time.Hour))), "not the XML"},
		"another answer":       {reply(200, strings.ReplaceAll(good, "WithWebIdentity", "WithSAML")), "not the XML"},
		"another result":       {reply(200, strings.ReplaceAll(good, "WithWebIdentityResult", "WithSAMLResult")), "lack accessKeyId"},
		"more after it":        {reply(200, good+good), "not the XML"},
		"words after it":       {reply(200, good+plantedKey), "not the XML"},
		"an entity of its own": {reply(200, `<!DOCTYPE x [<!ENTITY e "`+plantedKey+`">]>`+strings.Replace(good, "ASIAEXAMPLE", "&e;", 1)), "not the XML"},
		"half a body":          {half(reply(200, good[:len(good)/2])), "not whole"},
		"half, well ended":     {reply(200, good[:len(good)/2]), "not the XML"},
		"too long":             {reply(200, strings.Repeat(" ", maxAnswer)+good), "longer than"},
		"no access key":        {reply(200, without("AccessKeyId")), "lack accessKeyId"},
		"no secret key":        {reply(200, without("SecretAccessKey")), "lack secretAccessKey"},
		"no session token":     {reply(200, without("SessionToken")), "lack sessionToken"},
		"no expiration":        {reply(200, without("Expiration")), "lack expiration"},
		"key with a space":     {reply(200, strings.Replace(good, plantedKey, plantedKey+" x", 1)), "secretAccessKey"},
		"expired":              {reply(200, webSuccess(time.Now().Add(-time.Second))), "had expired"},
	} {
		got := webRefused(t, webSource(webFake(func(*http.Request) *http.Response { return c.answer })))
		if got.Code != codeInvalid || !strings.Contains(got.Message, c.message) || got.Hint == "" || got.Op != opWeb {
			t.Errorf("%s: got %+v, want %q", name, got, c.message)
		}
	}
}

// Expiry is on the local clock where that is plainly wrong, else on AWS's.
func TestWebIdentityWithAWrongClock(t *testing.T) {
	for _, c := range []struct{ skew, shift time.Duration }{
		{0, 0}, {3 * time.Minute, 0}, {20 * time.Minute, 20*time.Minute + time.Second}, {-20 * time.Minute, -20*time.Minute + time.Second}, // a Date has no fractions
	} {
		synctest.Test(t, func(t *testing.T) {
			aws := func() time.Time { return time.Now().Add(c.skew) }
			f := webFake(func(*http.Request) *http.Response { return reply(200, webSuccess(aws().Add(time.Hour))) })
			f.now = aws
			got, err := webSource(f).Credentials(context.Background())
			if want := aws().Add(time.Hour - c.shift); err != nil || got.Life() != time.Hour || !got.Expires.Equal(want) {
				t.Errorf("%s: expires %s, want %s, life %s, %v", c.skew, got.Expires, want, got.Life(), err)
			}
		})
	}
}

func TestWebIdentityWithoutAnswer(t *testing.T) {
	_, err := webSource(deaf{}).Credentials(context.Background())
	if de := (*daypass.Error)(nil); err == nil || errors.As(err, &de) || !strings.Contains(err.Error(), "calling AssumeRoleWithWebIdentity at sts.eu-west-1.amazonaws.com") {
		t.Errorf("got %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		_, err := webSource(hanging{}).Credentials(context.Background())
		if !errors.Is(err, errNoAnswer) || time.Since(begin) != attemptTimeout {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
	})
}

func TestErrorsOfTheTokenComeThrough(t *testing.T) {
	f := webFake(nil)
	w := webSource(f)
	w.Token = &proof.TokenFile{Path: t.TempDir()}
	fe := (*proof.FileError)(nil)
	if _, err := w.Credentials(context.Background()); !errors.As(err, &fe) {
		t.Errorf("Credentials: got %v", err)
	}
	if _, err := w.MemoryKey(context.Background()); !errors.As(err, &fe) || f.calls.Load() != 0 {
		t.Errorf("MemoryKey: got %v after %d calls", err, f.calls.Load())
	}
}

// A token may cost a call of its own: naming the credentials and getting them
// takes one, and nobody gets an old one.
func TestOneTokenForNameAndCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bearer{token: jwt(nil)}
		w := webSource(webFake(nil))
		w.Token = b
		ask := func(asked int64) {
			t.Helper()
			if _, err := w.Credentials(context.Background()); err != nil || b.asked.Load() != asked {
				t.Fatalf("%v after %d tokens, want %d", err, b.asked.Load(), asked)
			}
		}
		name := func() {
			t.Helper()
			if _, err := w.MemoryKey(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		name()
		ask(1)
		ask(2)
		name()
		time.Sleep(keptFor)
		ask(4)
	})
}

func TestMemoryKeyOfWebIdentity(t *testing.T) {
	key := func(change func(*WebIdentity)) string {
		t.Helper()
		w := webSource(nil)
		change(w)
		k, err := w.MemoryKey(context.Background())
		if err != nil || len(k) != 64 {
			t.Fatalf("got %q, %v", k, err)
		}
		return k
	}
	same := key(func(*WebIdentity) {})
	claim := func(name string, value any) func(*WebIdentity) {
		return func(w *WebIdentity) { w.Token = &bearer{token: jwt(func(c map[string]any) { c[name] = value })} }
	}
	for name, change := range map[string]func(*WebIdentity){
		"renewed token":           claim("exp", 1900000000),
		"client":                  func(w *WebIdentity) { w.Client = through("") },
		"AWS's own endpoint said": func(w *WebIdentity) { w.Endpoint = "https://sts.eu-west-1.amazonaws.com" },
		"session name's default":  func(w *WebIdentity) { w.SessionName = "daypass" },
	} {
		if key(change) != same {
			t.Errorf("%s: the key differs", name)
		}
	}
	seen := map[string]string{same: "nothing"}
	for name, change := range map[string]func(*WebIdentity){
		"proxy":        func(w *WebIdentity) { w.Client = through("127.0.0.1:7777") },
		"subject":      claim("sub", "another"),
		"audience":     claim("aud", "another"),
		"issuer":       claim("iss", "another"),
		"session tags": claim("https://aws.amazon.com/tags", map[string]any{}),
		"role":         func(w *WebIdentity) { w.RoleARN += "2" },
		"duration":     func(w *WebIdentity) { w.Duration = time.Hour },
		"session name": func(w *WebIdentity) { w.SessionName = "ab" },
		"region":       func(w *WebIdentity) { w.Region = "us-east-1" },
		"FIPS":         func(w *WebIdentity) { w.FIPS = true },
		"endpoint":     func(w *WebIdentity) { w.Endpoint = "https://127.0.0.1:7777" },
	} {
		k := key(change)
		if other, taken := seen[k]; taken {
			t.Errorf("%s gives the same key as %s", name, other)
		}
		seen[k] = name
	}
}

func FuzzWebAnswer(f *testing.F) {
	f.Add(200, webSuccess(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), "", "Thu, 01 Jan 2026 00:00:00 GMT")
	f.Add(400, webError("InvalidIdentityToken", "Incorrect token audience"), "", "")
	f.Add(400, webError("Throttling", "Rate exceeded"), "120", "")
	f.Add(403, webError("AccessDenied", jwt(nil).Text.Reveal()), "", "")
	f.Add(502, "<html>", "9999999999999", "x")
	now := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	token := jwt(nil)
	f.Fuzz(func(t *testing.T, status int, body, after, date string) {
		a := &answer{op: opWeb, status: status, body: []byte(body), header: http.Header{"Retry-After": {after}, "Date": {date}}}
		got, err := a.webCredentials(arn{text: roleARN, account: "123456789012"}, token, now)
		de := (*daypass.Error)(nil)
		switch {
		case err == nil:
			if !a.success() || !got.Whole() || got.Life() <= 0 {
				t.Fatalf("status %d gave %+v of life %s", status, got, got.Life())
			}
			return
		case got != daypass.Credentials{}:
			t.Fatalf("%+v came with %v", got, err)
		case !errors.As(err, &de) || de.Code == "" || de.RetryAfter < 0:
			t.Fatalf("got %#v", err)
		}
		said := fmt.Sprint(err, de.Hint)
		if strings.ContainsAny(said, "\n\r\x1b") || strings.Contains(said, token.Text.Reveal()) {
			t.Fatalf("%q breaks the line or holds the token", said)
		}
		if a.success() && strings.Contains(said, plantedKey) {
			t.Fatalf("%q quotes a success", said)
		}
	})
}

var _ daypass.Source = (*WebIdentity)(nil)
