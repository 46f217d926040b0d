//go:build soak

package refresh

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// What fits a quota of ten calls a second: identities and the life of their
// credentials at 80 % of it, with an outage of a third of the life. The longer
// lives are run at a tenth of both, which is the same.
func TestWhatFitsAQuota(t *testing.T) {
	for _, row := range []struct {
		life  time.Duration
		keys  int
		quota float64
	}{{time.Hour, 12_000, 10}, {6 * time.Hour, 7_200, 1}, {12 * time.Hour, 14_400, 1}} {
		t.Run(fmt.Sprint(row.life), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ratio, mean := steady(t, row.keys, row.life, row.quota, 0)
				t.Logf("%d identities of %s: %.2f calls a second of %.0f, in a sixth of the life at most %.2f of the mean", row.keys, row.life, mean, row.quota, ratio)
				if ratio > 1.3 {
					t.Errorf("the peak is %.2f of the mean", ratio)
				}
			})
			synctest.Test(t, func(t *testing.T) { steady(t, row.keys, row.life, row.quota, row.life/3) })
		})
	}
}
