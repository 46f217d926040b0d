package faults

import (
	"slices"
	"testing"
	"time"
)

// A serve that starts while AWS does not answer well says so to every caller,
// asks AWS ever more rarely, and has credentials once AWS gives them.
func TestServeStartsInAFault(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	const window = 12 * time.Second
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			p, end := newPlay(t, f.begin)
			codes := append([]string{pending}, f.codes...) // until the first answer
			asked := 0
			for time.Since(began) < window {
				for _, a := range p.both() {
					if !a.refused() || !slices.Contains(codes, a.document.Code) {
						t.Fatalf("no error of AWS's: %v", a)
					}
					asked++
				}
				time.Sleep(between)
			}
			ended := time.Now()
			end()
			p.untilGood(t, "")
			p.told(t)
			calls := p.calls(began, ended)
			t.Logf("%d calls in %v for %d questions", len(calls), ended.Sub(began).Round(time.Second), asked)
			if len(calls) == 0 || asked < 10 {
				t.Fatalf("%d questions led to %d calls", asked, len(calls))
			}
			if span := ended.Sub(calls[0].Time) + late; len(calls) > f.mostAtFirst(span) {
				t.Errorf("%d calls in %v, at most %d are right", len(calls), span, f.mostAtFirst(span))
			}
		})
	}
}

// mostAtFirst is how many calls fit into a time that begins with one.
func (f fault) mostAtFirst(span time.Duration) int {
	calls, at := 1, time.Duration(0)
	for {
		at += f.firsts[min(calls, len(f.firsts))-1]
		if at > span {
			return calls
		}
		calls++
	}
}
