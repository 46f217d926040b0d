package signer

import (
	"errors"
	"fmt"
	"strings"

	"daypass.dev/kube/identity"
	"daypass.dev/pki"
	"daypass.dev/reason"
)

func refuse(slug, format string, args ...any) error {
	return &pki.RefusedError{Slug: slug, Detail: fmt.Sprintf(format, args...)}
}

// asRefusal tells refusals from errors that may pass.
func asRefusal(err error) (slug, detail string, ok bool) {
	if r := (*pki.RefusedError)(nil); errors.As(err, &r) {
		return r.Slug, r.Detail, true
	}
	if r := (*identity.Refusal)(nil); errors.As(err, &r) {
		return r.Slug, r.Detail, true
	}
	return "", "", false
}

// explain is what the asker reads.
func explain(slug, detail string) string {
	row, _ := reason.Lookup(slug)
	return fmt.Sprintf("%s (%s): %s", detail, slug, row.Mend)
}

// conditionReason is the slug as conditions want it; two have names that
// Kubernetes knows.
func conditionReason(slug string) string {
	switch slug {
	case "request-key":
		return "UnsupportedKeyType"
	case "pod-request-annotations":
		return "InvalidUnverifiedUserAnnotations"
	}
	var b strings.Builder
	for word := range strings.SplitSeq(slug, "-") {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}
