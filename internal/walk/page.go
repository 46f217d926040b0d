// Package walk executes documentation, so that a page that no longer works
// fails a test.
//
// On a page, a fenced block of language "console" holds commands: a line that
// starts with "$ " is run by one bash for the whole page, a line that starts
// with "> " continues it, and the lines that follow are its output, standard
// error included. Output that is shown is compared; "…" stands for anything
// within a line, and a line of only "…" for any number of lines. A command
// must succeed, unless it ends with the comment "# exit N". A fenced block
// whose info string has "file=NAME" is written to that file, in the order of
// the page. All other blocks are left alone.
package walk

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A Page is a document's steps in order.
type Page struct {
	Name  string
	Steps []Step
}

// A Step is a command to run or a file to write.
type Step struct {
	Line    int    // where it stands on the page, counted from 1
	Command string // empty for a file
	Want    []string
	Exit    int
	File    string
	Content string
}

var exitComment = regexp.MustCompile(`\s# exit (\d+)$`)

// A Block is a fenced block of a page.
type Block struct {
	Line int    // of its opening fence, counted from 1
	Kind string // the first word of its info string, as console
	File string // the value of file= in its info string
	Body []string
}

// Blocks returns the fenced blocks of a page of Markdown, in order.
func Blocks(name, text string) (blocks []Block, err error) {
	fence, open := "", Block{}
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case fence == "" && strings.HasPrefix(trimmed, "```"):
			fence = trimmed[:len(trimmed)-len(strings.TrimLeft(trimmed, "`"))]
			open = Block{Line: i + 1}
			open.Kind, open.File = infoString(strings.TrimPrefix(trimmed, fence))
		case fence != "" && trimmed == fence:
			blocks, fence = append(blocks, open), ""
		case fence != "":
			open.Body = append(open.Body, line)
		}
	}
	if fence != "" {
		return nil, fmt.Errorf("%s:%d: fenced block is not closed", name, open.Line)
	}
	return blocks, nil
}

// Parse reads a page of Markdown. A page without a single command is an error,
// for it would prove nothing.
func Parse(name, text string) (*Page, error) {
	blocks, err := Blocks(name, text)
	if err != nil {
		return nil, err
	}
	p := &Page{Name: name}
	commands := 0
	for _, b := range blocks {
		switch {
		case b.File != "":
			p.Steps = append(p.Steps, Step{Line: b.Line, File: b.File, Content: strings.Join(b.Body, "\n") + "\n"})
		case b.Kind == "console":
			steps, err := console(b.Body, b.Line+1)
			if err != nil {
				return nil, fmt.Errorf("%s:%w", name, err)
			}
			commands += len(steps)
			p.Steps = append(p.Steps, steps...)
		}
	}
	if commands == 0 {
		return nil, fmt.Errorf("%s: no command in any console block", name)
	}
	return p, nil
}

func infoString(s string) (kind, file string) {
	for i, word := range strings.Fields(s) {
		if v, ok := strings.CutPrefix(word, "file="); ok {
			file = v
		} else if i == 0 {
			kind = word
		}
	}
	return kind, file
}

func console(body []string, first int) (steps []Step, err error) {
	for i, line := range body {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			steps = append(steps, Step{Line: first + i, Command: command})
			continue
		}
		if len(steps) == 0 {
			return nil, fmt.Errorf("%d: console block starts with output, not with a command", first+i)
		}
		s := &steps[len(steps)-1]
		if more, ok := strings.CutPrefix(line, "> "); ok && s.Want == nil {
			s.Command += "\n" + more
			continue
		}
		s.Want = append(s.Want, line)
	}
	for i := range steps {
		if m := exitComment.FindStringSubmatch(steps[i].Command); m != nil {
			steps[i].Exit, _ = strconv.Atoi(m[1])
		}
	}
	return steps, nil
}

// Matches reports whether got, a command's whole output, is what a page shows.
func Matches(want []string, got string) bool {
	lines := strings.Split(strings.TrimRight(got, "\n"), "\n")
	return matchLines(trimBlank(want), lines)
}

func trimBlank(lines []string) []string {
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

func matchLines(want, got []string) bool {
	if len(want) == 0 {
		return len(got) == 0
	}
	if strings.TrimSpace(want[0]) == "…" {
		for i := 0; i <= len(got); i++ {
			if matchLines(want[1:], got[i:]) {
				return true
			}
		}
		return false
	}
	return len(got) > 0 && matchLine(want[0], got[0]) && matchLines(want[1:], got[1:])
}

func matchLine(want, got string) bool {
	want, got = strings.TrimRight(want, " \t\r"), strings.TrimRight(got, " \t\r")
	parts := strings.Split(want, "…")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("^" + strings.Join(parts, ".*") + "$").MatchString(got)
}
