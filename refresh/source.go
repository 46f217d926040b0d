// Package refresh keeps credentials fresh: Source renews them in the background
// of one long process, Disk remembers them between many short ones.
package refresh

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"daypass.dev"
)

// Source yields From's credentials and renews them in the background. The
// first call of Credentials starts it, Close ends it. It is safe for
// concurrent use and must not be copied after use.
//
// They are renewed at 40 to 50 % of their life, at random, so that those who
// started together do not renew together. One call to From is under way at a
// time, and calls begin at least a second apart, so that a life below two
// seconds may have gaps. Whatever goes wrong, the last good credentials are
// served until they have lived as long as their issuer said. How long that is
// gets counted on the monotonic clock from before the call, so that setting
// the wall clock does no harm; where the wall clock says that they should be
// renewed or have expired, as after a suspend, they are renewed when somebody
// asks for them, and within a minute where nobody does.
type Source struct {
	// From must answer with fresh credentials: a Disk, for one, may not.
	From daypass.Source
	// Changed tells whether From may answer otherwise than it did when it last
	// failed, as when a certificate was renewed. It is asked each second of the
	// pause after a failure, which it ends, except where AWS asked for patience.
	// Nil: never.
	Changed func() bool
	// Log is told of renewals and failures. Nil: silent.
	Log *slog.Logger

	held atomic.Pointer[held] // the last good credentials

	// A Group's: turn waits until a call may begin, for credentials that are
	// held until ends; legacy remembers what a call gave. Nil: nothing does.
	turn   func(ctx context.Context, ends time.Time) error
	legacy *legacy

	mu        sync.Mutex
	flight    *flight
	timer     *time.Timer // wakes for the next call
	started   time.Time   // when the latest call began
	notBefore time.Time   // when the next may, after a failure
	failures  int         // in a row
	lastErr   error       // nil after a success
	calls     uint64
	failed    uint64
	closed    bool
}

// A flight is one call to From and all who wait for it. Its results are
// written before done is closed.
type flight struct {
	cancel context.CancelFunc
	done   chan struct{}
	creds  daypass.Credentials
	err    error
}

const (
	floor = time.Second
	// look is how often the wall clock is looked at: timers stand still while
	// the machine is suspended.
	look        = time.Minute
	callTimeout = time.Minute // From has shorter ones of its own
)

var (
	errClosed  = errors.New("the credential source is closed")
	errUseless = errors.New("what came lacks a key, a token or an expiry, or has expired")
)

// Credentials returns the credentials now held, at once, or waits for a call
// to From if there are none or they have expired. Within the pause after a
// failed call it returns that call's error at once. Where ctx ends before, the
// call goes on behind, and the error is the last that From gave, or ctx's.
func (s *Source) Credentials(ctx context.Context) (daypass.Credentials, error) {
	if h := s.held.Load(); h != nil && h.fresh(time.Now()) {
		return h.creds, nil
	}
	f, creds, err := s.join()
	if f == nil {
		return creds, err
	}
	select {
	case <-f.done:
		err = f.err
		if err == nil {
			return f.creds, nil
		}
	case <-ctx.Done():
		s.mu.Lock()
		err = s.lastErr
		s.mu.Unlock()
		if err == nil {
			err = context.Cause(ctx)
		}
	}
	if h := s.held.Load(); h != nil && h.alive(time.Now()) {
		return h.creds, nil
	}
	return daypass.Credentials{}, err
}

// join starts a call to From if one is due, and returns the flight that the
// caller must wait for; nil, and the result, if it need not.
func (s *Source) join() (*flight, daypass.Credentials, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, h := time.Now(), s.held.Load()
	if h != nil && h.fresh(now) {
		return nil, h.creds, nil // renewed meanwhile
	}
	alive := h != nil && h.alive(now)
	resting := now.Before(s.notBefore)
	if s.flight == nil && !resting && !s.closed {
		s.start(now)
	}
	switch {
	case alive && (h.sure(now) || s.flight == nil):
		return nil, h.creds, nil
	case s.flight != nil:
		return s.flight, daypass.Credentials{}, nil
	case s.lastErr != nil:
		return nil, daypass.Credentials{}, s.lastErr
	}
	return nil, daypass.Credentials{}, errClosed
}

// start begins a call, apart from any caller's context. mu is held.
func (s *Source) start(now time.Time) {
	ctx, cancel := context.WithCancel(context.Background())
	s.flight = &flight{cancel: cancel, done: make(chan struct{})}
	wait := time.Duration(0)
	if !s.started.IsZero() {
		wait = floor - now.Sub(s.started)
	}
	s.calls++
	s.started = now.Add(max(wait, 0))
	go s.fly(ctx, s.flight, wait)
}

