//go:build soak

package main

import "testing"

func TestKilledOften(t *testing.T) { killed(t, 50) }
