package sandbox

import (
	"net/http"

	"daypass.dev/sandbox/sigv4"
	"daypass.dev/sandbox/world"
)

// WithService is New with one more service, of the query protocol.
func WithService(w *world.World, name string, s world.Service) http.Handler {
	h := &handler{world: w, rooms: rooms()}
	h.rooms[name] = room{service: s, protocol: sigv4.Query}
	return h
}
