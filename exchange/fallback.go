package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"

	"daypass.dev"
	"daypass.dev/proof"
)

// Fallback asks the first call, and where that fails the next: trust anchors of
// several CAs or regions. Each time it begins with the first. It is a Call and
// safe for concurrent use.
type Fallback struct {
	// Calls are asked in order; there is at least one.
	Calls []Call
	// Log is told when the first did not answer. Nil: silent.
	Log *slog.Logger
}

// Credentials returns the first credentials that come. Wrong settings and
// files end the search, since they would fail everywhere. An error holds those
// of all calls; its type is that of the first that AWS answered.
func (f *Fallback) Credentials(ctx context.Context) (daypass.Credentials, error) {
	var failures failures
	for i, call := range f.Calls {
		got, err := call.Credentials(ctx)
		if err == nil {
			return got, nil
		}
		input, file := (*daypass.InputError)(nil), (*proof.FileError)(nil)
		if ctx.Err() != nil || errors.As(err, &input) || errors.As(err, &file) {
			return daypass.Credentials{}, err
		}
		failures = append(failures, err)
		if f.Log != nil && i+1 < len(f.Calls) {
			f.Log.Warn("asking the next trust anchor", "error", err.Error())
		}
	}
	if len(failures) == 1 {
		return daypass.Credentials{}, failures[0]
	}
	return daypass.Credentials{}, failures
}

// Check implements Call: the first error of any.
func (f *Fallback) Check() error {
	for _, call := range f.Calls {
		if err := call.Check(); err != nil {
			return err
		}
	}
	return nil
}

// MemoryKey implements Call.
func (f *Fallback) MemoryKey(ctx context.Context) (string, error) {
	all := sha256.New()
	for _, call := range f.Calls {
		key, err := call.MemoryKey(ctx)
		if err != nil {
			return "", err
		}
		all.Write([]byte(key + "\n"))
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}

// failures are the errors of all calls.
type failures []error

func (f failures) Error() string {
	var all []string
	for _, err := range f {
		all = append(all, err.Error())
	}
	return strings.Join(all, "; then ")
}

func (f failures) Unwrap() []error { return f }
