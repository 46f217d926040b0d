package deliver

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"daypass.dev"
)

// An entry is a key of a profile. A key that is not wanted is set where it
// stands, and not added.
type entry struct {
	name, value string
	wanted      bool
}

// entries are the credentials as the shared credentials file has them.
func entries(c daypass.Credentials) []entry {
	return []entry{
		{"aws_access_key_id", c.AccessKeyID, true},
		{"aws_secret_access_key", c.SecretAccessKey.Reveal(), true},
		{"aws_session_token", c.SessionToken.Reveal(), true},
		// botocore reads this before the one above.
		{"aws_security_token", c.SessionToken.Reveal(), false},
	}
}

// A line is one line and how it ends: "\n", "\r\n", "\r", or at the end of the
// file not at all. Python, and with it the AWS CLI, knows all of these.
type line struct{ text, end string }

func lines(text string) (all []line) {
	for text != "" {
		n := strings.IndexAny(text, "\r\n")
		if n < 0 {
			return append(all, line{text, ""})
		}
		end := text[n : n+1]
		if strings.HasPrefix(text[n:], "\r\n") {
			end = "\r\n"
		}
		all = append(all, line{text[:n], end})
		text = text[n+len(end):]
	}
	return all
}

// withProfile returns a credentials file's text with the entries in a profile,
// and every other byte as it is. SDKs differ in what they make of a profile
// that stands there twice, or of a key that does: the later one wins, or
// nothing works; so that each is set. Where they differ in what a line belongs
// to, the error names the line.
func withProfile(text, profile string, entries []entry) (string, error) {
	e := editor{profile: profile, entries: entries, found: map[string]bool{}, at: -1}
	for i, l := range lines(text) {
		l.text = e.read(i, l.text)
		e.out = append(e.out, l)
	}
	if e.err != nil {
		return "", e.err
	}
	e.add()
	var b strings.Builder
	for _, l := range e.out {
		b.WriteString(l.text + l.end)
	}
	return b.String(), nil
}

// An editor goes through a file once.
type editor struct {
	profile string
	entries []entry
	found   map[string]bool // entries that every SDK finds
	out     []line
	err     error // the first

	inside bool // the profile, as some SDKs read its header
	exact  bool // and all
	own    bool // where lines are added: its first section
	at     int  // the last line there that is neither blank nor comment; -1: no such section
	above  *property
}

// A property is a key with its value, to which deeper lines below belong.
type property struct {
	indent      int
	ours, empty bool
}

// read returns what stands in line i from now on.
func (e *editor) read(i int, text string) string {
	bare := strings.TrimLeftFunc(text, blank)
	switch {
	case bare == "" || bare[0] == '#' || bare[0] == ';':
		return text
	case bare[0] == '[':
		e.enter(i, bare)
		return text
	case !e.inside:
		return text
	}
	if e.own {
		e.at = i
	}
	indent := len(text) - len(bare)
	n := strings.IndexAny(bare, "=:")
	var entry *entry
	if n >= 0 {
		entry = e.entry(bare[:n])
	}
	if e.above != nil && indent > e.above.indent {
		if (e.above.ours || entry != nil && !e.above.empty) && e.err == nil {
			e.err = fmt.Errorf("line %d is indented, and SDKs differ in whether it belongs to the line above", i+1)
		}
		return text
	}
	if n < 0 {
		return text
	}
	value := strings.TrimLeftFunc(bare[n+1:], blank)
	e.above = &property{indent: indent, ours: entry != nil, empty: value == ""}
	if entry == nil {
		return text
	}
	e.found[entry.name] = e.found[entry.name] || e.exact
	return text[:len(text)-len(value)] + entry.value
}

func blank(r rune) bool { return r <= ' ' || unicode.IsSpace(r) }

// enter begins the section of a header. Python reads the name up to the last
// bracket, be it in a comment, and with its spaces.
func (e *editor) enter(i int, header string) {
	e.above = nil
	e.exact = named(header) == e.profile
	if comment := strings.IndexAny(header, "#;"); comment >= 0 {
		header = header[:comment]
	}
	e.inside = e.exact || strings.TrimFunc(named(header), blank) == e.profile
	e.own = e.exact && e.at < 0
	if e.own {
		e.at = i
	}
}

// named is what stands in a header's brackets; nothing where one is missing.
func named(header string) string {
	return header[1:max(1, strings.LastIndexByte(header, ']'))]
}

// entry finds what is to stand under a key; nil: it is no business of ours.
func (e *editor) entry(key string) *entry {
	key = strings.ToLower(strings.TrimFunc(key, blank))
	for i := range e.entries {
		if e.entries[i].name == key {
			return &e.entries[i]
		}
	}
	return nil
}

// add writes the entries that are nowhere: at the end of the profile's first
// section, or in a new one.
func (e *editor) add() {
	var more []line
	for _, entry := range e.entries {
		if entry.wanted && !e.found[entry.name] {
			more = append(more, line{text: entry.name + " = " + entry.value})
		}
	}
	if len(more) == 0 {
		return
	}
	end := "\n"
	if len(e.out) > 0 && e.out[0].end == "\r\n" {
		end = "\r\n"
	}
	if e.at < 0 {
		if n := len(e.out); n > 0 {
			e.out[n-1].close(end)
			// Go knows no "\r" alone: what follows one begins a line by an end of its own.
			if strings.TrimFunc(e.out[n-1].text, blank) != "" || e.out[n-1].end == "\r" {
				e.out = append(e.out, line{"", end})
			}
		}
		e.out = append(e.out, line{"[" + e.profile + "]", end})
		e.at = len(e.out) - 1
	}
	e.out[e.at].close(end)
	for i := range more {
		more[i].end = e.out[e.at].end
	}
	e.out = slices.Insert(e.out, e.at+1, more...)
}

// close gives a file's last line the end that it lacks.
func (l *line) close(end string) {
	if l.end == "" {
		l.end = end
	}
}
