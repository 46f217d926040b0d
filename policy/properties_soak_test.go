//go:build soak

package policy

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestPropertiesForFiveMinutes decides requests by policies that chance makes.
func TestPropertiesForFiveMinutes(t *testing.T) {
	const batch = 1000
	decided := 0
	first := uint64(time.Now().UnixNano())
	for seed, end := first, time.Now().Add(5*time.Minute); time.Now().Before(end); seed++ {
		rng := rand.New(rand.NewPCG(seed, seed))
		for range batch {
			properties(t, rng.IntN)
		}
		decided += batch
		if t.Failed() {
			t.Fatalf("with the seed %d", seed)
		}
	}
	t.Logf("%d worlds, from the seed %d", decided, first)
}
