// Package page is the hand in which daypass writes for browsers: on the server,
// without scripts and without anything from elsewhere, and only to be read.
//
// A page is for who sits at this machine: the Host must be an address or
// localhost, so that no web page's name can be made to point here, and requests
// that another site caused are refused.
package page

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net"
	"net/http"
	"strings"
)

//go:embed style.css
var style string

// A Page is a template in this hand, and what a browser may do with it.
type Page struct {
	template *template.Template
	policy   string
}

// New parses html, which says {{style}} where the style sheet belongs: the
// common one, and then more. A mistake in it panics: it is the program's own.
func New(html, more string) *Page {
	css := style + more
	sum := sha256.Sum256([]byte(css))
	return &Page{
		template.Must(template.New("page").Funcs(template.FuncMap{"style": func() template.CSS { return template.CSS(css) }}).Parse(html)),
		"default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
	}
}

// Guard has next answer only those that may read, with GET or HEAD.
func (p *Page) Guard(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", p.policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if why := refused(r); why != "" {
			http.Error(w, why, http.StatusForbidden)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "the page is only read", http.StatusMethodNotAllowed)
			return
		}
		next(w, r)
	})
}

// Write answers with the page, filled with data.
func (p *Page) Write(w http.ResponseWriter, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = p.template.Execute(w, data) // the browser has gone
}

// Host is the one that a request names, without its port.
func Host(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		return host
	}
	return strings.Trim(r.Host, "[]")
}

// refused says why a request is not answered; empty if it is.
func refused(r *http.Request) string {
	if host := Host(r); host != "localhost" && net.ParseIP(host) == nil {
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
