package deliver

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"

	"daypass.dev"
)

// Pod is the service of Container for the pods of a node: each shows its own
// token and gets its own credentials. It answers within 700 ms whatever the
// source does; errors are JSON with AWS's code.
type Pod struct {
	// Source returns the source of a caller's credentials, by the token that it
	// showed and the address that it called from. A *daypass.Error with a status
	// is answered as it is.
	Source func(ctx context.Context, token daypass.Secret, from netip.Addr) (daypass.Source, error)
	// Log is told of callers that got no credentials. Nil: silent.
	Log *slog.Logger
}

func (h *Pod) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if place(r.URL.Path) != ContainerPath[1:] {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		refuse(w, r, h.Log, refusal("caller-method"))
		return
	}
	token := r.Header.Get("Authorization")
	if token == "" {
		refuse(w, r, h.Log, refusal("container-token-missing"))
		return
	}
	c, err := fetch(r.Context(), caller{h, r.RemoteAddr, daypass.Secret(token)}, containerPatience)
	if err != nil {
		refuse(w, r, h.Log, explain(err))
		return
	}
	var once printed
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(once.of(c, containerDocument))
}

// A caller is one request as a source, so that to find out who asks and to ask
// AWS have one patience.
type caller struct {
	pod    *Pod
	remote string
	token  daypass.Secret
}

// Credentials implements daypass.Source.
func (c caller) Credentials(ctx context.Context) (daypass.Credentials, error) {
	var from netip.Addr
	if remote, err := netip.ParseAddrPort(c.remote); err == nil {
		from = remote.Addr()
	}
	src, err := c.pod.Source(ctx, c.token, from)
	if err != nil {
		return daypass.Credentials{}, err
	}
	return src.Credentials(ctx)
}
