// Package setup is the AWS side of a platform, from one file: who may use which
// roles, what these may do, and what makes AWS believe that workloads are who
// they say: a trust anchor with its profile, or an OIDC provider.
//
// Nothing is remembered but in AWS itself: Read looks at what is there, the plan
// is the difference to the file, a list of single calls, and Apply makes them in
// order. Whatever interrupts it, the next plan holds what is left. Everything
// made is tagged as the file's own; what others made is never changed.
package setup

import (
	"fmt"

	"daypass.dev/reason"
)

// ownTag is the key of the tag that marks what a file made; its value is the
// file's name.
const ownTag = "daypass.dev/setup"

// A RefusedError says why nothing is done: a slug of the catalogue, what was
// found, and how to mend it.
type RefusedError struct {
	Slug   string
	Detail string
}

func (e *RefusedError) Error() string { return e.Detail + " (" + e.Slug + ")" }

// Mend is the catalogue's.
func (e *RefusedError) Mend() string {
	row, _ := reason.Lookup(e.Slug)
	return row.Mend
}

func refusef(slug, format string, args ...any) error {
	return &RefusedError{slug, fmt.Sprintf(format, args...)}
}
