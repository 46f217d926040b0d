// Package page shows a sandbox's decisions in a browser, at /_sandbox/: the
// latest calls, newest first, each as five boxes: proof, session, tags, policies,
// decision; and below /_sandbox/reason/ what a reason means. It only ever reads,
// and decisions hold no secrets; who may read, internal/page says.
package page

import (
	_ "embed"
	"net/http"
	"slices"
	"strings"
	"time"

	"daypass.dev/internal/page"
	"daypass.dev/reason"
	"daypass.dev/sandbox/world"
)

//go:embed page.html
var html string

// Path is where the page is, and reasons below it.
const (
	Path    = "/_sandbox/"
	reasons = Path + "reason/"
)

// Asked tells whether a request is for the page, and not for a service: no host
// name of AWS's leads to it.
func Asked(r *http.Request) bool {
	return (r.URL.Path == Path || r.URL.Path+"/" == Path || strings.HasPrefix(r.URL.Path, reasons)) && !strings.Contains(page.Host(r), "amazonaws")
}

// Handler serves the page of a world.
func Handler(w *world.World) http.Handler {
	p, explained := page.New(html, ""), page.Reasons(reasons, Path)
	decisions := p.Guard(func(out http.ResponseWriter, r *http.Request) {
		chosen := page.Choose(r, Path, "verdict", "service", "role", "reason")
		chosen.Follow(out, 2)
		p.Write(out, view(w.Decisions(), chosen))
	})
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, reasons) {
			explained.ServeHTTP(out, r)
			return
		}
		decisions.ServeHTTP(out, r)
	})
}

// A shown page is what the template writes.
type shown struct {
	page.Choice
	page.Part
	Calls      []call
	Total, Fit int
	Services   []string
	Reasons    []string
	Now        string
}

// fits tells whether the reader chose to see a decision.
func fits(c page.Choice, d world.Decision) bool {
	verdict, service, slug, role := c.Of("verdict"), c.Of("service"), c.Of("reason"), c.Of("role")
	switch {
	case verdict == "allowed" && !d.Allowed, verdict == "refused" && d.Allowed,
		service != "" && d.Service != service,
		slug != "" && d.Reason != slug,
		role != "" && !strings.Contains(strings.ToLower(d.Caller+" "+target(d)), strings.ToLower(role)):
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
	Explained         bool // there is a page about its reason
	Tags              []tag
	Deciding          *world.Check // that refused, or the last
}

type tag struct{ Key, Value string }

func view(all []world.Decision, chosen page.Choice) shown {
	slices.Reverse(all)
	s := shown{Choice: chosen, Total: len(all), Now: time.Now().UTC().Format(time.TimeOnly)}
	services, slugs := map[string]bool{}, map[string]bool{}
	var fit []world.Decision
	for _, d := range all {
		services[d.Service] = true
		if d.Reason != "" {
			slugs[d.Reason] = true
		}
		if fits(chosen, d) {
			fit = append(fit, d)
		}
	}
	s.Services, s.Reasons, s.Fit = page.Sorted(services), page.Sorted(slugs), len(fit)
	s.Part = chosen.Part(len(fit))
	for _, d := range fit[s.From:s.To] {
		s.Calls = append(s.Calls, showing(d))
	}
	return s
}

func showing(d world.Decision) call {
	c := call{Decision: d, At: d.Time.UTC().Format("15:04:05.000"), Target: target(d)}
	if row, ok := reason.Lookup(d.Reason); ok {
		c.Cause, c.Explained = row.Cause, true
	}
	for _, key := range page.Sorted(d.Tags) {
		c.Tags = append(c.Tags, tag{key, d.Tags[key]})
	}
	for i := range d.Checks {
		if c.Deciding = &d.Checks[i]; !c.Deciding.Allowed {
			break
		}
	}
	return c
}
