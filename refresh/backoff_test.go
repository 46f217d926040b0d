package refresh

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"daypass.dev"
)

func gaps(calls []time.Time) []time.Duration {
	var out []time.Duration
	for i := 1; i < len(calls); i++ {
		out = append(out, calls[i].Sub(calls[i-1]))
	}
	return out
}

// Whoever asks however often, upstream sees one call for each step of the
// backoff, each gap within half its length, and callers see the last error at
// once.
func TestBackoff(t *testing.T) {
	garbage := &daypass.Error{Op: "CreateSession", Code: "InvalidResponse", Status: 201}
	for name, c := range map[string]struct {
		err            error
		first, longest time.Duration
	}{
		"no answer":         {errNetwork, firstPause, longestPause},
		"throttled":         {throttledErr, firstPause, longestPause},
		"failing":           {&daypass.Error{Op: "x", Code: "InternalFailure", Status: 500}, firstPause, longestPause},
		"success of no use": {garbage, firstPause, longestPause},
		"refused":           {refusedErr, firstRefusal, longestRefusal},
	} {
		t.Run(name, func(t *testing.T) {
			up := &script{err: c.err}
			bubble(t, up, func(t *testing.T, s *Source) {
				fails(t, s, c.err)
				for time.Since(epoch) < time.Hour {
					before := time.Now()
					fails(t, s, c.err)
					if waited := time.Since(before); waited != 0 {
						t.Fatalf("a caller waited %s", waited)
					}
					time.Sleep(700 * time.Millisecond)
				}
				step := c.first
				all := gaps(up.calls())
				for i, gap := range all {
					if gap < max(step/2, floor) || gap > step {
						t.Fatalf("gap %d is %s, want %s to %s", i, gap, max(step/2, floor), step)
					}
					step = min(2*step, c.longest)
				}
				if step != c.longest {
					t.Errorf("after %d gaps the longest is not reached", len(all))
				}
			})
		})
	}
}

func TestBackoffStartsAnewAfterASuccess(t *testing.T) {
	up := &script{err: errNetwork}
	bubble(t, up, func(t *testing.T, s *Source) {
		fails(t, s, errNetwork)
		time.Sleep(time.Hour)
		up.set(func() { up.err = nil })
		time.Sleep(longestPause)
		get(t, s)
		up.set(func() { up.err = errNetwork })
		n := len(up.calls())
		time.Sleep(31 * time.Minute)
		if gap := gaps(up.calls())[n]; gap > 2*firstPause {
			t.Errorf("the first pause after a success is %s", gap)
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for name, c := range map[string]struct{ asked, least, most time.Duration }{
		"seconds":   {90 * time.Second, 90 * time.Second, 99 * time.Second},
		"too short": {time.Millisecond, floor, floor},
		"too long":  {24 * time.Hour, longestRetryAfter, longestRetryAfter + longestRetryAfter/10},
	} {
		t.Run(name, func(t *testing.T) {
			err := &daypass.Error{Op: "CreateSession", Code: "ThrottlingException", Status: 429, RetryAfter: c.asked}
			up := &script{err: err}
			bubble(t, up, func(t *testing.T, s *Source) {
				fails(t, s, err)
				for range 20 {
					time.Sleep(c.least / 21)
					fails(t, s, err)
				}
				up.expectCalls(t, "within Retry-After", 1)
				time.Sleep(c.most)
				synctest.Wait()
				if gap := gaps(up.calls())[0]; gap < c.least || gap > c.most {
					t.Errorf("the next call came after %s, want %s to %s", gap, c.least, c.most)
				}
			})
		})
	}
}

// However short the life: no gap in what callers see, and no call sooner than
// a second after the one before.
func TestShortLives(t *testing.T) {
	for _, life := range []time.Duration{2500 * time.Millisecond, 5 * time.Second, 90 * time.Second} {
		t.Run(life.String(), func(t *testing.T) {
			up := &script{life: life, slow: 50 * time.Millisecond}
			bubble(t, up, func(t *testing.T, s *Source) {
				for time.Since(epoch) < 10*life {
					get(t, s)
					time.Sleep(10 * time.Millisecond)
				}
				for _, gap := range gaps(up.calls()) {
					if gap < floor || gap > life/2 && gap > floor+up.slow {
						t.Errorf("calls were %s apart", gap)
					}
				}
				if n := len(up.calls()); n < 10 {
					t.Errorf("only %d calls in ten lives", n)
				}
			})
		})
	}
}

func TestLivesBelowTheFloorHaveGapsAndNoMoreCalls(t *testing.T) {
	up := &script{life: 100 * time.Millisecond}
	bubble(t, up, func(t *testing.T, s *Source) {
		for range 50 {
			get(t, s) // it waits where there are none
			time.Sleep(30 * time.Millisecond)
		}
		spent := time.Since(epoch)
		if n := len(up.calls()); time.Duration(n-1)*floor > spent {
			t.Errorf("%d calls in %s", n, spent)
		}
	})
}

// A short life sees several tries in what is left of it.
func TestPausesShrinkWithTheLife(t *testing.T) {
	up := &script{life: 90 * time.Second}
	bubble(t, up, func(t *testing.T, s *Source) {
		get(t, s)
		up.set(func() { up.err = refusedErr })
		time.Sleep(90 * time.Second)
		if n := len(up.calls()); n < 6 || n > 12 {
			t.Errorf("%d calls in a life of 90 seconds that is refused from its middle on", n)
		}
		fails(t, s, refusedErr)
	})
}

// Callers that come and go must not make calls of their own while one is
// under way.
func TestImpatientCallersMakeOneCall(t *testing.T) {
	up := &script{slow: 10 * time.Second}
	bubble(t, up, func(t *testing.T, s *Source) {
		for range 100 {
			ctx, cancel := context.WithTimeout(context.Background(), 90*time.Millisecond)
			if _, err := s.Credentials(ctx); err == nil {
				t.Error("credentials came too soon")
			}
			cancel()
		}
		up.expectCalls(t, "after 100 impatient callers", 1)
	})
}
