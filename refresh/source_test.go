package refresh

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"daypass.dev"
)

// bubble runs a test on a fake clock, with a Source that is closed at its end.
func bubble(t *testing.T, up *script, test func(t *testing.T, s *Source)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &Source{From: up}
		test(t, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}

func TestNothingIsAskedBeforeTheFirstCaller(t *testing.T) {
	up := &script{}
	bubble(t, up, func(t *testing.T, s *Source) {
		time.Sleep(24 * time.Hour)
		up.expectCalls(t, "before the first caller", 0)
		get(t, s)
		up.expectCalls(t, "after it", 1)
	})
}

func TestRenewalIsAt40To50PercentOfLife(t *testing.T) {
	earliest, latest := 1.0, 0.0
	for range 200 {
		up := &script{}
		bubble(t, up, func(t *testing.T, s *Source) {
			get(t, s)
			time.Sleep(30 * time.Minute)
			synctest.Wait()
			up.expectCalls(t, "after half a life without callers", 2)
			at := up.calls()[1].Sub(epoch).Hours()
			earliest, latest = min(earliest, at), max(latest, at)
			if c := get(t, s); c.AccessKeyID != "ASIA2" {
				t.Errorf("got %s", c.AccessKeyID)
			}
		})
	}
	if earliest < 0.4 || latest > 0.5 {
		t.Errorf("renewals were at %f to %f of the life", earliest, latest)
	}
	if earliest > 0.42 || latest < 0.48 {
		t.Errorf("renewals were all at %f to %f of the life: there is no jitter", earliest, latest)
	}
}

func TestThousandCallersShareTheFirstCall(t *testing.T) {
	up := &script{slow: 2 * time.Second}
	bubble(t, up, func(t *testing.T, s *Source) {
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				if c := get(t, s); c.AccessKeyID != "ASIA1" {
					t.Errorf("got %s", c.AccessKeyID)
				}
			})
		}
		all.Wait()
		up.expectCalls(t, "after 1,000 callers", 1)
	})
}

func TestThousandCallersShareAnError(t *testing.T) {
	up := &script{slow: 2 * time.Second, err: refusedErr}
	bubble(t, up, func(t *testing.T, s *Source) {
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() { fails(t, s, refusedErr) })
		}
		all.Wait()
		up.expectCalls(t, "after 1,000 callers", 1)
	})
}

// As credentials fall due: nobody waits, whatever upstream does, and one call
// is made.
func TestThousandCallersAsCredentialsFallDue(t *testing.T) {
	up := &script{}
	bubble(t, up, func(t *testing.T, s *Source) {
		get(t, s)
		up.set(func() { up.slow = 10 * time.Second })
		due := s.held.Load().due
		time.Sleep(time.Until(due))
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				if c := get(t, s); c.AccessKeyID != "ASIA1" {
					t.Errorf("got %s", c.AccessKeyID)
				}
				if waited := time.Since(due); waited > 0 {
					t.Errorf("waited %s", waited)
				}
			})
		}
		all.Wait()
		time.Sleep(11 * time.Second)
		up.expectCalls(t, "after 1,000 callers", 2)
		if c := get(t, s); c.AccessKeyID != "ASIA2" {
			t.Errorf("then got %s", c.AccessKeyID)
		}
	})
}