func (s *Source) fly(ctx context.Context, f *flight, wait time.Duration) {
	defer f.cancel()
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	if err := s.takeTurn(ctx); err != nil {
		s.land(f, time.Now(), daypass.Credentials{}, err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	begin := time.Now()
	creds, err := s.From.Credentials(ctx)
	s.land(f, begin, creds, err)
	if s.legacy != nil && f.err == nil {
		s.legacy.write(begin, creds)
	}
}

// land takes a call's result and sets the clock for the next.
func (s *Source) land(f *flight, begin time.Time, creds daypass.Credentials, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer close(f.done)
	now := time.Now()
	var h *held
	if err == nil {
		if h = hold(creds, begin, 0.4+0.1*rand.Float64()); !creds.Whole() || !h.alive(now) {
			err = errUseless
		}
	}
	s.flight = nil
	if s.closed && err != nil {
		f.err = errClosed // it was cut off
		return
	}
	s.lastErr, f.err = err, err
	if err != nil {
		s.failed++
		s.failures++
		wait := pause(err, s.failures, s.held.Load())
		s.notBefore = now.Add(wait)
		s.logFailure(err, wait, now)
		s.rest(now)
		return
	}
	f.creds = creds
	s.failures, s.notBefore = 0, time.Time{}
	s.held.Store(h)
	if s.Log != nil {
		s.Log.Info("credentials renewed", "accessKeyId", creds.AccessKeyID, "role", creds.RoleARN, "life", h.life.String())
	}
	s.wakeAfter(min(h.due.Sub(now), look))
}

// wakeAfter is called with mu held.
func (s *Source) wakeAfter(d time.Duration) {
	if s.timer != nil {
		s.timer.Stop()
	}
	if !s.closed {
		s.timer = time.AfterFunc(d, s.wake)
	}
}

// rest waits for the end of the pause after a failure, or for a look at what
// may have changed. It is called with mu held.
func (s *Source) rest(now time.Time) {
	wait := s.notBefore.Sub(now)
	if s.watches() {
		wait = min(wait, floor)
	}
	s.wakeAfter(wait)
}

// watches tells whether a change would end the pause. It is called with mu held.
func (s *Source) watches() bool {
	e := (*daypass.Error)(nil)
	return s.Changed != nil && !(errors.As(s.lastErr, &e) && (e.Temporary() || e.RetryAfter > 0))
}

func (s *Source) wake() {
	s.mu.Lock()
	watches := s.watches() && time.Now().Before(s.notBefore)
	s.mu.Unlock()
	changed := watches && s.Changed() // it may take its time

	s.mu.Lock()
	defer s.mu.Unlock()
	now, h := time.Now(), s.held.Load()
	switch {
	case s.closed || s.flight != nil:
	case s.lastErr == nil && h != nil && h.fresh(now):
		s.wakeAfter(min(h.due.Sub(now), look))
	case changed || !now.Before(s.notBefore):
		s.start(now)
	default:
		s.rest(now)
	}
}

// Retry ends the pause after a failure, if there is one, except where AWS asked
// for patience: something has changed of which Changed would tell later.
func (s *Source) Retry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); !s.closed && s.flight == nil && s.watches() && now.Before(s.notBefore) {
		s.start(now)
	}
}

func (s *Source) logFailure(err error, wait time.Duration, now time.Time) {
	if s.Log == nil {
		return
	}
	attrs := told(err, wait)
	if h := s.held.Load(); h != nil && h.alive(now) {
		s.Log.Warn("renewing credentials", append(attrs, "remaining", h.remaining(now).Round(time.Second).String())...)
		return
	}
	s.Log.Error("getting credentials", attrs...)
}

// Close ends renewal, cancels a call that is under way and waits for its end:
// it may have asked at a terminal, which it leaves as it was. Credentials held
// are still served until they expire.
func (s *Source) Close() error {
	if f := s.end(); f != nil {
		<-f.done
	}
	return nil
}

// end is Close without the wait, and returns what it would wait for.
func (s *Source) end() *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.flight != nil {
		s.flight.cancel()
	}
	return s.flight
}

// Status tells how the source is doing, for health checks and metrics.
func (s *Source) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := Status{Calls: s.calls, Failures: s.failed}
	if h := s.held.Load(); h != nil {
		status.Remaining = max(h.remaining(time.Now()), 0)
	}
	return status
}

// A Status is what a Source says of itself at one moment.
type Status struct {
	// Remaining is the life left in the credentials held; zero: none, or expired.
	Remaining time.Duration
	// Calls counts the calls to From so far, Failures those that gave nothing.
	Calls, Failures uint64
}
