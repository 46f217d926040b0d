package page

import (
	gohtml "html"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"daypass.dev/reason"
	"daypass.dev/sandbox/world"
)

func ask(t *testing.T, h http.Handler, query string, change func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:7777"+Path+query, nil)
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func refusal() world.Decision {
	return world.Decision{
		Time: time.Now(), Service: "sts", Operation: "AssumeRole", Caller: "arn:aws:iam::111122223333:user/ann", Status: 403,
		Code: "AccessDenied", Message: "no <b>role</b> trust policy allows", Reason: "policy-condition", Detail: `sts:ExternalId is "green", wanted "blue"`,
		Mend: "send blue", SessionName: "s", Tags: map[string]string{"Team": "<script>alert(1)</script>"},
		Checks: []world.Check{{Action: "sts:AssumeRole", Resource: "arn:aws:iam::111122223333:role/auditor", Layer: "role trust policy", Policy: "trust policy", Statement: 1, Line: 3}},
	}
}

func TestForeignRequestsAreRefused(t *testing.T) {
	h := Handler(world.New())
	for name, change := range map[string]func(*http.Request){
		"a web page's name":    func(r *http.Request) { r.Host = "evil.example:7777" },
		"a name like ours":     func(r *http.Request) { r.Host = "localhost.evil.example" },
		"no host":              func(r *http.Request) { r.Host = "" },
		"another site":         func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"a cross-site request": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"a same-site request":  func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
	} {
		if w := ask(t, h, "", change); w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "<article") {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if w := ask(t, h, "", func(r *http.Request) { r.Method = http.MethodPost }); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
	for name, change := range map[string]func(*http.Request){
		"localhost": func(r *http.Request) { r.Host = "localhost:7777" },
		"IPv6":      func(r *http.Request) { r.Host = "[::1]:7777" },
		"typed in":  func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "none") },
		"a filter":  func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") },
	} {
		if w := ask(t, h, "", change); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestOnlyItsOwnPathIsThePage(t *testing.T) {
	for url, want := range map[string]bool{
		"http://127.0.0.1/_sandbox/": true, "http://127.0.0.1/_sandbox": true, "http://127.0.0.1/_sandbox/x": false, "http://127.0.0.1/_sandbox/reason/policy-condition": true, "http://127.0.0.1/": false,
		"https://reports.s3.us-east-1.amazonaws.com/_sandbox/": false, "https://reports.s3.us-east-1.amazonaws.com/_sandbox/reason/x": false, "https://reports.s3.cn-north-1.amazonaws.com.cn/_sandbox/": false,
	} {
		if got := Asked(httptest.NewRequest(http.MethodGet, url, nil)); got != want {
			t.Errorf("%s: %v", url, got)
		}
	}
}

func TestADecisionIsFiveBoxes(t *testing.T) {
	w := world.New()
	w.Record(refusal())
	body := ask(t, Handler(w), "", nil).Body.String()
	for _, want := range []string{
		"<dt>Proof</dt><dd>arn:aws:iam::111122223333:user/ann", "<dt>Session</dt><dd>s<", "<dt>Tags</dt><dd>Team = &lt;script&gt;", "<dt>Policies</dt><dd>sts:AssumeRole",
		"statement 1 of trust policy, line 3", "<dt>Decision</dt><dd>403 AccessDenied", ">policy-condition</a>: sts:ExternalId is &#34;green&#34;", "send blue",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not on the page\n%s", want, body)
		}
	}
	if strings.Contains(body, "<script") || strings.Contains(body, "<b>role") {
		t.Error("a decision's text is markup")
	}
}

func TestFilters(t *testing.T) {
	w := world.New()
	w.Record(refusal())
	for range 120 {
		w.Record(world.Decision{Time: time.Now(), Service: "s3", Operation: "GetObject", Caller: "arn:aws:sts::111122223333:assumed-role/reader/x", Status: 200, Allowed: true})
	}
	h := Handler(w)
	for query, want := range map[string]int{
		"": 50, "?page=1": 50, "?page=2": 21, "?page=99": 50, "?page=-1": 50, "?page=x": 50,
		"?verdict=refused": 1, "?verdict=allowed&page=2": 20, "?service=sts": 1, "?reason=policy-condition": 1, "?role=AUDITOR": 1, "?role=reader": 50,
		"?service=sts&verdict=allowed": 0,
	} {
		if got := strings.Count(ask(t, h, query, nil).Body.String(), "<article"); got != want {
			t.Errorf("%s: %d calls, want %d", query, got, want)
		}
	}
	if w := ask(t, h, "?live=on", nil); w.Header().Get("Refresh") == "" {
		t.Error("a live page is not read anew")
	}
	if w := ask(t, h, "", nil); w.Header().Get("Refresh") != "" || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%v", w.Header())
	}
}

// A call's reason leads to what it means, and to nothing of anybody else's.
func TestReasonsAreExplained(t *testing.T) {
	w := world.New()
	w.Record(refusal())
	h := Handler(w)
	body := ask(t, h, "", nil).Body.String()
	_, rest, ok := strings.Cut(body, `<a href="/_sandbox/reason/policy-condition">`)
	if !ok || !strings.HasPrefix(rest, "policy-condition</a>") {
		t.Fatalf("no link on the page\n%s", body)
	}
	row, _ := reason.Lookup("policy-condition")
	got := ask(t, h, "reason/policy-condition", nil)
	for _, want := range []string{gohtml.EscapeString(row.Cause), gohtml.EscapeString(row.Mend), "daypassctl explain policy-condition", `href="/_sandbox/"`} {
		if got.Code != http.StatusOK || !strings.Contains(got.Body.String(), want) {
			t.Errorf("%d lacks %q: %s", got.Code, want, got.Body)
		}
	}
	if got := ask(t, h, "reason/%3Cscript%3E", nil); got.Code != http.StatusNotFound || strings.Contains(got.Body.String(), "script") {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	if got := ask(t, h, "reason/policy-condition", func(r *http.Request) { r.Host = "evil.example" }); got.Code != http.StatusForbidden {
		t.Errorf("a foreign host: %d", got.Code)
	}
}

func FuzzQuery(f *testing.F) {
	f.Add("verdict=refused&page=1&role=%3Cscript%3E")
	f.Fuzz(func(t *testing.T, query string) {
		w := world.New()
		w.Record(refusal())
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+Path, nil)
		r.URL.RawQuery = query
		out := httptest.NewRecorder()
		Handler(w).ServeHTTP(out, r)
		if out.Code != http.StatusOK || strings.Contains(out.Body.String(), "<script") {
			t.Errorf("%d %s", out.Code, out.Body)
		}
	})
}
