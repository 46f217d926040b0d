// Package cli is what all programs share at the terminal: how errors and hints
// look, what exit codes mean, and how flags find their twins in the
// environment.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	OK     = 0
	Failed = 1 // trying again may help
	Usage  = 2 // wrong usage or input
	No     = 3 // the answer is no: refused, a check fails, explain denies
)

// An Error carries what the terminal needs beside the text.
type Error struct {
	Err  error
	Hint string
	Code int // exit code
	// Silent: nothing is printed, the output has already said it.
	Silent bool
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Advice returns the hint.
func (e *Error) Advice() string { return e.Hint }

// Usagef is wrong usage or input: exit code 2. An empty hint prints none.
func Usagef(hint, format string, args ...any) error {
	return &Error{Err: fmt.Errorf(format, args...), Hint: hint, Code: Usage}
}

// Nof is a plain no: exit code 3.
func Nof(hint, format string, args ...any) error {
	return &Error{Err: fmt.Errorf(format, args...), Hint: hint, Code: No}
}

// Main runs root with the process's arguments and signals and returns its exit
// code. Errors go to stderr as "NAME: error: …", then "NAME: hint: …".
func Main(root *cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	return MainUncaught(ctx, root)
}

// MainUncaught is Main for a command that is started again and again and has
// nothing to tidy up: signals end it as they end any program, because catching
// them takes a thread, and a tenth of all that such a command costs.
func MainUncaught(ctx context.Context, root *cobra.Command) int {
	prepare(root)
	return Exit(root.ExecuteContext(ctx), root.Name(), os.Stderr)
}

// Exit prints err and returns the exit code that it stands for.
func Exit(err error, program string, stderr io.Writer) int {
	if err == nil {
		return OK
	}
	e := &Error{Err: err, Code: Failed}
	errors.As(err, &e)
	if !e.Silent {
		fmt.Fprintf(stderr, "%s: error: %v\n", program, err)
		if e.Hint != "" {
			fmt.Fprintf(stderr, "%s: hint: %s\n", program, e.Hint)
		}
	}
	return e.Code
}
