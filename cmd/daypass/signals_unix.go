//go:build unix

package main

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// passed are the signals that do not end us: what they mean, the command
// decides.
func passed() []os.Signal {
	return []os.Signal{
		syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
		syscall.SIGINT, syscall.SIGQUIT,
	}
}

// fromTerminal tells whether a SIGINT or SIGQUIT that came now is a key's: then
// the terminal has sent it to the command, too, wherever standard input comes
// from. A terminal sends to the process group in its foreground; one that somebody
// sends us alone, while we are there, is taken for a key's.
func fromTerminal() bool {
	tty, err := unix.Open("/dev/tty", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false // we have none
	}
	defer unix.Close(tty)
	group, err := unix.IoctlGetInt(tty, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
