package rolesanywhere

import (
	"fmt"
	"net/http"
	"strings"

	"daypass.dev/reason"
	"daypass.dev/sandbox/world"
)

// A fault is a rule that was broken: its slug in the catalogue and the true
// cause with the values of the case.
type fault struct {
	slug, detail string
	// name is what AWS's message names, where the catalogue's has a %s.
	name string
	// more is said after AWS's message.
	more string
}

func faultf(slug, format string, args ...any) *fault {
	return &fault{slug: slug, detail: fmt.Sprintf(format, args...)}
}

// refusal phrases a fault with the catalogue's code and message. Where AWS's
// words are not known the catalogue's cause is said in their place.
func (f *fault) refusal() *world.Refusal {
	row, _ := reason.Lookup(f.slug)
	message := row.Message
	switch {
	case message == "":
		message = row.Cause
	case strings.Contains(message, "%s"):
		message = fmt.Sprintf(message, f.name)
	}
	return &world.Refusal{
		Slug: f.slug, Code: row.Code, Message: message + f.more, Status: statusOf(row.Code), Detail: f.detail,
	}
}

// inSession phrases a fault of a CA certificate or CRL as CreateSession does,
// where the catalogue has the words of CreateTrustAnchor or ImportCrl.
func (f *fault) inSession() *world.Refusal {
	r := f.refusal()
	if strings.HasPrefix(f.slug, "ca-") || strings.HasPrefix(f.slug, "crl-") {
		r.Code, r.Message, r.Status = codeDenied, "Untrusted signing certificate", http.StatusForbidden
	}
	return r
}

const codeDenied = "AccessDeniedException"

func statusOf(code string) int {
	switch code {
	case codeDenied:
		return http.StatusForbidden
	case "ResourceNotFoundException":
		return http.StatusNotFound
	case "NotImplemented":
		return http.StatusNotImplemented
	}
	return http.StatusBadRequest
}
