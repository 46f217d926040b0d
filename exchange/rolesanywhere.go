// Package exchange asks AWS: each struct is one AWS call that turns a proof
// into credentials, and is a daypass.Source. No call is made twice in a row
// and nothing is remembered but the clock: that is refresh's part.
package exchange

import (
	"context"
	"errors"
	"net/http"
	"time"

	"daypass.dev"
	"daypass.dev/proof"
)

// RolesAnywhere is CreateSession of IAM Roles Anywhere. It is a daypass.Source,
// safe for concurrent use, and must not be copied after use.
//
// https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication-create-session.html
type RolesAnywhere struct {
	// Key signs the request; its certificate says who asks.
	Key proof.KeySource
	// RoleARN, TrustAnchorARN and ProfileARN are needed. Anchor and profile are
	// of one region.
	RoleARN, TrustAnchorARN, ProfileARN string
	// Duration is the life that is asked for, 15 minutes to 12 hours in whole
	// seconds. Zero: the profile's own.
	Duration time.Duration
	// SessionName is the role session's name; the profile must accept one.
	// Empty: the certificate's serial number, by AWS.
	SessionName string
	// InstanceProperties are at most 50 facts about this workload, that AWS
	// keeps with the subject.
	InstanceProperties map[string]string
	// Region, where given, must be the anchor's. Empty: the anchor's.
	Region string
	// Endpoint is a base URL without a path; https, or http on loopback.
	// Empty: AWS's own for region and partition.
	Endpoint string
	// Client makes the call; it decides roots of trust and proxy. Redirects are
	// refused whatever it says. Nil: http.DefaultClient.
	Client *http.Client
}

// Credentials asks once (twice where the local clock proves wrong). Errors are
// *InputError for a setting that is wrong, *proof.FileError for a file,
// *daypass.Error where AWS answered; any other means that no answer came.
func (r *RolesAnywhere) Credentials(ctx context.Context) (daypass.Credentials, error) {
	return daypass.Credentials{}, errors.New("not there yet")
}

// Check says whether the settings are well formed, without asking anybody: nil
// or an *InputError. It does not read the key.
func (r *RolesAnywhere) Check() error { return nil }

// MemoryKey names what would be answered: it differs where the leaf or any
// setting that shapes the answer differs, and tells none of them. It is the
// key of refresh.Disk.
func (r *RolesAnywhere) MemoryKey(ctx context.Context) (string, error) {
	return "", errors.New("not there yet")
}

// An InputError is a setting that cannot be right whatever AWS says.
type InputError struct {
	// Setting is the field, in words: "trust anchor ARN".
	Setting string
	Err     error
	// Hint tells how to mend it, in one line; empty if nothing is known.
	Hint string
}

func (e *InputError) Error() string { return e.Setting + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *InputError) Unwrap() error { return e.Err }
