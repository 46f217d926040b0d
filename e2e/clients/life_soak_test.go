//go:build soak

package clients

import "time"

const life = 90 * time.Second
