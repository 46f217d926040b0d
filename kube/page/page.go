// Package page shows in a browser who in a cluster can reach what: workloads,
// methods, a timeline of what ends when, and reasons. It holds no secret and
// changes nothing.
package page

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"daypass.dev/internal/page"
	"daypass.dev/kube/survey"
	"daypass.dev/reason"
)

var (
	//go:embed page.html
	html string
	//go:embed timeline.css
	css string
)

// A Page serves what Read finds. The address holds a word that nobody can guess:
// other users of this machine can reach the port, and have no business with what
// the reader of the cluster may see.
type Page struct {
	path    string
	read    func(context.Context) (*survey.Status, error)
	look    *page.Page
	explain http.Handler

	mu     sync.Mutex // of reading: one at a time
	latest *survey.Status
}

// fresh is how long a reading does for all who ask.
const fresh = 2 * time.Second

// New makes a page of what read finds in a cluster.
func New(read func(context.Context) (*survey.Status, error)) *Page {
	path := "/" + rand.Text() + "/"
	return &Page{path: path, read: read, look: page.New(html, css), explain: page.Reasons(path+"reason/", path)}
}

// Path is where on its server the page is.
func (p *Page) Path() string { return p.path }

func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Path
	if len(asked) < len(p.path) || subtle.ConstantTimeCompare([]byte(asked[:len(p.path)]), []byte(p.path)) == 0 {
		http.NotFound(w, r)
		return
	}
	if strings.HasPrefix(asked[len(p.path):], "reason/") {
		p.explain.ServeHTTP(w, r)
		return
	}
	if asked != p.path {
		http.NotFound(w, r)
		return
	}
	p.look.Guard(p.show).ServeHTTP(w, r)
}

func (p *Page) show(w http.ResponseWriter, r *http.Request) {
	s, err := p.status(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	chosen := page.Choose(r, p.path, "state", "namespace", "method", "reason", "text")
	chosen.Follow(w, 10)
	p.look.Write(w, view(s, chosen, p.path))
}

func (p *Page) status(ctx context.Context) (*survey.Status, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.latest != nil && time.Since(p.latest.At) < fresh {
		return p.latest, nil
	}
	s, err := p.read(ctx)
	if err == nil {
		p.latest = s
	}
	return s, err
}

// A shown page is what the template writes.
type shown struct {
	page.Choice
	page.Part
	Path                         string
	Status                       *survey.Status
	Rows                         []row
	Fit, Lacking                 int
	Namespaces, Methods, Reasons []string
	Troubled                     []survey.Agent // not ready, not seen, or without AWS
	Well                         int            // other agents
	Scale                        scale
	Now                          string
}

// A row is one workload.
type row struct {
	survey.Workload
	Bars      []bar
	LastOK    string
	Refused   string // how long ago the last refusal was; empty: there was none, or it is the reason
	Explained bool   // there is a page about the reason, or about that of the last refusal
	Cause     string // as that page has it
	Mend      string
}

// Slug is what to say of the workload: what is wrong, or what was.
func (r row) Slug() string {
	if r.Reason == "" && r.LastRefusal != nil {
		return r.LastRefusal.Reason
	}
	return r.Reason
}

// Said is what was said of it here, which tells more than the cause in general.
func (r row) Said() string {
	if r.Reason == "" && r.LastRefusal != nil {
		return r.LastRefusal.Detail
	}
	return r.Detail
}

// ends is when the workload's next proof or credential ends.
func ends(w *survey.Workload) time.Time {
	var first time.Time
	for _, end := range []*time.Time{w.CredentialsExpire, w.CertificateExpires} {
		if end != nil && (first.IsZero() || end.Before(first)) {
			first = *end
		}
	}
	return first
}

func view(status *survey.Status, chosen page.Choice, path string) shown {
	s := shown{Choice: chosen, Path: path, Status: status, Now: status.At.UTC().Format(time.TimeOnly)}
	namespaces, methods, slugs := map[string]bool{}, map[string]bool{}, map[string]bool{}
	var fit []survey.Workload
	for _, w := range status.Workloads {
		namespaces[w.Namespace] = true
		if w.Method != "" {
			methods[w.Method] = true
		}
		if w.Reason != "" {
			slugs[w.Reason] = true
			s.Lacking++
		}
		if fits(chosen, &w) {
			fit = append(fit, w)
		}
	}
	slices.SortStableFunc(fit, urgency)
	s.Namespaces, s.Methods, s.Reasons, s.Fit = page.Sorted(namespaces), page.Sorted(methods), page.Sorted(slugs), len(fit)
	s.Part = chosen.Part(len(fit))
	s.Scale = scaleOf(status.At, fit[s.From:s.To])
	for _, w := range fit[s.From:s.To] {
		s.Rows = append(s.Rows, showing(w, status.At, s.Scale))
	}
	for _, a := range status.Agents {
		if troubled(a) {
			s.Troubled = append(s.Troubled, a)
		} else {
			s.Well++
		}
	}
	return s
}

func troubled(a survey.Agent) bool {
	for _, answers := range a.Upstream {
		if !answers {
			return true
		}
	}
	return !a.Ready || a.Unseen != ""
}

// urgency puts first what lacks something, and then what ends first.
func urgency(a, b survey.Workload) int {
	rank := func(w *survey.Workload) int {
		switch {
		case w.Reason != "":
			return 0
		case ends(w).IsZero():
			return 2
		}
		return 1
	}
	return cmp.Or(cmp.Compare(rank(&a), rank(&b)), ends(&a).Compare(ends(&b)))
}

// fits tells whether the reader chose to see a workload.
func fits(c page.Choice, w *survey.Workload) bool {
	state, namespace, method, slug, text := c.Of("state"), c.Of("namespace"), c.Of("method"), c.Of("reason"), c.Of("text")
	switch {
	case state == "lacking" && w.Reason == "", state == "well" && w.Reason != "",
		namespace != "" && w.Namespace != namespace,
		method != "" && w.Method != method,
		slug != "" && w.Reason != slug,
		text != "" && !strings.Contains(strings.ToLower(w.Namespace+"/"+w.Pod+" "+w.ServiceAccount+" "+w.Role+" "+w.Node), strings.ToLower(text)):
		return false
	}
	return true
}

func showing(w survey.Workload, now time.Time, s scale) row {
	r := row{Workload: w, Bars: s.bars(now, &w)}
	if w.LastOK != nil {
		r.LastOK = survey.Span(now.Sub(*w.LastOK))
	}
	if w.Reason == "" && w.LastRefusal != nil {
		r.Refused = survey.Span(now.Sub(w.LastRefusal.At))
	}
	if known, ok := reason.Lookup(r.Slug()); ok {
		r.Explained, r.Cause, r.Mend = true, known.Cause, known.Mend
	}
	return r
}
