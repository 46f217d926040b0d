//go:build soak

package kube_test

import (
	"testing"
	"time"
)

// TestTenStartsAndStops also kills the starter once at a different moment of
// its work in each of five cycles.
func TestTenStartsAndStops(t *testing.T) {
	c, starter := own(t)
	before := take(t, c)
	for cycle := range 10 {
		begin := time.Now()
		if cycle%2 == 1 {
			killed(t, starter, time.Duration(cycle)*800*time.Millisecond)
		} else {
			run(t, starter, "up")
		}
		up := time.Since(begin)
		begin = time.Now()
		run(t, starter, "down")
		t.Logf("cycle %d: up %.1f s, down %.1f s", cycle+1, up.Seconds(), time.Since(begin).Seconds())
		before.same(t, take(t, c))
		if t.Failed() {
			return
		}
	}
}
