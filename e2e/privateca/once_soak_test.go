//go:build soak

package privateca

import (
	"testing"
	"time"
)

// TestExactlyOneHundred is TestExactlyOneCertificateEach at one call a second.
func TestExactlyOneHundred(t *testing.T) {
	exactly(t, 100, &failing{every: time.Second, broken: 20}, 15*time.Minute)
}
