package refresh

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"daypass.dev"
)

// A pause after a failure ends when something has changed, except where AWS
// asked for patience.
func TestChangeEndsThePause(t *testing.T) {
	asked := *refusedErr
	asked.RetryAfter = 10 * time.Minute
	for name, c := range map[string]struct {
		err  error
		ends bool
	}{
		"refusal":                {refusedErr, true},
		"no answer":              {errNetwork, true},
		"throttled":              {throttledErr, false},
		"refusal, Retry-After":   {&asked, false},
		"failure of the service": {&daypass.Error{Code: "InternalFailure", Status: 500}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var changed atomic.Bool
				up := &script{err: c.err}
				s := &Source{From: up, Changed: changed.Load}
				defer s.Close()
				fails(t, s, c.err)
				// Failures until the pause is longer than a few seconds.
				for s.pauseLeft() < 8*time.Second {
					time.Sleep(time.Second)
					synctest.Wait()
				}
				calls := len(up.calls())
				time.Sleep(3 * time.Second)
				synctest.Wait()
				up.expectCalls(t, "while nothing changes", calls)
				up.set(func() { up.err = nil })
				changed.Store(true)
				time.Sleep(floor + time.Millisecond)
				synctest.Wait()
				if !c.ends {
					up.expectCalls(t, "although something changed", calls)
					return
				}
				up.expectCalls(t, "after a change", calls+1)
				get(t, s)
			})
		})
	}
}

func (s *Source) pauseLeft() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Until(s.notBefore)
}

// What changes all the time makes no more than a call a second, and nobody is
// asked whether something changed once all is well.
func TestEndlessChangeIsNoBurden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int64
		up := &script{err: refusedErr}
		s := &Source{From: up, Changed: func() bool { looks.Add(1); return true }}
		defer s.Close()
		fails(t, s, refusedErr)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(up.calls()); n < 30 || n > 61 {
			t.Errorf("%d calls in a minute", n)
		}
		up.set(func() { up.err = nil })
		time.Sleep(2 * time.Second)
		synctest.Wait()
		get(t, s)
		before := looks.Load()
		time.Sleep(time.Hour)
		if looks.Load() != before {
			t.Error("somebody looked for changes although all was well")
		}
	})
}
