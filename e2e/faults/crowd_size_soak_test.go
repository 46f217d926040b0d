//go:build soak

package faults

import "time"

// A thousand connections for longer than serve waits for what they send.
const (
	crowded    = 1000
	crowdedFor = 10 * time.Second
	crowdedMB  = 80
)

// everySDK meets every fault.
const everySDK = true
