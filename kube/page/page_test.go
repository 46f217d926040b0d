package page

import (
	"context"
	"errors"
	gohtml "html"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"daypass.dev/kube/survey"
	"daypass.dev/reason"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) // never changed

func in(d time.Duration) *time.Time { at := now.Add(d); return &at }

const role = "arn:aws:iam::111122223333:role/reader"

// sick lacks credentials, long and short have them, mended was refused before.
func sick() survey.Workload {
	return survey.Workload{
		Namespace: "shop", Pod: "sick", ServiceAccount: "web", Node: "n1", Method: "web-identity", Role: role, Rule: "association", Association: "web",
		Delivery: "agent", Reason: "policy-condition", Detail: "<script>alert(1)</script> is not shop",
	}
}

func long() survey.Workload {
	return survey.Workload{
		Namespace: "shop", Pod: "long", ServiceAccount: "web", Node: "n1", Method: "roles-anywhere", Role: role, Delivery: "agent", Ready: true,
		CredentialsExpire: in(50 * time.Minute), CertificateExpires: in(11 * time.Hour), LastOK: in(-3 * time.Minute),
	}
}

func brief() survey.Workload {
	return survey.Workload{
		Namespace: "back", Pod: "brief", ServiceAccount: "web", Node: "n2", Method: "web-identity", Role: role, Delivery: "agent", Ready: true,
		CredentialsExpire: in(5 * time.Minute), LastRefusal: &survey.Refusal{Reason: "AccessDenied", Detail: "not authorized", At: now.Add(-time.Hour)},
	}
}

func quiet() survey.Workload {
	return survey.Workload{Namespace: "back", Pod: "quiet", ServiceAccount: "web", Method: "roles-anywhere", Role: role, Delivery: "sidecar", Ready: true}
}

func refused() survey.Workload {
	return survey.Workload{Namespace: "back", ServiceAccount: "denied", Reason: "role-arn-malformed", Detail: "reader is no ARN"}
}

func status() *survey.Status {
	return &survey.Status{
		At: now, Workloads: []survey.Workload{quiet(), long(), sick(), brief(), refused()},
		Programs: []survey.Program{{Name: "daypass-webhook", Ready: 1, Want: 2}},
		Agents: []survey.Agent{
			{Node: "n1", Ready: true, Upstream: map[string]bool{"web-identity": false, "eks": true}}, {Node: "n2", Ready: true, Upstream: map[string]bool{"web-identity": true}},
			{Node: "n3", Ready: true, Unseen: "the credentials here may not read it"},
		},
		Unseen: []string{"Events: the credentials here may not read it"},
	}
}

func serving(s *survey.Status) *Page {
	return New(func(context.Context) (*survey.Status, error) { return s, nil })
}

