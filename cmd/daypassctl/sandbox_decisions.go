package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"daypass.dev/sandbox/world"
)

// A recorder writes decisions: a line for people, a line of JSON for programs.
// Either may be nil.
type recorder struct {
	lines, json io.Writer
	colour      bool // of the verdict in lines

	mu     sync.Mutex
	failed error // the first
}

func (r *recorder) record(d world.Decision) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lines != nil {
		line := d.String()
		if r.colour {
			line = coloured(d, line)
		}
		_, err := fmt.Fprintln(r.lines, line)
		r.note(err)
	}
	if r.json != nil {
		b, err := json.Marshal(d)
		r.note(err)
		_, err = r.json.Write(append(b, '\n'))
		r.note(err)
	}
}

func (r *recorder) note(err error) {
	if r.failed == nil && err != nil {
		r.failed = fmt.Errorf("writing decisions: %w", err)
	}
}

func (r *recorder) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// takesColour reports whether w is a terminal whose user has not asked for
// plain text by NO_COLOR (no-color.org).
func takesColour(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && term.IsTerminal(int(f.Fd()))
}

// coloured sets the status in a decision's line in green where the call was
// allowed, in yellow where the sandbox did what AWS does not, else in red.
func coloured(d world.Decision, line string) string {
	colour := "31"
	switch {
	case len(d.NotAWS) > 0:
		colour = "33"
	case d.Allowed:
		colour = "32"
	}
	status := fmt.Sprintf(" %d ", d.Status)
	return strings.Replace(line, status, "\x1b["+colour+"m"+status+"\x1b[0m", 1)
}
