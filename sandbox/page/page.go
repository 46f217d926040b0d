// Package page shows a sandbox's decisions in a browser, at /_sandbox/: the
// latest calls, newest first, each as five boxes: proof, session, tags, policies,
// decision. It is written on the server, without scripts and without anything
// from elsewhere, and only ever reads.
//
// Decisions hold no secrets. Still the page is for who sits at this machine: the
// Host must be an address or localhost, so that no web page's name can be made
// to point here, and requests that another site caused are refused.
package page

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"daypass.dev/reason"
	"daypass.dev/sandbox/world"
)

var (
	//go:embed page.html
	html string
	//go:embed style.css
	style string
)

// Path is where the page is.
const Path = "/_sandbox/"

// Asked tells whether a request is for the page, and not for a service: no host
// name of AWS's leads to it.
func Asked(r *http.Request) bool {
	return (r.URL.Path == Path || r.URL.Path+"/" == Path) && !strings.Contains(hostOf(r), "amazonaws")
}

func hostOf(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		return host
	}
	return strings.Trim(r.Host, "[]")
}

// Handler serves the page of a world.
func Handler(w *world.World) http.Handler {
	t := template.Must(template.New("page").Funcs(template.FuncMap{"style": func() template.CSS { return template.CSS(style) }}).Parse(html))
	sum := sha256.Sum256([]byte(style))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		h := out.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if why := refused(r); why != "" {
			http.Error(out, why, http.StatusForbidden)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(out, "the page is only read", http.StatusMethodNotAllowed)
			return
		}
		q := r.URL.Query()
		if q.Get("live") == "on" {
			h.Set("Refresh", "2")
		}
		h.Set("Content-Type", "text/html; charset=utf-8")
		_ = t.Execute(out, view(w.Decisions(), q)) // the browser has gone
	})
}

// refused says why a request is not answered; empty if it is.
func refused(r *http.Request) string {
	if host := hostOf(r); host != "localhost" && net.ParseIP(host) == nil {
		return "call the page by an IP address or localhost"
	}
	if r.Header.Get("Origin") != "" {
		return "another site asked for this page"
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "none" && site != "same-origin" {
		return "another site asked for this page"
	}
	return ""
}

// perPage is how many decisions a page shows.
const perPage = 50

// A shown page is what the template writes.
type shown struct {
	Query            filter
	Live             bool
	Calls            []call
	Total, Fit       int
	Newer, Older     string // links; empty: there are none
	Toggle           string // link that turns live on or off
	Services         []string
	Reasons, Callers []string
	Now              string
}

// A filter is what the reader asked for; empty fields take in everything.
type filter struct{ Verdict, Service, Role, Reason string }

func (f filter) fits(d world.Decision) bool {
	switch {
	case f.Verdict == "allowed" && !d.Allowed, f.Verdict == "refused" && d.Allowed,
		f.Service != "" && d.Service != f.Service,
		f.Reason != "" && d.Reason != f.Reason,
		f.Role != "" && !strings.Contains(strings.ToLower(d.Caller+" "+target(d)), strings.ToLower(f.Role)):
		return false
	}
	return true
}

// target is what the last check was about: the role that was to be assumed, the
// object that was to be read.
func target(d world.Decision) string {
	if len(d.Checks) == 0 {
		return d.Path
	}
	return d.Checks[len(d.Checks)-1].Resource
}

// A call is one decision as it is shown.
type call struct {
	world.Decision
	At, Target, Cause string
	Tags              []tag
	Deciding          *world.Check // that refused, or the last
}

type tag struct{ Key, Value string }

func view(all []world.Decision, q url.Values) shown {
	slices.Reverse(all)
	s := shown{
		Query: filter{q.Get("verdict"), q.Get("service"), q.Get("role"), q.Get("reason")},
		Live:  q.Get("live") == "on", Total: len(all), Now: time.Now().UTC().Format(time.TimeOnly),
	}
	services, reasons := map[string]bool{}, map[string]bool{}
	var fit []world.Decision
	for _, d := range all {
		services[d.Service] = true
		if d.Reason != "" {
			reasons[d.Reason] = true
		}
		if s.Query.fits(d) {
			fit = append(fit, d)
		}
	}
	s.Services, s.Reasons, s.Fit = sorted(services), sorted(reasons), len(fit)
	page, err := strconv.Atoi(q.Get("page"))
	if err != nil || page < 0 || page > len(fit)/perPage {
		page = 0
	}
	link := func(set func(url.Values)) string {
		to := url.Values{}
		for key, value := range map[string]string{
			"verdict": s.Query.Verdict, "service": s.Query.Service, "role": s.Query.Role, "reason": s.Query.Reason, "live": q.Get("live"),
		} {
			if value != "" {
				to.Set(key, value)
			}
		}
		set(to)
		return Path + "?" + to.Encode()
	}
	if page > 0 {
		s.Newer = link(func(v url.Values) { v.Set("page", strconv.Itoa(page-1)) })
	}
	end := min(len(fit), (page+1)*perPage)
	if end < len(fit) {
		s.Older = link(func(v url.Values) { v.Set("page", strconv.Itoa(page+1)) })
	}
	s.Toggle = link(func(v url.Values) {
		if v.Del("page"); s.Live {
			v.Del("live")
		} else {
			v.Set("live", "on")
		}
	})
	for _, d := range fit[min(len(fit), page*perPage):end] {
		s.Calls = append(s.Calls, showing(d))
	}
	return s
}

func showing(d world.Decision) call {
	c := call{Decision: d, At: d.Time.UTC().Format("15:04:05.000"), Target: target(d)}
	if row, ok := reason.Lookup(d.Reason); ok {
		c.Cause = row.Cause
	}
	for _, key := range sorted(d.Tags) {
		c.Tags = append(c.Tags, tag{key, d.Tags[key]})
	}
	for i := range d.Checks {
		if c.Deciding = &d.Checks[i]; !c.Deciding.Allowed {
			break
		}
	}
	return c
}

func sorted[V any](m map[string]V) []string {
	all := make([]string, 0, len(m))
	for key := range m {
		all = append(all, key)
	}
	slices.Sort(all)
	return all
}
