package acmpca

import (
	"fmt"
	"net/http"

	"daypass.dev/reason"
	"daypass.dev/sandbox/world"
)

// A fault is a rule that was broken: its slug in the catalogue and the true
// cause with the values of the case.
type fault struct{ slug, detail string }

func faultf(slug, format string, args ...any) error {
	return &fault{slug, fmt.Sprintf(format, args...)}
}

func (f *fault) Error() string { return f.slug + ": " + f.detail }

// refusal phrases a fault with the catalogue's code and message. Where AWS's
// words are not known the catalogue's cause and the case are said in their
// place.
func (f *fault) refusal() *world.Refusal {
	row, _ := reason.Lookup(f.slug)
	message := row.Message
	if message == "" {
		message = row.Cause + ": " + f.detail
	}
	e := &world.Refusal{Slug: f.slug, Code: row.Code, Message: message, Status: http.StatusBadRequest, Detail: f.detail}
	if f.slug == "operation-not-built" {
		e.Status = http.StatusNotImplemented
	}
	return e
}

// Rules are the slugs of everything for which Private CA can refuse a call,
// beside policies. A test has a row for each.
func Rules() []string {
	return []string{
		"pca-parameter", "pca-arn", "pca-missing", "pca-state", "pca-in-progress",
		"pca-subject", "pca-key-algorithm", "pca-signing-algorithm",
		"pca-template", "pca-template-passthrough", "pca-csr", "pca-csr-key", "pca-csr-name",
		"pca-token", "pca-end", "pca-short-lived", "pca-beyond-ca", "pca-path-length",
		"pca-import", "pca-import-mismatch", "pca-certificate-missing",
		"pca-revoked-already", "pca-revoke-self", "pca-bucket", "pca-report-recent",
		"pca-policy", "pca-policy-missing", "operation-not-built",
	}
}
