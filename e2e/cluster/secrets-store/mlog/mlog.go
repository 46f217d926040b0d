// Package mlog stands in for a logging module that cannot be had: it has what
// the Secrets Store CSI driver calls, and writes plain lines to stderr.
package mlog

import (
	"context"
	"fmt"
	"os"
)

// LogFormat is how lines look; here they always look the same.
type LogFormat string

// The formats that the driver's flag knows.
const (
	FormatText LogFormat = "text"
	FormatJSON LogFormat = "json"
)

// Setup returns what flushes the log, which has nothing to flush.
func Setup() func() { return func() {} }

// ValidateAndSetKlogLevelAndFormatGlobally takes any level and format.
func ValidateAndSetKlogLevelAndFormatGlobally[L ~int32](context.Context, L, LogFormat) error {
	return nil
}

// Error writes a line.
func Error(msg string, err error, keysAndValues ...any) {
	fmt.Fprintln(os.Stderr, append([]any{msg, err}, keysAndValues...)...)
}

// Fatal writes a line and ends the program.
func Fatal(err error, keysAndValues ...any) {
	fmt.Fprintln(os.Stderr, append([]any{err}, keysAndValues...)...)
	os.Exit(1)
}
