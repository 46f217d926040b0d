package privateca

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"

	"daypass.dev/reason"
)

// A class says what to do about an error.
type class int

const (
	// waits: the same call may do in a while.
	waits class = iota
	// slower: as waits, and the CA is asked too often.
	slower
	// blames: the issuer cannot issue at all, until somebody mends it.
	blames
	// fails: this request will never be issued.
	fails
)

// A sorted error has its class, its slug in the catalogue, and what happened.
type sorted struct {
	class        class
	slug, detail string
}

func (s *sorted) Error() string { return s.explain() }

// explain is what conditions and events say.
func (s *sorted) explain() string {
	row, _ := reason.Lookup(s.slug)
	return fmt.Sprintf("%s (%s): %s", oneLine(s.detail), s.slug, row.Mend)
}

func failf(slug, format string, args ...any) error {
	return &sorted{fails, slug, fmt.Sprintf(format, args...)}
}

func blamef(slug, format string, args ...any) error {
	return &sorted{blames, slug, fmt.Sprintf(format, args...)}
}

// credentialsError is an error of who should have given credentials.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// sort finds out what an error of AWS means. What is not known may pass.
func sort(err error) *sorted {
	var done *sorted
	var credentials *credentialsError
	var api smithy.APIError
	switch {
	case errors.As(err, &done):
		return done
	case errors.As(err, &credentials):
		return &sorted{blames, "issuer-credentials", credentials.err.Error()}
	case !errors.As(err, &api):
		return &sorted{waits, "pca-unreachable", err.Error()}
	}
	s := &sorted{fails, "issuer-request", api.ErrorCode() + ": " + api.ErrorMessage()}
	switch api.ErrorCode() {
	case "ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded":
		s.class, s.slug = slower, "throttled"
	case "RequestInProgressException":
		s.class, s.slug = waits, "pca-in-progress"
	case "ResourceNotFoundException":
		s.class, s.slug = blames, "pca-missing"
	case "InvalidStateException":
		s.class, s.slug = blames, "pca-state"
	case "LimitExceededException":
		s.class, s.slug = blames, "quota-exceeded"
	case "ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidClientTokenId",
		"InvalidSignatureException", "SignatureDoesNotMatch", "MissingAuthenticationTokenException":
		s.class, s.slug = blames, "issuer-credentials"
	case "AccessDeniedException", "AccessDenied":
		s.slug = "issuer-access"
	case "MalformedCSRException":
		s.slug = "pca-csr"
	default:
		if api.ErrorFault() == smithy.FaultServer || strings.HasPrefix(api.ErrorCode(), "Internal") || strings.HasPrefix(api.ErrorCode(), "ServiceUnavailable") {
			s.class, s.slug = waits, "pca-unreachable"
		}
	}
	return s
}

// conditionReason is the slug as conditions want it.
func conditionReason(slug string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(slug, "-") {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// oneLine shortens what others said, and takes from it what changes from call
// to call, so that a condition is written once.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if i := strings.Index(s, ", RequestID: "); i >= 0 {
		if j := strings.Index(s[i+2:], ", "); j >= 0 {
			s = s[:i] + s[i+2+j:]
		}
	}
	const most = 600
	if len(s) > most {
		s = s[:most] + "…"
	}
	return s
}
