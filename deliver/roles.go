package deliver

import (
	"log/slog"
	"net/http"
	"strings"
)

// RolePath is what stands before ContainerPath for a role of Roles.
func RolePath(name string) string { return "/role/" + name }

// Roles serves several roles on one address, each by its name below RolePath.
// Without a name there is none: who names no role must not get one by chance.
type Roles struct {
	// Of are the endpoints of each name, which needs no escape in a path.
	Of map[string]http.Handler
	// Log is told of callers that name no role. Nil: silent.
	Log *slog.Logger
}

func (h *Roles) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head, rest, _ := strings.Cut(place(r.URL.Path), "/")
	name, rest, _ := strings.Cut(rest, "/")
	role := h.Of[name]
	switch {
	case head == "role" && role != nil:
		below, at := *r, *r.URL
		at.Path, at.RawPath = "/"+rest, ""
		below.URL = &at
		role.ServeHTTP(w, &below)
	case head == "role" || head == "latest" || head == "v1" && name != "":
		refuse(w, r, h.Log, refusal("role-not-named"))
	default:
		http.NotFound(w, r)
	}
}
