package exchange

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// strict is an AWS whose clock is off by the offset, and that refuses requests
// dated more than 5 minutes away from it.
func strict(offset *atomic.Int64) *fake {
	now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	return &fake{now: now, respond: func(r *http.Request) *http.Response {
		at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil || at.Sub(now()).Abs() > 5*time.Minute {
			return reply(403, `{"message":"Signature expired"}`, "X-Amzn-Errortype", "AccessDeniedException")
		}
		return nil
	}}
}

func TestWrongClockIsCorrectedAndRemembered(t *testing.T) {
	for name, skew := range map[string]time.Duration{"slow": 20 * time.Minute, "fast": -20 * time.Minute, "years": -56 * 365 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var offset atomic.Int64
				offset.Store(int64(skew))
				f := strict(&offset)
				r := source(t, f)
				ask := func(when string, calls int64) {
					t.Helper()
					before := f.calls.Load()
					c, err := r.Credentials(context.Background())
					if err != nil || c.Life() != time.Hour {
						t.Fatalf("%s: got life %s, %v", when, c.Life(), err)
					}
					if wrong := time.Until(c.Expires) - time.Hour; wrong.Abs() > time.Minute {
						t.Errorf("%s: by the local clock they expire %s late", when, wrong)
					}
					if n := f.calls.Load() - before; n != calls {
						t.Errorf("%s: %d calls, want %d", when, n, calls)
					}
				}
				ask("at first", 2)
				ask("then", 1)
				offset.Store(0) // somebody sets the local clock
				ask("after the clock was set right", 2)
				ask("then", 1)
			})
		})
	}
}

// A Date has no fractions, and an answer may be long on its way: programs must
// not be told a later end than AWS's for it.
func TestExpiryOnAWrongClockIsNotLate(t *testing.T) {
	for _, skew := range []time.Duration{20*time.Minute + 900*time.Millisecond, -20*time.Minute - 100*time.Millisecond, time.Hour} {
		t.Run(skew.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var offset atomic.Int64
				offset.Store(int64(skew))
				f := strict(&offset)
				aws := f.now
				f.now = func() time.Time { // the Date is written, and then the answer is slow
					at := aws()
					time.Sleep(3 * time.Second)
					return at
				}
				respond := f.respond
				f.respond = func(r *http.Request) *http.Response {
					if refusal := respond(r); refusal != nil {
						return refusal
					}
					return reply(201, success(aws().Add(time.Hour)), "Date", aws().UTC().Format(http.TimeFormat))
				}
				got, err := source(t, f).Credentials(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				// By AWS's clock, to whose full second it is given.
				end := got.Expires.Add(skew)
				if late := end.Sub(aws().Add(time.Hour)); late > 0 || late < -10*time.Second {
					t.Errorf("the local expiry is %s after AWS's", late)
				}
			})
		})
	}
}

func TestRefusalsThatAreNotTheClocks(t *testing.T) {
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		status int
		skew   time.Duration
		date   string
	}{
		"clock is right":            {403, 0, ""},
		"clock is nearly right":     {403, 3 * time.Minute, ""},
		"no date":                   {403, day, "x"},
		"throttled, clock is wrong": {429, day, ""},
		"failed, clock is wrong":    {500, day, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{now: func() time.Time { return time.Now().Add(c.skew) }}
				f.respond = func(*http.Request) *http.Response {
					if c.date != "" {
						return reply(c.status, "{}", "X-Amzn-Errortype", "X", "Date", c.date)
					}
					return reply(c.status, "{}", "X-Amzn-Errortype", "X")
				}
				refused(t, source(t, f))
				if n := f.calls.Load(); n != 1 {
					t.Errorf("%d calls, want 1", n)
				}
			})
		})
	}
}

// Who is refused for another reason with a wrong clock is asked twice once,
// and never in a circle.
func TestRefusedWithTheCorrectedClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{now: func() time.Time { return time.Now().Add(time.Hour) }}
		f.respond = func(*http.Request) *http.Response { return reply(403, "{}", "X-Amzn-Errortype", "X") }
		r := source(t, f)
		refused(t, r)
		refused(t, r)
		if n := f.calls.Load(); n != 3 {
			t.Errorf("%d calls, want 2 and 1", n)
		}
	})
}

// A correction does not outlive its cause: when the local clock is set right by
// less than AWS refuses for, the times are its own again.
func TestCorrectionIsForgottenWhenTheClockIsMended(t *testing.T) {
	var c clock
	c.offset.Store(int64(4*time.Minute + 30*time.Second))
	a := &answer{status: 201, header: http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}}
	if c.correct(a) {
		t.Error("a success is asked for again")
	}
	if off := c.offset.Load(); off != 0 {
		t.Errorf("the clock is still corrected by %s", time.Duration(off))
	}
	far := time.Now().Add(20 * time.Minute).UTC()
	c.offset.Store(int64(20 * time.Minute))
	a.header.Set("Date", far.Format(http.TimeFormat))
	if c.correct(a); c.offset.Load() == 0 {
		t.Error("a correction that is needed was forgotten")
	}
}
