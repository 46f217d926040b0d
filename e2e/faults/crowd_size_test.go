//go:build !soak

package faults

import "time"

const (
	crowded    = 100
	crowdedFor = time.Second
	crowdedMB  = 25
)
