package policy

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// maxDepth is deeper than any policy: document, statements, statement,
// condition, operator, values.
const maxDepth = 10

// A node is one JSON value with its place in the text.
type node struct {
	kind       nodeKind
	text       string // of a string, number or boolean
	members    []member
	items      []*node
	start, end int // offsets in bytes
}

type member struct {
	name  string
	start int
	value *node
}

type nodeKind string

const (
	isObject nodeKind = "an object"
	isList   nodeKind = "a list"
	isString nodeKind = "a string"
	isNumber nodeKind = "a number"
	isBool   nodeKind = "a boolean"
	isNull   nodeKind = "null"
)

// A reader turns text into nodes. encoding/json knows the grammar; the reader
// adds positions and refuses what encoding/json lets pass: duplicate names,
// a second value, depth.
type reader struct {
	text    string
	message string // AWS's text for what is not JSON
	dec     *json.Decoder
}

func readJSON(text, message string) (*node, error) {
	if !utf8.ValidString(text) {
		return nil, fault(text, invalidUTF8(text), message, "the text is not UTF-8")
	}
	r := &reader{text: text, message: message, dec: json.NewDecoder(strings.NewReader(text))}
	r.dec.UseNumber()
	n, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if at := r.next(); at < len(text) {
		return nil, fault(text, at, message, "text follows the end of the policy")
	}
	return n, nil
}

// next is the offset at which the next token begins.
func (r *reader) next() int {
	at := int(r.dec.InputOffset())
	for at < len(r.text) && strings.IndexByte(" \t\r\n,:", r.text[at]) >= 0 {
		at++
	}
	return at
}

func (r *reader) value(depth int) (*node, error) {
	n := &node{start: r.next()}
	if depth > maxDepth {
		return nil, fault(r.text, n.start, r.message, "the nesting is deeper than any policy element")
	}
	tok, err := r.token()
	if err != nil {
		return nil, err
	}
	switch t := tok.(type) {
	case json.Delim:
		if t == '{' {
			n.kind, err = isObject, r.object(n, depth)
		} else {
			n.kind, err = isList, r.list(n, depth)
		}
	case string:
		n.kind, n.text = isString, t
	case json.Number:
		n.kind, n.text = isNumber, t.String()
	case bool:
		n.kind, n.text = isBool, "false"
		if t {
			n.text = "true"
		}
	default:
		n.kind = isNull
	}
	n.end = int(r.dec.InputOffset())
	return n, err
}

func (r *reader) object(n *node, depth int) error {
	seen := map[string]bool{}
	for r.dec.More() {
		at := r.next()
		tok, err := r.token()
		if err != nil {
			return err
		}
		name, _ := tok.(string) // the decoder lets nothing else stand for a name
		if seen[name] {
			return fault(r.text, at, r.message, quote(name)+" stands twice in one object; keep one")
		}
		seen[name] = true
		v, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		n.members = append(n.members, member{name, at, v})
	}
	_, err := r.token()
	return err
}

func (r *reader) list(n *node, depth int) error {
	for r.dec.More() {
		v, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		n.items = append(n.items, v)
	}
	_, err := r.token()
	return err
}

func (r *reader) token() (json.Token, error) {
	tok, err := r.dec.Token()
	if err == nil {
		return tok, nil
	}
	at := r.next()
	hint := err.Error()
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		at, hint = len(r.text), "the text ends before the policy does"
	case errors.As(err, &syntax) && int(syntax.Offset) > at && int(syntax.Offset) <= len(r.text):
		at = int(syntax.Offset) - 1
	}
	return nil, fault(r.text, at, r.message, hint)
}

// invalidUTF8 is how many bytes of text are sound.
func invalidUTF8(text string) int {
	at := 0
	for at < len(text) {
		c, size := utf8.DecodeRuneInString(text[at:])
		if c == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return at
}

// position counts lines and characters from 1.
func position(text string, offset int) (line, column int) {
	c := cursor{rest: text, line: 1, column: 1}
	return c.at(offset)
}

// A cursor counts as position does, for one offset after another of the same
// text: all of a document's positions take one reading of it.
type cursor struct {
	rest                 string // of the text, from offset on
	offset, line, column int
}

// at moves on to an offset, which must not lie behind the last.
func (c *cursor) at(offset int) (line, column int) {
	n := min(offset-c.offset, len(c.rest))
	passed := c.rest[:n]
	c.rest, c.offset = c.rest[n:], c.offset+n
	if end := strings.LastIndexByte(passed, '\n'); end >= 0 {
		c.line, c.column = c.line+strings.Count(passed, "\n"), 1
		passed = passed[end+1:]
	}
	c.column += utf8.RuneCountInString(passed)
	return c.line, c.column
}
