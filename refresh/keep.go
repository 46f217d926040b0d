package refresh

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"daypass.dev"
)

// leastKept keeps what had little life left, or none, from making haste later on.
const leastKept = 2 * time.Minute

// Keep has something other than credentials renewed, as a token in a file,
// until ctx ends. Renew does it once and returns how long what it got will
// live from now. It is called at once, then at 40 to 50 % of that life, at
// random; after an error, or where that life is over, with the pauses of a
// Source. Where the wall clock says
// that it is time, as after a suspend, that counts within a minute.
func Keep(ctx context.Context, renew func(context.Context) (life time.Duration, err error), log *slog.Logger) {
	var last *held
	for failures := 0; ctx.Err() == nil; {
		calling, cancel := context.WithTimeout(ctx, callTimeout)
		life, err := renew(calling)
		cancel()
		wait := floor
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failures++
			wait = pause(err, failures, last)
			logKept(log, err, wait)
		case life <= 0: // its issuer has no other yet
			failures++
			wait = pause(nil, failures, last)
		default:
			failures, last = 0, &held{life: max(life, leastKept)}
			wait = max(wait, time.Duration((0.4+0.1*rand.Float64())*float64(life)))
		}
		sleep(ctx, wait)
	}
}

func logKept(log *slog.Logger, err error, wait time.Duration) {
	if log != nil {
		log.Warn("renewing", told(err, wait)...)
	}
}

// told is what a log says of a failure.
func told(err error, wait time.Duration) []any {
	attrs := []any{"error", err.Error(), "again", wait.Round(time.Millisecond).String()}
	if hint := daypass.Advice(err); hint != "" {
		attrs = append(attrs, "hint", hint)
	}
	return attrs
}

// sleep ends when either clock says so, or with ctx. Timers stand still while
// the machine is suspended.
func sleep(ctx context.Context, d time.Duration) {
	until := time.Now().Add(d)
	for {
		now := time.Now()
		left := min(until.Sub(now), until.Round(0).Sub(now.Round(0)))
		if left <= 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(left, time.Minute)):
		}
	}
}
