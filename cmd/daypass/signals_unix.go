//go:build unix

package main

import (
	"os"
	"syscall"
)

// passed are the signals that do not end us: what they mean, the command
// decides.
func passed() []os.Signal {
	return []os.Signal{
		syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
		syscall.SIGINT, syscall.SIGQUIT,
	}
}
