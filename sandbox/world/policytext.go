package world

import (
	"encoding/json"
	"errors"
	"strings"

	"go.yaml.in/yaml/v3"

	"daypass.dev/policy"
)

// policy reads a policy that stands in a world as an object or as a text of
// JSON. An error of the policy is reported where it stands in the YAML.
func (l *loader) policy(n *yaml.Node, kind policy.Kind) *policy.Document {
	text, place := l.policyText(n)
	if l.err != nil {
		return nil
	}
	doc, err := policy.Parse(kind, text)
	if err != nil {
		l.failPolicy(n, place, err)
		return nil
	}
	return doc
}

// bound reads a policy that names principals, and binds it to users and roles
// when all are known.
func (l *loader) bound(n *yaml.Node, kind policy.Kind, set func(*policy.Document)) {
	text, place := l.policyText(n)
	if l.err != nil {
		return
	}
	doc, err := policy.Parse(kind, text)
	if err != nil {
		l.failPolicy(n, place, err)
		return
	}
	set(doc)
	l.later = append(l.later, func() {
		bound, err := doc.Bind(l.world.UniqueID)
		if err != nil {
			l.failPolicy(n, place, err)
			return
		}
		set(bound)
	})
}

func (l *loader) failPolicy(n *yaml.Node, place func(line, column int) (int, int), err error) {
	mend := "write the policy as IAM takes it"
	at := *n
	var s *policy.SyntaxError
	if errors.As(err, &s) {
		at.Line, at.Column = place(s.Line, s.Column)
		if s.Hint != "" {
			mend = s.Hint
		}
	}
	l.fail(&at, mend, "%v", err)
}

// policyText returns the policy's JSON and how to find a place of it in the
// YAML.
func (l *loader) policyText(n *yaml.Node) (text string, place func(line, column int) (int, int)) {
	if n.Kind == yaml.ScalarNode {
		text := l.text(n)
		return text, func(line, column int) (int, int) { return l.inScalar(n, line, column) }
	}
	if n.Kind != yaml.MappingNode {
		l.is(n, yaml.MappingNode, "a policy", "write it as a mapping or as JSON in a text")
		return "", nil
	}
	w := &policyWriter{loader: l}
	w.value(n, "")
	return w.String(), w.place
}

// inScalar finds a place of a text's own in the file.
func (l *loader) inScalar(n *yaml.Node, line, column int) (int, int) {
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
		if line == 1 && n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
			return n.Line, n.Column + column
		}
		return n.Line, n.Column
	}
	if n.Style&yaml.FoldedStyle != 0 {
		return n.Line, n.Column
	}
	at := n.Line + line
	if at > len(l.lines) {
		return n.Line, n.Column
	}
	first := l.lines[n.Line : n.Line+1][0]
	indent := len(first) - len(strings.TrimLeft(first, " "))
	return at, column + indent
}

// A policyWriter writes a YAML mapping as indented JSON and remembers where
// each node went.
type policyWriter struct {
	strings.Builder
	loader       *loader
	line, column int // of the next character, counted from 0
	marks        []mark
}

type mark struct {
	line, column int
	node         *yaml.Node
}

func (w *policyWriter) put(s string) {
	w.WriteString(s)
	if i := strings.LastIndexByte(s, '\n'); i >= 0 {
		w.line += strings.Count(s, "\n")
		w.column, s = 0, s[i+1:]
	}
	w.column += len([]rune(s))
}

func (w *policyWriter) value(n *yaml.Node, indent string) {
	w.marks = append(w.marks, mark{w.line, w.column, n})
	inner := indent + "  "
	switch n.Kind {
	case yaml.MappingNode:
		if len(n.Content) == 0 {
			w.put("{}")
			return
		}
		w.put("{\n" + inner)
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				w.put(",\n" + inner)
			}
			w.key(n.Content[i])
			w.put(": ")
			w.value(n.Content[i+1], inner)
		}
		w.put("\n" + indent + "}")
	case yaml.SequenceNode:
		w.put("[")
		for i, item := range n.Content {
			if i > 0 {
				w.put(", ")
			}
			w.value(item, inner)
		}
		w.put("]")
	case yaml.ScalarNode:
		w.put(scalarJSON(n))
	default:
		w.loader.is(n, yaml.ScalarNode, "this", "")
		w.put("null")
	}
}

func (w *policyWriter) key(n *yaml.Node) {
	w.marks = append(w.marks, mark{w.line, w.column, n})
	if w.loader.is(n, yaml.ScalarNode, "a key of a policy", "a key is a name") {
		w.put(quoted(n.Value))
	}
}

// scalarJSON writes booleans and null as such; everything else is text, so
// that versions and accounts need no quotes.
func scalarJSON(n *yaml.Node) string {
	switch n.ShortTag() {
	case "!!null":
		return "null"
	case "!!bool":
		if n.Value == "true" || n.Value == "false" {
			return n.Value
		}
	}
	return quoted(n.Value)
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// place returns the node that was written at or last before a place, whose
// line and column count from 1.
func (w *policyWriter) place(line, column int) (int, int) {
	at := w.marks[0].node
	for _, m := range w.marks {
		if m.line+1 > line || m.line+1 == line && m.column+1 > column {
			break
		}
		at = m.node
	}
	return at.Line, at.Column
}
