package page

import (
	_ "embed"
	"net/http"
	"strings"

	"daypass.dev/reason"
)

//go:embed reason.html
var reasonHTML string

// Reasons shows, at path+SLUG, one row of the catalogue each, as `daypassctl
// explain SLUG` and the troubleshooting page do, with a link back to the page
// at back.
func Reasons(path, back string) http.Handler {
	p := New(reasonHTML, "")
	return p.Guard(func(w http.ResponseWriter, r *http.Request) {
		slug := strings.TrimPrefix(r.URL.Path, path)
		row, ok := reason.Lookup(slug)
		if !ok {
			http.Error(w, "there is no such reason", http.StatusNotFound)
			return
		}
		row.Message = strings.ReplaceAll(row.Message, "%s", "…")
		p.Write(w, struct {
			reason.Reason
			Back string
		}{row, back})
	})
}
