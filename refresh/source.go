// Package refresh keeps credentials fresh: Source renews them in the background
// of one long process, Disk remembers them between many short ones.
package refresh

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"daypass.dev"
)

// Source yields From's credentials and renews them in the background. The
// first call of Credentials starts it, Close ends it. It is safe for
// concurrent use and must not be copied after use.
type Source struct {
	From daypass.Source
	// Log is told of renewals and failures. Nil: silent.
	Log *slog.Logger
}

// Credentials returns the credentials now held, at once, or waits for the
// first ones. Where ctx ends before, the call to From goes on behind, and the
// error is the last that From gave, or ctx's.
func (s *Source) Credentials(ctx context.Context) (daypass.Credentials, error) {
	return daypass.Credentials{}, errors.New("not there yet")
}

// Close ends renewal and cancels a call that is under way. Credentials held are
// still served until they expire.
func (s *Source) Close() error { return nil }

// Status tells how the source is doing, for health checks and metrics.
func (s *Source) Status() Status { return Status{} }

// A Status is what a Source says of itself at one moment.
type Status struct {
	// Remaining is the life left in the credentials held; zero: none, or expired.
	Remaining time.Duration
	// Calls counts the calls to From so far, Failures those that gave nothing.
	Calls, Failures uint64
	// Err is why the latest call failed; nil where it did not.
	Err error
}
