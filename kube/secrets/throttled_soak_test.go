//go:build soak

package secrets

import "testing"

// 200 ServiceAccounts mount at once while Secrets Manager answers five calls a
// second.
func TestThrottledAtFive(t *testing.T) { throttled(t, 200, 5) }
