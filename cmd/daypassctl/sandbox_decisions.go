package main

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"daypass.dev/sandbox/world"
)

// A recorder writes decisions: a line for people, a line of JSON for programs.
// Either may be nil.
type recorder struct {
	lines, json io.Writer

	mu     sync.Mutex
	failed error // the first
}

func (r *recorder) record(d world.Decision) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lines != nil {
		_, err := fmt.Fprintln(r.lines, d)
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
