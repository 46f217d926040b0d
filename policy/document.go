package policy

import (
	"regexp"
	"slices"
	"strings"
)

// A pass is a round of IAM's validation; what an earlier round finds anywhere
// in the document is reported before what a later one finds.
type pass int

const (
	passSyntax pass = iota
	passLegacy
	passSids
	passActions
	passResourceFormat
	passActionFormat
	passResources
)

// A parser reads one document and keeps the fault that IAM would report.
type parser struct {
	kind      Kind
	text      string
	words     words
	variables bool
	worst     *SyntaxError
	pass      pass
}

// fail notes a fault; the first of the earliest pass stays.
func (p *parser) fail(at pass, offset int, message, hint string) {
	if p.worst == nil || at < p.pass {
		p.worst, p.pass = fault(p.text, offset, message, hint), at
	}
}

func (p *parser) syntax(offset int, hint string) { p.fail(passSyntax, offset, p.words.syntax, hint) }

func (p *parser) document(root *node) *Document {
	doc := &Document{Kind: p.kind, Text: p.text, Version: version2008}
	if root.kind != isObject {
		p.fail(passSyntax, root.start, p.words.syntax, "a policy is a JSON object, not "+string(root.kind))
		return doc
	}
	var list *node
	for _, m := range root.members {
		switch m.name {
		case "Version":
			doc.Version = p.version(m.value)
		case "Id":
			doc.ID, _ = p.string(m.value, "Id")
		case "Statement":
			list = m.value
		default:
			p.unknown(m, "Version", "Id", "Statement")
		}
	}
	p.variables = doc.Version == version2012
	if list == nil {
		p.fail(passSyntax, root.start, p.words.empty, "add a Statement")
		return doc
	}
	p.statements(doc, list)
	return doc
}

func (p *parser) version(n *node) string {
	if n.kind != isString || n.text != version2012 && n.text != version2008 {
		p.fail(passSyntax, n.start, p.words.version, `write "Version": "2012-10-17"`)
	}
	return n.text
}

func (p *parser) statements(doc *Document, list *node) {
	items := []*node{list}
	if list.kind == isList {
		items = list.items
	}
	if len(items) == 0 {
		p.fail(passSyntax, list.start, p.words.empty, "a policy needs at least one statement")
	}
	seen := map[string]int{}
	place := cursor{rest: p.text, line: 1, column: 1}
	for i, n := range items {
		if n.kind != isObject {
			p.syntax(n.start, "a statement is a JSON object, not "+string(n.kind))
			continue
		}
		s := &statement{number: i + 1}
		s.line, s.column = place.at(n.start)
		s.endLine, s.endColumn = place.at(n.end - 1)
		p.statement(s, n)
		doc.statements = append(doc.statements, s)
		if first, dup := seen[s.sid]; dup && s.sid != "" {
			p.fail(passSids, n.member("Sid").start, p.words.duplicateSid, "the Sid "+quote(s.sid)+" is that of statement "+itoa(first)+" too")
		}
		seen[s.sid] = s.number
	}
}

// elements are what a statement may hold.
func elements() []string {
	return []string{"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
}

func (p *parser) statement(s *statement, n *node) {
	for _, m := range n.members {
		if !slices.Contains(elements(), m.name) {
			p.unknown(m, elements()...)
		}
	}
	p.sid(s, n)
	p.effect(s, n)
	p.principals(s, n)
	p.conditions(s, n)
	p.actions(s, n)
	p.resources(s, n)
	if p.kind == Trust {
		p.providerControls(s, n)
	}
}

var sidCharacters = regexp.MustCompile(`^[0-9A-Za-z]*$`)

func (p *parser) sid(s *statement, n *node) {
	v := n.member("Sid")
	if v == nil {
		return
	}
	s.sid, _ = p.string(v, "Sid")
	// Services with their own resource policies take other characters too.
	if p.kind != Resource && p.kind != Key && !sidCharacters.MatchString(s.sid) {
		p.fail(passSids, v.start, p.words.sid, "a Sid is made of letters and digits only")
	}
}

func (p *parser) effect(s *statement, n *node) {
	v := n.member("Effect")
	if v == nil {
		p.fail(passSyntax, n.start, p.words.noEffect, `add "Effect": "Allow" or "Deny"`)
		return
	}
	text, ok := p.string(v, "Effect")
	s.allow = text == "Allow"
	switch {
	case !ok || text == "Allow" || text == "Deny":
	case !p.kind.namesCallers() && (strings.EqualFold(text, "Allow") || strings.EqualFold(text, "Deny")):
		p.fail(passLegacy, v.start, errLegacy, "Effect is Allow or Deny, in this case of letters")
	default:
		p.fail(passSyntax, v.start, with(p.words.effect, text), "Effect is Allow or Deny, in this case of letters")
	}
}

// member returns the value of a name, or nil.
func (n *node) member(name string) *node {
	for _, m := range n.members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

func (p *parser) unknown(m member, known ...string) {
	hint := quote(m.name) + " is no element of a policy here; known are " + strings.Join(known, ", ")
	for _, name := range known {
		if strings.EqualFold(name, m.name) {
			hint = "write " + name + ": names of elements keep their case"
		}
	}
	p.fail(passSyntax, m.start, with(p.words.unknown, m.name), hint)
}

// string reads a string; ok is false, and the fault noted, for anything else.
func (p *parser) string(n *node, what string) (text string, ok bool) {
	if n.kind != isString {
		p.syntax(n.start, what+" is a string, not "+string(n.kind))
		return "", false
	}
	return n.text, true
}

// strings reads a string or a list of them.
func (p *parser) strings(n *node, what string) []*node {
	items := []*node{n}
	if n.kind == isList {
		items = n.items
	}
	var out []*node
	for _, item := range items {
		if _, ok := p.string(item, what); ok {
			out = append(out, item)
		}
	}
	return out
}

// either returns the one of two elements that exclude each other.
func (p *parser) either(n *node, name string) (v *node, not bool) {
	v, other := n.member(name), n.member("Not"+name)
	if v != nil && other != nil {
		p.syntax(other.start, "a statement has "+name+" or Not"+name+", not both")
	}
	if v == nil {
		return other, other != nil
	}
	return v, false
}