func ask(t *testing.T, p *Page, path string, change func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:7777"+path, nil)
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

// Only who has the address, on this machine and by no other site, sees it.
func TestStrangersAreRefused(t *testing.T) {
	p := serving(status())
	if len(p.Path()) < 20 || p.Path() == serving(status()).Path() {
		t.Errorf("%s can be guessed", p.Path())
	}
	for name, row := range map[string]struct {
		path   string
		change func(*http.Request)
		code   int
	}{
		"no path":                 {"/", nil, 404},
		"half a path":             {p.Path()[:10], nil, 404},
		"another path":            {"/" + strings.Repeat("A", len(p.Path())-2) + "/", nil, 404},
		"below it":                {p.Path() + "x", nil, 404},
		"reasons, without":        {"/reason/policy-condition", nil, 404},
		"a foreign host":          {p.Path(), func(r *http.Request) { r.Host = "evil.example" }, 403},
		"another site":            {p.Path(), func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403},
		"cross-site":              {p.Path(), func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"a foreign host's reason": {p.Path() + "reason/policy-condition", func(r *http.Request) { r.Host = "evil.example" }, 403},
		"POST":                    {p.Path(), func(r *http.Request) { r.Method = http.MethodPost }, 405},
		"no such reason":          {p.Path() + "reason/nothing", nil, 404},
		"a reason":                {p.Path() + "reason/policy-condition", nil, 200},
		"the page":                {p.Path(), nil, 200},
		"IPv6":                    {p.Path(), func(r *http.Request) { r.Host = "[::1]:7777" }, 200},
	} {
		w := ask(t, p, row.path, row.change)
		if w.Code != row.code || row.code != 200 && strings.Contains(w.Body.String(), "shop") {
			t.Errorf("%s: %d %.200s", name, w.Code, w.Body)
		}
	}
	w := ask(t, p, p.Path(), nil)
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || w.Header().Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%v", w.Header())
	}
}

// What is urgent stands first: what lacks something, then what ends first.
func TestOrderAndWords(t *testing.T) {
	body := ask(t, serving(status()), "", func(r *http.Request) {}).Body.String()
	if body != "404 page not found\n" {
		t.Fatal(body)
	}
	p := serving(status())
	body = ask(t, p, p.Path(), nil).Body.String()
	last := 0
	for _, name := range []string{"shop/sick", "back/denied, no pod", "back/brief", "shop/long", "back/quiet"} {
		at := strings.Index(body, name+"</span>")
		if at < last {
			t.Errorf("%s stands at %d, what comes before it at %d", name, at, last)
		}
		last = max(at, last)
	}
	row, _ := reason.Lookup("policy-condition")
	for _, want := range []string{
		"5 of 5 workloads, as of 05:06:07 UTC; 2 lack", "daypass-webhook: 1 of 2 ready", "1 agent without trouble",
		"agent on n1: ready, AWS answers eks, AWS does not answer web-identity", "agent on n3: ready, no more was seen: the credentials", "not seen: Events",
		`reason/policy-condition">policy-condition</a>`, "<em>Mend:</em> " + gohtml.EscapeString(row.Mend), "&lt;script&gt;alert(1)&lt;/script&gt; is not shop",
		"daypassctl doctor pod/sick -n shop", `aria-label="credentials end in 50m, certificate end in 11h"`, "AWS last gave some 3m ago",
		"<strong>AccessDenied</strong>, 60m ago, perhaps mended since", "known to the pod alone", "from association web", "marks are 3h apart",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if strings.Contains(body, "<script") || t.Failed() {
		t.Error(body)
	}
}

func TestFilters(t *testing.T) {
	s := status()
	for range 120 {
		s.Workloads = append(s.Workloads, quiet())
	}
	p := serving(s)
	for query, want := range map[string]int{
		"": 50, "?page=2": 25, "?page=9": 50, "?state=lacking": 2, "?state=well&page=2": 23, "?namespace=shop": 2, "?method=web-identity": 2,
		"?reason=policy-condition": 1, "?text=SICK": 1, "?text=role/reader&namespace=shop": 2, "?text=n2": 1, "?namespace=none": 0,
	} {
		if got := strings.Count(ask(t, p, p.Path()+query, nil).Body.String(), "<article"); got != want {
			t.Errorf("%s: %d workloads, want %d", query, got, want)
		}
	}
	if w := ask(t, p, p.Path()+"?live=on", nil); w.Header().Get("Refresh") == "" {
		t.Error("a live page is not read anew")
	}
}

// The cluster is asked once for readers who come together, and what it answers
// to a failure is said.
func TestReading(t *testing.T) {
	reads := 0
	fail := error(nil)
	p := New(func(context.Context) (*survey.Status, error) {
		reads++
		s := status()
		s.At = time.Now()
		return s, fail
	})
	for range 5 {
		ask(t, p, p.Path(), nil)
	}
	if reads != 1 {
		t.Errorf("%d reads", reads)
	}
	p = New(func(context.Context) (*survey.Status, error) { return nil, errors.New("listing pods: forbidden") })
	if w := ask(t, p, p.Path(), nil); w.Code != http.StatusBadGateway || !strings.Contains(w.Body.String(), "forbidden") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestTimeline(t *testing.T) {
	for _, row := range []struct {
		ends  []time.Duration
		every string
		width []int
	}{
		{nil, "", nil},
		{[]time.Duration{30 * time.Minute}, "15m", []int{500}},
		{[]time.Duration{-time.Minute, time.Hour}, "15m", []int{6, 1000}},
		{[]time.Duration{time.Hour, 6 * time.Hour}, "3h", []int{111, 666}},
		{[]time.Duration{10 * time.Hour}, "3h", []int{833}},
		{[]time.Duration{36 * time.Hour}, "24h", []int{500}},
		{[]time.Duration{5000 * 24 * time.Hour}, "100d", []int{1000}},
	} {
		var all []survey.Workload
		for _, end := range row.ends {
			all = append(all, survey.Workload{CredentialsExpire: in(end)})
		}
		s := scaleOf(now, all)
		if s.Every != row.every {
			t.Errorf("%v: marks are %s apart, want %s", row.ends, s.Every, row.every)
		}
		for i, w := range row.width {
			got := s.bars(now, &all[i])
			if len(got) != 1 || got[0].Width != w || got[0].Over != (row.ends[i] <= 0) {
				t.Errorf("%s of %v: %+v, want %d", row.ends[i], row.ends, got, w)
			}
		}
	}
}

func FuzzQuery(f *testing.F) {
	f.Add("state=lacking&page=1&text=%3Cscript%3E")
	p := serving(status())
	f.Fuzz(func(t *testing.T, query string) {
		w := ask(t, p, p.Path(), func(r *http.Request) { r.URL.RawQuery = query })
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "<script") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
