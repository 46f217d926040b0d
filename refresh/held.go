package refresh

import (
	"errors"
	"math/rand/v2"
	"time"

	"daypass.dev"
)

// held are credentials with what the local clocks said when they were asked
// for. All times carry both clocks, except those named wall.
type held struct {
	creds   daypass.Credentials
	got     time.Time
	life    time.Duration
	due     time.Time
	wallDue time.Time
	wallEnd time.Time
}

// hold counts their life from got, before the call; they are due for renewal
// after the given share of it.
func hold(creds daypass.Credentials, got time.Time, share float64) *held {
	life := creds.Life()
	if creds.Issued.IsZero() {
		life = creds.Expires.Sub(got.Round(0)) // no clock but ours is known
	}
	due := time.Duration(share * float64(life))
	return &held{
		creds: creds, got: got, life: life, due: got.Add(due),
		wallDue: got.Round(0).Add(due), wallEnd: got.Round(0).Add(life),
	}
}

// fresh tells whether both clocks agree that nothing needs to be done.
func (h *held) fresh(now time.Time) bool { return now.Before(h.due) && now.Before(h.wallDue) }

// alive tells whether the credentials may be served.
func (h *held) alive(now time.Time) bool { return h.remaining(now) > 0 }

// sure tells whether the wall clock, too, says that they are alive. The
// monotonic clock stands still while a machine is suspended; the wall clock
// may have been set. Where only one says so, somebody with an answer is asked
// first.
func (h *held) sure(now time.Time) bool { return now.Before(h.wallEnd) }

func (h *held) remaining(now time.Time) time.Duration { return h.life - now.Sub(h.got) }

// Pauses after failures double from the first to the longest. A refusal is
// tried again, too, because somebody may mend the policy, but slowly.
const (
	firstPause, longestPause     = time.Second, time.Minute
	firstRefusal, longestRefusal = 10 * time.Second, 5 * time.Minute
	// longestRetryAfter is the most that an answer can ask for.
	longestRetryAfter = 15 * time.Minute
)

// pause is how long to wait after so many failures in a row, the last of them
// err, where last were the last good credentials, if any. It is at most an
// eighth of their life, so that short lives see several tries; at least the
// floor; and at least what the answer asked for.
func pause(err error, failures int, last *held) time.Duration {
	first, longest := firstPause, longestPause
	e := (*daypass.Error)(nil)
	if errors.As(err, &e) && refusal(e) {
		first, longest = firstRefusal, longestRefusal
	}
	if last != nil {
		longest = min(longest, last.life/8)
	}
	wait := min(first<<min(failures-1, 16), longest)
	wait = max(jitter(wait/2, wait), floor)
	if e != nil && e.RetryAfter > 0 {
		asked := min(e.RetryAfter, longestRetryAfter)
		wait = max(wait, jitter(asked, asked+asked/10))
	}
	return wait
}

// refusal tells whether AWS said no, which it will say again. A success that
// was of no use, with a status of 2xx, is an accident on the way.
func refusal(e *daypass.Error) bool { return !e.Temporary() && e.Status/100 != 2 }

// jitter is a time from low up to high.
func jitter(low, high time.Duration) time.Duration {
	return low + time.Duration(rand.Float64()*float64(high-low))
}
