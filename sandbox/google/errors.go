package google

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"daypass.dev/sandbox/world"
)

// statuses are the canonical names of google.rpc.Code by HTTP status.
func statuses() map[int]string {
	return map[int]string{
		http.StatusBadRequest: "INVALID_ARGUMENT", http.StatusUnauthorized: "UNAUTHENTICATED",
		http.StatusForbidden: "PERMISSION_DENIED", http.StatusNotFound: "NOT_FOUND",
		http.StatusConflict: "ALREADY_EXISTS", http.StatusTooManyRequests: "RESOURCE_EXHAUSTED",
		http.StatusServiceUnavailable: "UNAVAILABLE", http.StatusNotImplemented: "UNIMPLEMENTED",
	}
}

func refuse(slug string, status int, message, detail string, args ...any) error {
	return &world.Refusal{Slug: slug, Code: statuses()[status], Status: status, Message: message, Detail: fmt.Sprintf(detail, args...)}
}

// WriteError answers a refusal as Google does: text by the metadata server,
// JSON by all else.
func (s *Service) WriteError(w http.ResponseWriter, r *http.Request, e *world.Refusal) {
	if strings.HasPrefix(r.URL.Path, metadataRoot) {
		flavor(w)
		http.Error(w, e.Message, e.Status)
		return
	}
	said := map[string]any{"error": map[string]any{"code": e.Status, "message": e.Message, "status": e.Code}}
	text, err := json.Marshal(said)
	if err != nil {
		text = nil
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(e.Status)
	_, _ = w.Write(text)
}
