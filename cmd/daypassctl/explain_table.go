package main

import (
	"fmt"
	"io"
	"strings"

	"daypass.dev/pki"
)

// table prints one line a step, with the mend of what fails below it.
func (e explanation) table(w io.Writer) error {
	var b strings.Builder
	for i := 0; i < len(e.Steps); i++ {
		s := e.Steps[i]
		what := s.what()
		for i+1 < len(e.Steps) && s.alike(e.Steps[i+1]) {
			i++
			what += ", " + e.Steps[i].what()
		}
		s.line(&b, what)
		if s.Step == stepSession && s.Verdict == pki.Pass {
			e.Session.lines(&b)
		}
	}
	for _, what := range e.NotSeen {
		fmt.Fprintf(&b, "skip  %-12s  %s\n", "not seen", what)
	}
	if e.Allowed {
		b.WriteString("\nallowed, as far as can be told\n")
	} else {
		fmt.Fprintf(&b, "\nrefused: %s\n", e.Reason)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (s explainedStep) line(b *strings.Builder, what string) {
	fmt.Fprintf(b, "%-4s  %-12s  ", s.Verdict, s.Step)
	for _, part := range []string{s.Reason, what} {
		if part != "" {
			b.WriteString(part + ": ")
		}
	}
	b.WriteString(s.Detail + "\n")
	if s.Mend != "" {
		fmt.Fprintf(b, "      mend: %s\n", s.Mend)
	}
}

// what names the request that was decided; empty where none was.
func (s explainedStep) what() string {
	switch {
	case s.Decision == nil:
		return ""
	case s.Step == stepRequest:
		return s.Decision.Action + " on " + s.Decision.Resource
	}
	return s.Decision.Action
}

// alike tells that two requests were decided in the same words.
func (s explainedStep) alike(t explainedStep) bool {
	return s.Decision != nil && t.Decision != nil && s.Step == t.Step &&
		s.Verdict == t.Verdict && s.Reason == t.Reason && s.Detail == t.Detail && s.Mend == t.Mend
}

func (s *explainedSession) lines(b *strings.Builder) {
	for _, t := range s.Tags {
		fmt.Fprintf(b, "      tag %s = %s\n", pki.Printable(t.Key), pki.Printable(t.Value))
	}
	for _, t := range s.Dropped {
		fmt.Fprintf(b, "      left out, for STS takes no such value: %s = %s\n", pki.Printable(t.Key), pki.Printable(t.Value))
	}
	if len(s.Transitive) > 0 {
		fmt.Fprintf(b, "      transitive: %s\n", pki.Printable(strings.Join(s.Transitive, ", ")))
	}
}
