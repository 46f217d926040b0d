package deliver

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// ServerName is what the header Server says in every answer from behind Guard,
// by which a probe tells daypass from other programs.
const ServerName = "daypass"

// Guard passes on only what an SDK on this machine would send, whatever next
// answers. It refuses requests for another host than the address that they
// came to (a page whose name was pointed at this machine), from another
// machine to loopback, through a proxy, by a web page, with a body, or with a
// method that neither protocol has. It does not tell one local user from
// another: that is what tokens are for.
//
// It must run in an http.Server, from which it learns the address called;
// without it every request is refused.
func Guard(next http.Handler, log *slog.Logger) http.Handler {
	rules, name := rules(), []string{ServerName}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Server"] = name
		for _, rule := range rules {
			if rule.refuses(r) {
				w.Header().Set("Connection", "close")
				refuse(w, r, log, refusal(rule.slug))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// A rule is one way for the guard to refuse.
type rule struct {
	slug    string
	refuses func(*http.Request) bool
}

func rules() []rule {
	return []rule{
		{"caller-target", func(r *http.Request) bool {
			return r.URL.IsAbs() || r.URL.Host != "" || !strings.HasPrefix(r.URL.Path, "/")
		}},
		{"caller-host", func(r *http.Request) bool { return !hostIsOurs(r) }},
		{"caller-remote", remoteToLoopback},
		{"caller-forwarded", has("X-Forwarded-For")},
		{"caller-origin", has("Origin")},
		{"caller-referer", has("Referer")},
		{"caller-browser", func(r *http.Request) bool {
			for name := range r.Header {
				if strings.HasPrefix(name, "Sec-Fetch-") {
					return true
				}
			}
			return false
		}},
		{"caller-body", func(r *http.Request) bool { return r.ContentLength != 0 || len(r.TransferEncoding) > 0 }},
		{"caller-method", func(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodPut }},
	}
}

func has(header string) func(*http.Request) bool {
	return func(r *http.Request) bool { _, ok := r.Header[header]; return ok }
}

// hostIsOurs reports whether Host is exactly the address called, or localhost
// where that is loopback. Names are never looked up.
func hostIsOurs(r *http.Request) bool {
	local, ok := calledAt(r)
	if !ok {
		return false
	}
	if named, err := netip.ParseAddrPort(r.Host); err == nil {
		return plain(named) == local
	}
	if local.Addr().IsLoopback() {
		if port, ok := strings.CutPrefix(strings.ToLower(r.Host), "localhost:"); ok {
			return port == strconv.Itoa(int(local.Port()))
		}
	}
	if local.Port() != 80 {
		return false
	}
	// Without a port Host means 80, and IPv6 stands in brackets.
	if local.Addr().IsLoopback() && strings.EqualFold(r.Host, "localhost") {
		return true
	}
	named, err := netip.ParseAddrPort(r.Host + ":80")
	return err == nil && plain(named) == local
}

// remoteToLoopback finds what a kernel with route_localnet lets in.
func remoteToLoopback(r *http.Request) bool {
	local, ok := calledAt(r)
	if !ok || !local.Addr().IsLoopback() {
		return !ok
	}
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	return err != nil || !remote.Addr().Unmap().IsLoopback()
}

// calledAt is the address of this machine that the request came to.
func calledAt(r *http.Request) (netip.AddrPort, bool) {
	tcp, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}, false
	}
	return plain(tcp.AddrPort()), true
}

// plain makes addresses comparable: no IPv4 in IPv6, no zone, which clients
// leave out of Host.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}
