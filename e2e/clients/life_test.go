//go:build !soak

package clients

import "time"

// A life must be so long that the slowest client gets from its credentials to
// its request within what is left after a renewal: at least half of it.
const life = 16 * time.Second
