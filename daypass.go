// Package daypass is the vocabulary of the project: what a credential is, who
// yields one, and how a refusal looks. It imports nothing of the rest.
//
// The house is read as a story, one folder a step:
//
//	proof      who am I         a key with its certificate, or a token
//	exchange   ask AWS          turns a proof into credentials; each call is a Source
//	refresh    keep it fresh    a Source that renews another before it expires
//	deliver    hand it over     a Source behind the protocols that SDKs speak
//	config     the settings     flags and environment, wired into one Source
//
// Beside the story stand pki (rules for certificates), policy (the IAM policy
// language), reason (every way to be refused) and sandbox (a strict local AWS
// to try all of it against). cmd/daypass runs beside a workload,
// cmd/daypassctl on an operator's desk.
package daypass

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// A Source yields credentials that are valid now. It may block until ctx is
// done while it asks AWS. An error is a *Error where AWS answered; anything
// else means that no usable answer came.
type Source interface {
	Credentials(ctx context.Context) (Credentials, error)
}

// Credentials are one set of temporary AWS credentials.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey Secret
	SessionToken    Secret
	// Issued is when AWS answered, and Expires is by the same clock, so that
	// their difference is the true life even where the local clock is wrong:
	// AWS's clock, or the local one where that is minutes away from AWS's,
	// because programs hold Expires against it. Zero: not known.
	Issued  time.Time
	Expires time.Time
	// RoleARN and AccountID say whose credentials these are; empty if not known.
	RoleARN   string
	AccountID string
	// RequestID is by which AWS's own logs know the call that gave them; empty if
	// not known.
	RequestID string
}

// Life is how long the credentials live from the moment they were issued; zero
// if that is not known.
func (c Credentials) Life() time.Duration {
	if c.Issued.IsZero() || c.Expires.IsZero() {
		return 0
	}
	return c.Expires.Sub(c.Issued)
}

// Whole reports whether nothing that an SDK needs is missing. Credentials that
// are not whole must not be delivered.
func (c Credentials) Whole() bool {
	return c.AccessKeyID != "" && c.SecretAccessKey != "" && c.SessionToken != "" && !c.Expires.IsZero()
}

// A Secret is a string that never prints itself: not by fmt, not in a log, not
// in JSON or YAML. Reveal is the only way to its text, so that every use can
// be found by searching for it.
//
// What fmt does to a struct has one hole: it calls no methods on unexported
// fields. A struct with a Secret in one, or with Credentials, must not be
// printed.
type Secret string

const redacted = "[secret]"

// Reveal returns the secret's text.
func (s Secret) Reveal() string { return string(s) }

// String returns a placeholder.
func (s Secret) String() string { return redacted }

// GoString returns a placeholder.
func (s Secret) GoString() string { return redacted }

// Format writes a placeholder whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue logs a placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText yields a placeholder, for JSON, YAML and XML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// An Error is a refusal or failure that AWS itself expressed, or who issues the
// token that AWS was to be shown, or that stands for one before the call was
// made.
type Error struct {
	// Op is the call, as "CreateSession".
	Op string
	// Code and Message are the service's own; Code is never empty.
	Code    string
	Message string
	// Status is the HTTP status; zero if no answer came.
	Status    int
	RequestID string
	// RetryAfter is what the answer asked for; zero if it asked for nothing.
	RetryAfter time.Duration
	// Hint tells what to look at, in one line; empty if nothing is known.
	Hint string
}

func (e *Error) Error() string {
	s := e.Op + ": " + e.Code
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.RequestID != "" {
		s += " (request " + e.RequestID + ")"
	}
	return s
}

// Advice returns the hint.
func (e *Error) Advice() string { return e.Hint }

// An InputError is a setting that cannot be right whatever anybody answers.
type InputError struct {
	// Setting is the field, in words: "trust anchor ARN".
	Setting string
	Err     error
	// Hint tells how to mend it, in one line; empty if nothing is known.
	Hint string
}

func (e *InputError) Error() string { return e.Setting + ": " + e.Err.Error() }

// Advice returns the hint.
func (e *InputError) Advice() string { return e.Hint }

// Unwrap returns the cause.
func (e *InputError) Unwrap() error { return e.Err }

// Advice is what the first error in err's tree that knows something, by its
// method Advice, tells to look at, in one line; empty if none does.
func Advice(err error) string {
	if knows, ok := err.(interface{ Advice() string }); ok {
		if hint := knows.Advice(); hint != "" {
			return hint
		}
	}
	switch wraps := err.(type) {
	case interface{ Unwrap() error }:
		return Advice(wraps.Unwrap())
	case interface{ Unwrap() []error }:
		for _, one := range wraps.Unwrap() {
			if hint := Advice(one); hint != "" {
				return hint
			}
		}
	}
	return ""
}

// Temporary reports whether the same call may succeed later without anything
// being changed: throttling and failures of the service. A refusal is not
// temporary, but is worth another try at a slow pace, because somebody may
// mend the policy.
func (e *Error) Temporary() bool {
	switch e.Code {
	case "ThrottlingException", "Throttling":
		return true
	case "IDPCommunicationError": // STS could not reach a token's issuer, says so with 400, and asks for another try
		return true
	}
	return e.Status == 429 || e.Status >= 500
}