func TestCallGoesOnBehindACallerThatLeaves(t *testing.T) {
	up := &script{slow: 5 * time.Second}
	bubble(t, up, func(t *testing.T, s *Source) {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		if _, err := s.Credentials(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if waited := time.Since(epoch); waited != 300*time.Millisecond {
			t.Errorf("waited %s", waited)
		}
		time.Sleep(5 * time.Second)
		get(t, s)
		up.expectCalls(t, "after two callers", 1)
	})
}

// A caller that cannot wait learns what AWS said the last time, not that its
// own patience ended.
func TestCallerThatLeavesGetsTheLastError(t *testing.T) {
	up := &script{err: throttledErr}
	bubble(t, up, func(t *testing.T, s *Source) {
		fails(t, s, throttledErr)
		up.set(func() { up.slow = 5 * time.Second })
		time.Sleep(1500 * time.Millisecond) // the second call is under way
		synctest.Wait()
		up.expectCalls(t, "before the caller", 2)
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		if _, err := s.Credentials(ctx); !errors.Is(err, throttledErr) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOutageShorterThanTheLifeLeftIsUnseen(t *testing.T) {
	for name, err := range map[string]error{"network": errNetwork, "refused": refusedErr, "throttled": throttledErr} {
		t.Run(name, func(t *testing.T) {
			up := &script{}
			bubble(t, up, func(t *testing.T, s *Source) {
				get(t, s)
				up.set(func() { up.err = err })
				for time.Since(epoch) < 54*time.Minute {
					if c := get(t, s); c.AccessKeyID != "ASIA1" {
						t.Fatalf("got %s", c.AccessKeyID)
					}
					time.Sleep(time.Second)
				}
				if s.Status().Failures == 0 {
					t.Fatal("the outage was not met")
				}
				up.set(func() { up.err = nil })
				time.Sleep(5*time.Minute + time.Second) // the longest pause
				if c := get(t, s); c.AccessKeyID == "ASIA1" {
					t.Error("nothing was renewed after the outage")
				}
			})
		})
	}
}

func TestLongerOutageShowsAWSsErrorUntilItEnds(t *testing.T) {
	up := &script{}
	bubble(t, up, func(t *testing.T, s *Source) {
		get(t, s)
		up.set(func() { up.err = refusedErr })
		time.Sleep(time.Hour - time.Second)
		get(t, s)
		time.Sleep(time.Second)
		fails(t, s, refusedErr)
		time.Sleep(time.Hour)
		fails(t, s, refusedErr)
		up.set(func() { up.err = nil })
		time.Sleep(longestRefusal)
		get(t, s)
	})
}

// Life is counted from the call on, by the issuer's clock: not a second more
// or less, wherever the local clock stands.
func TestClockSkewDoesNoHarm(t *testing.T) {
	for name, skew := range map[string]time.Duration{"local clock slow": 20 * time.Minute, "fast": -20 * time.Minute, "by days": -72 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			up := &script{skew: skew, life: 15 * time.Minute}
			bubble(t, up, func(t *testing.T, s *Source) {
				get(t, s)
				up.set(func() { up.err = errNetwork })
				time.Sleep(15*time.Minute - time.Millisecond)
				if c := get(t, s); c.AccessKeyID != "ASIA1" {
					t.Errorf("got %s", c.AccessKeyID)
				}
				time.Sleep(time.Millisecond)
				fails(t, s, errNetwork)
			})
		})
	}
}

func TestSlowCallTakesFromTheLife(t *testing.T) {
	up := &script{slow: 10 * time.Second, life: 15 * time.Minute}
	bubble(t, up, func(t *testing.T, s *Source) {
		get(t, s)
		up.set(func() { up.err = errNetwork })
		time.Sleep(15*time.Minute - 10*time.Second)
		fails(t, s, errNetwork) // 15 minutes after the call began
	})
}

// given answers with what it holds.
type given struct{ creds daypass.Credentials }

func (g given) Credentials(context.Context) (daypass.Credentials, error) { return g.creds, nil }

func TestWithoutIssuedTheLocalClockCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := credentials(1, time.Now(), time.Hour)
		c.Issued = time.Time{}
		s := &Source{From: given{c}}
		get(t, s)
		if left := s.Status().Remaining; left != time.Hour {
			t.Errorf("%s remain", left)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestUselessCredentialsAreNeverServed(t *testing.T) {
	for name, spoil := range map[string]func(*daypass.Credentials){
		"empty":      func(c *daypass.Credentials) { *c = daypass.Credentials{} },
		"no id":      func(c *daypass.Credentials) { c.AccessKeyID = "" },
		"no key":     func(c *daypass.Credentials) { c.SecretAccessKey = "" },
		"no token":   func(c *daypass.Credentials) { c.SessionToken = "" },
		"no expiry":  func(c *daypass.Credentials) { c.Expires = time.Time{} },
		"expired":    func(c *daypass.Credentials) { c.Expires = c.Issued },
		"ended long": func(c *daypass.Credentials) { c.Issued, c.Expires = time.Time{}, epoch.Add(-time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := credentials(1, time.Now(), time.Hour)
				spoil(&c)
				s := &Source{From: given{c}}
				fails(t, s, errUseless)
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestCloseEndsCallsButNotCredentials(t *testing.T) {
	up := &script{}
	bubble(t, up, func(t *testing.T, s *Source) {
		get(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Minute)
		get(t, s)
		time.Sleep(time.Minute)
		fails(t, s, errClosed)
		up.expectCalls(t, "after closing", 1)
	})
}

func TestCloseCutsOffACallUnderWay(t *testing.T) {
	up := &script{slow: 30 * time.Second}
	bubble(t, up, func(t *testing.T, s *Source) {
		time.AfterFunc(time.Second, func() { _ = s.Close() })
		fails(t, s, errClosed)
		if waited := time.Since(epoch); waited != time.Second {
			t.Errorf("waited %s", waited)
		}
		time.Sleep(time.Hour)
		up.expectCalls(t, "after closing", 1)
	})
}

func TestHangingUpstreamIsGivenUp(t *testing.T) {
	up := &script{slow: 24 * time.Hour}
	bubble(t, up, func(t *testing.T, s *Source) {
		fails(t, s, context.DeadlineExceeded)
		if waited := time.Since(epoch); waited != callTimeout {
			t.Errorf("waited %s", waited)
		}
		up.set(func() { up.slow = 0 })
		time.Sleep(firstPause)
		get(t, s)
	})
}

// The wall clock is the only one that moves while a machine is suspended.
func TestWallClockAheadAsksAnew(t *testing.T) {
	up := &script{}
	bubble(t, up, func(t *testing.T, s *Source) {
		get(t, s)
		time.Sleep(time.Minute)
		ahead := *s.held.Load() // as if the wall clock had been moved on by 30 minutes
		ahead.wallDue, ahead.wallEnd = ahead.wallDue.Add(-30*time.Minute), ahead.wallEnd.Add(-30*time.Minute)
		s.held.Store(&ahead)
		if c := get(t, s); c.AccessKeyID != "ASIA1" {
			t.Errorf("due by the wall clock: got %s, want the old at once", c.AccessKeyID)
		}
		synctest.Wait()
		up.expectCalls(t, "due by the wall clock", 2)

		time.Sleep(time.Minute)
		expired := *s.held.Load()
		expired.wallDue, expired.wallEnd = time.Now().Add(-time.Hour), time.Now().Add(-time.Hour)
		s.held.Store(&expired)
		if c := get(t, s); c.AccessKeyID != "ASIA3" {
			t.Errorf("expired by the wall clock: got %s, want new ones", c.AccessKeyID)
		}

		time.Sleep(time.Minute)
		expired = *s.held.Load()
		expired.wallDue, expired.wallEnd = time.Now().Add(-time.Hour), time.Now().Add(-time.Hour)
		s.held.Store(&expired)
		up.set(func() { up.err = errNetwork })
		if c := get(t, s); c.AccessKeyID != "ASIA3" {
			t.Errorf("and nobody to ask: got %s, want what is held", c.AccessKeyID)
		}
		get(t, s) // and so within the pause
		up.expectCalls(t, "within the pause", 4)
	})
}

// A file that nobody asks for, as update's, is renewed soon after a suspend, too.
func TestWallClockAheadIsSeenWithoutCallers(t *testing.T) {
	up := &script{}
	bubble(t, up, func(t *testing.T, s *Source) {
		get(t, s)
		time.Sleep(10 * time.Minute)
		up.expectCalls(t, "before", 1)
		ahead := *s.held.Load() // as after a suspend of 30 minutes
		ahead.wallDue, ahead.wallEnd = ahead.wallDue.Add(-30*time.Minute), ahead.wallEnd.Add(-30*time.Minute)
		s.held.Store(&ahead)
		time.Sleep(look + time.Second)
		up.expectCalls(t, "a minute after", 2)
	})
}

func TestStatus(t *testing.T) {
	up := &script{life: 15 * time.Minute}
	bubble(t, up, func(t *testing.T, s *Source) {
		if got := s.Status(); got != (Status{}) {
			t.Errorf("before: %+v", got)
		}
		get(t, s)
		up.set(func() { up.err = refusedErr })
		time.Sleep(10 * time.Minute)
		got := s.Status()
		if got.Remaining != 5*time.Minute || got.Calls < 2 || got.Failures != got.Calls-1 {
			t.Errorf("while refused: %+v", got)
		}
		time.Sleep(10 * time.Minute)
		if got := s.Status(); got.Remaining != 0 {
			t.Errorf("after expiry: %+v", got)
		}
	})
}

func TestLogTellsWhatHappensAndNoSecret(t *testing.T) {
	var log bytes.Buffer
	up := &script{}
	bubble(t, up, func(t *testing.T, s *Source) {
		s.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		get(t, s)
		up.set(func() { up.err = refusedErr })
		time.Sleep(2 * time.Hour)
	})
	for _, want := range []string{
		`"level":"INFO","msg":"credentials renewed"`, "ASIA1", `"life":"1h0m0s"`,
		`"level":"WARN"`, "AccessDeniedException", `"hint":"look here"`, `"remaining"`, `"again"`,
		`"level":"ERROR"`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	if strings.Contains(log.String(), "planted") {
		t.Error("the log holds a secret")
	}
}

func TestReadingHeldCredentialsDoesNotAllocate(t *testing.T) {
	s := &Source{From: &script{}}
	defer s.Close()
	get(t, s)
	ctx := context.Background()
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := s.Credentials(ctx); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for each read", n)
	}
}

func BenchmarkHeldCredentials(b *testing.B) {
	s := &Source{From: &script{}}
	defer s.Close()
	ctx := context.Background()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Credentials(ctx); err != nil {
				b.Error(err)
			}
		}
	})
}
