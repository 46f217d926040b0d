package main

import (
	"io"
	"os"

	"daypass.dev/internal/cli"
)

// auditTo is where --audit-log writes; nil: nowhere.
func auditTo(path string, stderr io.Writer) (io.Writer, error) {
	switch path {
	case "":
		return nil, nil
	case "-":
		return stderr, nil
	}
	_, err := appender(path).Write(nil)
	if err != nil {
		return nil, cli.Usagef("name a file in a directory that this user may write to", "--audit-log: %w", err)
	}
	return appender(path), nil
}

// An appender adds to a file, which it opens each time: whoever rotates logs
// needs to tell nobody. Lines of several processes do not mix.
type appender string

func (path appender) Write(line []byte) (int, error) {
	f, err := os.OpenFile(string(path), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := f.Write(line)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return n, err
}
