package exchange

import (
	"context"
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

func TestRefusals(t *testing.T) {
	const html = "<html><body>Bad gateway</body></html>"
	const kind = "X-Amzn-Errortype"
	date := time.Now().UTC().Truncate(time.Second)
	for name, c := range map[string]struct {
		answer *http.Response
		want   daypass.Error // without Hint
		soon   bool          // Temporary
	}{
		"code in the header": {reply(403, `{"message":"Untrusted certificate"}`, kind, "AccessDeniedException"),
			daypass.Error{Code: "AccessDeniedException", Message: "Untrusted certificate"}, false},
		"code with its home": {reply(404, `{"message":"m"}`, kind, "ResourceNotFoundException:http://internal.amazon.com/coral/"),
			daypass.Error{Code: "ResourceNotFoundException", Message: "m"}, false},
		"code in __type": {reply(400, `{"__type":"com.amazonaws#ValidationException","message":"m"}`),
			daypass.Error{Code: "ValidationException", Message: "m"}, false},
		"code in code": {reply(400, `{"code":"ValidationException","Message":"m"}`),
			daypass.Error{Code: "ValidationException", Message: "m"}, false},
		"header over body": {reply(400, `{"code":"B"}`, kind, "A"), daypass.Error{Code: "A"}, false},
		"half a body":      {half(reply(403, `{"message":"Untr`, kind, "AccessDeniedException")), daypass.Error{Code: "AccessDeniedException"}, false},
		"body too long": {reply(403, strings.Repeat(" ", maxErrorAnswer+1)+`{"message":"m"}`, kind, "AccessDeniedException"),
			daypass.Error{Code: "AccessDeniedException"}, false},
		"a proxy's page": {reply(502, html), daypass.Error{Code: codeUnexpected, Message: "status 502 without AWS's error code"}, true},
		"code that is none": {reply(403, "", kind, "<script>"),
			daypass.Error{Code: codeUnexpected, Message: "status 403 without AWS's error code"}, false},
		"failure of the service": {reply(500, `{"message":"m"}`, kind, "InternalFailure"),
			daypass.Error{Code: "InternalFailure", Message: "m"}, true},
		"throttled for seconds": {reply(429, `{}`, kind, "ThrottlingException", "Retry-After", "7"),
			daypass.Error{Code: "ThrottlingException", RetryAfter: 7 * time.Second}, true},
		"throttled until a date": {reply(429, `{}`, kind, "ThrottlingException", "Date", date.Format(http.TimeFormat),
			"Retry-After", date.Add(90*time.Second).Format(http.TimeFormat)),
			daypass.Error{Code: "ThrottlingException", RetryAfter: 90 * time.Second}, true},
		"throttled until long ago": {reply(429, `{}`, kind, "ThrottlingException", "Retry-After", "Mon, 02 Jan 2006 15:04:05 GMT"),
			daypass.Error{Code: "ThrottlingException"}, true},
		"a proxy that throttles": {reply(503, html, "Retry-After", "30"),
			daypass.Error{Code: codeUnexpected, Message: "status 503 without AWS's error code", RetryAfter: 30 * time.Second}, true},
		"Retry-After that is none": {reply(429, `{}`, kind, "ThrottlingException", "Retry-After", "-5 soon"),
			daypass.Error{Code: "ThrottlingException"}, true},
		"message that steers a terminal": {reply(403, `{"message":"a\u001b[31m\nb"}`, kind, "X"), daypass.Error{Code: "X", Message: "a [31m b"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{respond: func(*http.Request) *http.Response { return c.answer }}
			got := refused(t, source(t, f))
			c.want.Op, c.want.Status, c.want.RequestID = op, c.answer.StatusCode, "2f1c-9"
			without := *got
			without.Hint = ""
			if without != c.want {
				t.Errorf("got %+v, want %+v", without, c.want)
			}
			if got.Temporary() != c.soon {
				t.Errorf("Temporary is %t", got.Temporary())
			}
			if n := f.calls.Load(); n != 1 {
				t.Errorf("%d calls, want 1", n)
			}
		})
	}
}

func TestLongMessageIsCut(t *testing.T) {
	f := &fake{respond: func(*http.Request) *http.Response {
		return reply(403, `{"message":"`+strings.Repeat("é", 5000)+`"}`, "X-Amzn-Errortype", "X")
	}}
	if got := []rune(refused(t, source(t, f)).Message); len(got) != 1001 {
		t.Errorf("message has %d characters", len(got))
	}
}

// half lets an answer's body break off where it ends.
func half(r *http.Response) *http.Response {
	r.Body = io.NopCloser(io.MultiReader(r.Body, failing{}))
	return r
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// A success that cannot be used is an error, and never quoted: it may hold a
// key all the same.
func TestSuccessWithoutUse(t *testing.T) {
	soon := time.Now().Add(time.Hour)
	good := success(soon)
	stamp := soon.UTC().Format(time.RFC3339)
	without := func(field string) string { return strings.Replace(good, `"`+field+`"`, `"x"`, 1) }
	for name, c := range map[string]struct {
		answer  *http.Response
		code    string
		message string
	}{
		"empty body":               {reply(201, ""), codeInvalid, "not the JSON"},
		"HTML":                     {reply(200, "<html>"+plantedKey), codeInvalid, "not the JSON"},
		"wrong type":               {reply(201, strings.Replace(good, `"ASIAEXAMPLE"`, `{"a":1}`, 1)), codeInvalid, "not the JSON"},
		"more after the JSON":      {reply(201, good+plantedKey), codeInvalid, "not the JSON"},
		"half a body":              {half(reply(201, good[:len(good)/2])), codeInvalid, "unexpected EOF"},
		"half a body, well ended":  {reply(201, good[:len(good)/2]), codeInvalid, "not the JSON"},
		"whole body, then a reset": {half(reply(201, good)), codeInvalid, "unexpected EOF"},
		"too long":                 {reply(201, strings.Repeat(" ", maxAnswer)+good), codeInvalid, "longer than"},
		"null":                     {reply(201, "null"), codeInvalid, "no credentials"},
		"empty object":             {reply(201, "{}"), codeInvalid, "no credentials"},
		"empty set":                {reply(201, `{"credentialSet":[]}`), codeInvalid, "no credentials"},
		"empty credentials":        {reply(201, `{"credentialSet":[{}]}`), codeInvalid, "lack accessKeyId"},
		"no access key":            {reply(201, without("accessKeyId")), codeInvalid, "lack accessKeyId"},
		"no secret key":            {reply(201, without("secretAccessKey")), codeInvalid, "lack secretAccessKey"},
		"no session token":         {reply(201, without("sessionToken")), codeInvalid, "lack sessionToken"},
		"no expiration":            {reply(201, without("expiration")), codeInvalid, "lack expiration"},
		"key with a line break":    {reply(201, strings.Replace(good, plantedKey, plantedKey+`\n`, 1)), codeInvalid, "secretAccessKey"},
		"expiration no time":       {reply(201, strings.Replace(good, stamp, plantedToken, 1)), codeInvalid, "no time"},
		"expired":                  {reply(201, success(time.Now().Add(-time.Second))), codeInvalid, "had expired"},
		"year 1":                   {reply(201, strings.Replace(good, stamp, "0001-01-01T00:00:00Z", 1)), codeInvalid, "had expired"},
		"policies too large":       {reply(201, strings.Replace(good, `Size":10`, `Size":104`, 1)), codePacked, "104 %"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{respond: func(*http.Request) *http.Response { return c.answer }}
			got := refused(t, source(t, f))
			if got.Code != c.code || !strings.Contains(got.Message, c.message) || got.Hint == "" {
				t.Errorf("got %+v, want %s with %q and a hint", got, c.code, c.message)
			}
			status := c.answer.StatusCode
			if c.code == codePacked { // which no other try mends
				status = http.StatusBadRequest
			}
			if got.Status != status || got.RequestID == "" {
				t.Errorf("got status %d, request %q", got.Status, got.RequestID)
			}
		})
	}
}

// The answer's Date is AWS's clock; without it the local clock stands in.
func TestIssuedIsAWSsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{respond: func(*http.Request) *http.Response {
			return reply(201, success(time.Now().Add(time.Hour)), "Date", "no date")
		}}
		got, err := source(t, f).Credentials(context.Background())
		if err != nil || got.Life() != time.Hour {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestTimeoutOfOneAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := source(t, nil)
		r.Client = &http.Client{Transport: hanging{}}
		begin := time.Now()
		_, err := r.Credentials(context.Background())
		if !errors.Is(err, errNoAnswer) || time.Since(begin) != attemptTimeout {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := r.Credentials(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a shorter context: %v", err)
		}
	})
}

type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
}

func FuzzAnswer(f *testing.F) {
	f.Add(201, success(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), "", "", "Thu, 01 Jan 2026 00:00:00 GMT")
	f.Add(201, `{"credentialSet":[{"credentials":{"accessKeyId":"A","secretAccessKey":"`+plantedKey+`"}}]}`, "", "", "")
	f.Add(403, `{"message":"Untrusted certificate. Insufficient certificate"}`, "AccessDeniedException:http://x", "120", "")
	f.Add(429, `{"__type":"a#ThrottlingException"}`, "", "Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 1999 23:59:58 GMT")
	f.Add(502, "<html>", "", "9999999999999", "x")
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, status int, body, kind, after, date string) {
		a := &answer{status: status, body: []byte(body), header: http.Header{
			"X-Amzn-Errortype": {kind}, "Retry-After": {after}, "Date": {date},
		}}
		got, err := a.credentials(arn{text: roleARN, account: "123456789012"}, now)
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
		if strings.ContainsAny(said, "\n\r\x1b") {
			t.Fatalf("%q breaks the line", said)
		}
		if a.success() && strings.Contains(said, plantedKey) {
			t.Fatalf("%q quotes a success", said)
		}
	})
}
