//go:build !windows

package config

import "syscall"

func closeOnExec(descriptor int) { syscall.CloseOnExec(descriptor) }
