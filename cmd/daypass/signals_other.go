//go:build !unix

package main

import (
	"os"
	"syscall"

	"golang.org/x/term"
)

// passed are the signals that do not end us: what they mean, the command
// decides. Other systems than Unix have no more; sending one to the command
// fails there, but a console sends it to the command, too.
func passed() []os.Signal { return []os.Signal{syscall.SIGTERM, syscall.SIGINT} }

// fromTerminal tells whether the command gets a signal from the console, too.
func fromTerminal() bool { return term.IsTerminal(int(os.Stdin.Fd())) }
