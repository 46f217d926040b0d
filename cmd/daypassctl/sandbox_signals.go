package main

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// passSignals hands on to a command what this process is told, until end is
// called. An interrupt from a terminal goes to both by itself.
func passSignals(p *os.Process) (end func()) {
	told := make(chan os.Signal, 4)
	signal.Notify(told, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	fromTerminal := term.IsTerminal(int(os.Stdin.Fd()))
	go func() {
		for {
			select {
			case s := <-told:
				if s != os.Interrupt || !fromTerminal {
					_ = p.Signal(s)
				}
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(told)
		close(done)
	}
}

// exitCode is a command's own, or 128 and the signal that ended it, as shells
// have it.
func exitCode(s *os.ProcessState) int {
	if status, ok := s.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return s.ExitCode()
}
