//go:build !soak

package faults

import "time"

const (
	crowded    = 100
	crowdedFor = 300 * time.Millisecond
	crowdedMB  = 25
)

// everySDK meets every fault; else of those with one answer one.
const everySDK = false
