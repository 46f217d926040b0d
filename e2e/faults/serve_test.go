package faults

import (
	"slices"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/stage"
	"daypass.dev/sandbox/world"
)

const (
	// life is long enough for a slow machine to see credentials before and
	// after their renewal was tried.
	life = 12 * time.Second
	// between is how often a caller asks.
	between = 150 * time.Millisecond
	// late is the most that a busy machine may add to anything.
	late = 2 * time.Second
	// tooLong is far beyond IMDS's 300 ms, which deliver's own tests hold it to
	// on a clock of their own, because this machine is shared; and far below the
	// 15 seconds for which AWS is waited for.
	tooLong = 5 * time.Second
)

// A play is one serve, with somebody who asks it all the time.
type play struct {
	*caller
	stage *stage.Stage
}

func newPlay(t *testing.T, begin func(*world.World) func()) (p *play, end func()) {
	t.Helper()
	p = &play{stage: stage.Start(t, life, "ec-p256")}
	if begin != nil {
		end = begin(p.stage.World)
	}
	p.caller = newCaller(t, stage.Serve(t, program(t, "daypass"), append(p.stage.Reach(), p.stage.Settings()...)))
	return p, end
}

// untilGood asks until both endpoints give the same credentials, other than
// those with a key id.
func (p *play) untilGood(t *testing.T, but string) answer {
	t.Helper()
	var last []answer
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(between) {
		last = p.both()
		key := last[0].document.AccessKeyId
		if last[0].good() && last[1].good() && key != but && key == last[1].document.AccessKeyId {
			return last[0]
		}
	}
	t.Fatalf("no credentials come: %v", last)
	return answer{}
}

// calls are the calls of CreateSession that arrived in a time, the oldest
// first. One that hangs is recorded at its end.
func (p *play) calls(from, to time.Time) (all []world.Decision) {
	for _, d := range p.stage.Decisions() {
		if d.Operation == "CreateSession" && !d.Time.Before(from) && d.Time.Before(to) {
			all = append(all, d)
		}
	}
	return all
}

func (p *play) told(t *testing.T) {
	t.Helper()
	t.Logf("IMDS took %v at most", p.slowest.Round(time.Millisecond))
	if p.slowest > tooLong {
		t.Errorf("IMDS took %v to answer", p.slowest)
	}
}

// Whatever AWS does: the last good credentials until they expire, then an error
// that SDKs show, then good ones as soon as AWS gives them.
func TestServeThroughFaults(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes more than a life of a credential")
	}
	rows := faults()
	if len(rows) < 9 {
		t.Fatalf("%d faults", len(rows))
	}
	for _, f := range rows {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			started := time.Now()
			p, _ := newPlay(t, nil)
			first := p.untilGood(t, "")
			end := f.begin(p.stage.World)
			began := time.Now()
			p.untilExpired(t, f, first, first.came.Sub(started))
			p.whileRefused(t, f)
			ended := time.Now()
			end()
			p.untilGood(t, first.document.AccessKeyId)
			back := time.Since(ended)
			p.told(t)
			calls := p.calls(began, ended)
			t.Logf("%d calls in %v; good again after %v", len(calls), ended.Sub(began).Round(time.Second), back.Round(time.Millisecond))
			checkCount(t, f, calls, ended)
			if !f.unanswered() && !strings.Contains(p.served.Log(), f.codes[0]) {
				t.Errorf("serve's log lacks %s", f.codes[0])
			}
		})
	}
}

// untilExpired sees the first credentials from both endpoints as long as they
// live, and from then on errors. They may end up to lead before what they say,
// because their life is counted from before the call; and a second later,
// because AWS's times have no fractions.
func (p *play) untilExpired(t *testing.T, f fault, first answer, lead time.Duration) {
	t.Helper()
	expires := first.document.Expiration
	safe, over := expires.Add(-time.Second-lead), expires.Add(late)
	var lastGood time.Time
	for time.Now().Before(over.Add(late)) {
		for _, a := range p.both() {
			same := a.good() && a.document.AccessKeyId == first.document.AccessKeyId
			refused := a.refused() && slices.Contains(f.codes, a.document.Code)
			switch {
			case !same && !refused:
				t.Fatalf("neither the last good credentials nor an error: %v", a)
			case !same && a.came.Before(safe):
				t.Fatalf("%v before they expire: %v", expires.Sub(a.came), a)
			case same && a.sent.After(over):
				t.Fatalf("%v after they expired, %s still gives them", a.sent.Sub(expires), a.from)
			case same:
				lastGood = a.came
			}
		}
		time.Sleep(between)
	}
	failed := p.calls(first.came, lastGood)
	if len(failed) == 0 && f.name != "hanging" { // which is recorded later
		t.Errorf("nobody asked AWS while the credentials lived: the fault was never met")
	}
}

// whileRefused asks all the time while SDKs do, and sees only errors.
func (p *play) whileRefused(t *testing.T, f fault) {
	t.Helper()
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			for _, a := range p.both() {
				if !a.refused() || !slices.Contains(f.codes, a.document.Code) {
					t.Errorf("no error of AWS's: %v", a)
				}
			}
			select {
			case <-done:
				return
			case <-time.After(between):
			}
		}
	}()
	defer func() { close(done); <-stopped }()
	tryExceptions(t, f, p)
}

// checkCount holds the calls that met a fault against refresh's pauses.
func checkCount(t *testing.T, f fault, calls []world.Decision, ended time.Time) {
	t.Helper()
	if len(calls) == 0 {
		t.Error("nobody asked AWS")
		return
	}
	span := ended.Sub(calls[0].Time)
	if most := 1 + int((span+late)/f.pause); len(calls) > most {
		t.Errorf("%d calls in %v, at most %d are right with %v between them", len(calls), span, most, f.pause)
	}
	for _, d := range calls {
		if d.Allowed && !strings.Contains(strings.Join(d.NotAWS, " "), "fault") {
			t.Errorf("a call succeeded in the fault: %v", d)
		}
	}
}
