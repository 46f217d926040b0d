package refresh

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"daypass.dev"
)

// kept runs Keep for a while and returns when renew was called.
func kept(t *testing.T, d time.Duration, log *slog.Logger, renew func(n int) (time.Duration, error)) (calls []time.Time) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), d)
		defer cancel()
		Keep(ctx, func(context.Context) (time.Duration, error) {
			calls = append(calls, time.Now())
			return renew(len(calls))
		}, log)
	})
	return calls
}

func TestKeepRenewsBeforeHalfOfTheLife(t *testing.T) {
	all := gaps(kept(t, 48*time.Hour, nil, func(int) (time.Duration, error) { return time.Hour, nil }))
	if len(all) < 90 {
		t.Fatalf("%d gaps", len(all))
	}
	for _, gap := range all {
		if gap < 24*time.Minute || gap > 30*time.Minute {
			t.Errorf("a gap of %s", gap)
		}
	}
	if slices.Max(all)-slices.Min(all) < time.Minute {
		t.Error("all gaps are as long: those who started together renew together")
	}
}

// Who answers with the same token until its end is not asked in a rush.
func TestKeepHasAFloor(t *testing.T) {
	for _, life := range []time.Duration{time.Millisecond, 2 * time.Second} {
		for _, gap := range gaps(kept(t, time.Minute, nil, func(int) (time.Duration, error) { return life, nil })) {
			if gap != floor {
				t.Errorf("life %s: a gap of %s", life, gap)
			}
		}
	}
}

// What has ended is asked for again more and more rarely.
func TestKeepBacksOffFromWhatHasEnded(t *testing.T) {
	for _, life := range []time.Duration{-time.Hour, 0} {
		all := gaps(kept(t, 5*time.Minute, nil, func(int) (time.Duration, error) { return life, nil }))
		if len(all) < 3 || len(all) > 20 || slices.Max(all) < longestPause/2 || slices.Min(all) < floor {
			t.Errorf("life %s: gaps of %s", life, all)
		}
	}
}

func TestKeepBacksOff(t *testing.T) {
	for name, c := range map[string]struct {
		err            error
		first, longest time.Duration
	}{
		"no answer": {errNetwork, firstPause, longestPause},
		"throttled": {throttledErr, firstPause, longestPause},
		"refused":   {refusedErr, firstRefusal, longestRefusal},
	} {
		step := c.first
		all := gaps(kept(t, time.Hour, nil, func(int) (time.Duration, error) { return 0, c.err }))
		for i, gap := range all {
			if gap < max(step/2, floor) || gap > step {
				t.Errorf("%s: gap %d is %s, want %s to %s", name, i, gap, max(step/2, floor), step)
			}
			step = min(2*step, c.longest)
		}
		if step != c.longest {
			t.Errorf("%s: after %d gaps the longest is not reached", name, len(all))
		}
	}
	asked := &daypass.Error{Op: "x", Code: "Throttling", Status: 429, RetryAfter: 3 * time.Minute}
	for _, gap := range gaps(kept(t, time.Hour, nil, func(int) (time.Duration, error) { return 0, asked })) {
		if gap < 3*time.Minute {
			t.Errorf("a gap of %s, though asked for three minutes", gap)
		}
	}
}

// What had expired when it came does not make the pauses after it short.
func TestKeepBacksOffAfterLittleLife(t *testing.T) {
	for _, life := range []time.Duration{-time.Hour, 0, time.Second} {
		all := gaps(kept(t, 10*time.Minute, nil, func(n int) (time.Duration, error) {
			if n == 1 {
				return life, nil
			}
			return 0, errNetwork
		}))
		if last := all[len(all)-1]; last < leastKept/16 {
			t.Errorf("life %s: after %d gaps one of %s", life, len(all), last)
		}
	}
}

func TestKeepForgetsFailuresAfterASuccess(t *testing.T) {
	all := gaps(kept(t, 3*time.Hour, nil, func(n int) (time.Duration, error) {
		if n == 4 {
			return time.Hour, nil
		}
		return 0, errNetwork
	}))
	if all[3] < 24*time.Minute || all[4] > firstPause {
		t.Errorf("gaps %v", all)
	}
}

func TestKeepTellsOfFailures(t *testing.T) {
	var out strings.Builder
	log := slog.New(slog.NewTextHandler(&out, nil))
	refused := &daypass.Error{Op: "x", Code: "Denied", Status: 403, Hint: "look there"}
	kept(t, time.Second, log, func(int) (time.Duration, error) { return 0, refused })
	if said := out.String(); !strings.Contains(said, "x: Denied") || !strings.Contains(said, "look there") || !strings.Contains(said, "again=") {
		t.Errorf("log %q", said)
	}
}

// A call that is under way when ctx ends is no failure, and one that hangs is
// ended.
func TestKeepEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		begin := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 3*callTimeout/2)
		defer cancel()
		calls := 0
		Keep(ctx, func(ctx context.Context) (time.Duration, error) {
			calls++
			<-ctx.Done()
			return 0, errors.Join(errNetwork, ctx.Err())
		}, slog.New(slog.NewTextHandler(&out, nil)))
		if n := strings.Count(out.String(), "renewing"); calls != 2 || n != 1 || time.Since(begin) != 3*callTimeout/2 {
			t.Errorf("%d calls, %d failures told, after %s", calls, n, time.Since(begin))
		}
	})
}
