package world

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// kindOf names what stands at a node, for people.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	if n.ShortTag() == "!!null" {
		return "nothing"
	}
	return "a scalar"
}

// absent reports an empty value, which stands for a thing without fields.
func (l *loader) absent(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// is checks a node's kind. Aliases are refused everywhere, since what they
// stand for can be endless.
func (l *loader) is(n *yaml.Node, kind yaml.Kind, what, mend string) bool {
	if n.Kind == kind {
		return true
	}
	if n.Kind == yaml.AliasNode {
		mend = "write out what the alias stands for"
	}
	l.fail(n, mend, "%s is %s", what, kindOf(n))
	return false
}

// each reads a mapping whose keys are names.
func (l *loader) each(n *yaml.Node, what string, read func(key, value *yaml.Node)) {
	if !l.is(n, yaml.MappingNode, what, "write "+what+" as NAME: … lines") {
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !l.is(key, yaml.ScalarNode, "a key of "+what, "a key is a name") {
			return
		}
		if seen[key.Value] {
			l.fail(key, "keep one of the two", "%q stands twice in %s", key.Value, what)
			return
		}
		seen[key.Value] = true
		read(key, value)
	}
}

// fields reads a mapping whose keys are known.
func (l *loader) fields(n *yaml.Node, what string, known map[string]func(*yaml.Node)) {
	l.each(n, what, func(key, value *yaml.Node) {
		read, ok := known[key.Value]
		if !ok {
			l.fail(key, "the fields here are "+strings.Join(slices.Sorted(maps.Keys(known)), ", "),
				"%s has no field %q", what, key.Value)
			return
		}
		read(value)
	})
}

func (l *loader) list(n *yaml.Node, what string) []*yaml.Node {
	if !l.is(n, yaml.SequenceNode, what, "write "+what+" as a list") {
		return nil
	}
	return n.Content
}

func (l *loader) text(n *yaml.Node) string {
	if !l.is(n, yaml.ScalarNode, "this", "write a text here") {
		return ""
	}
	if l.absent(n) {
		l.fail(n, "write a text, or leave the field out", "this is empty")
	}
	return n.Value
}

func (l *loader) texts(n *yaml.Node, what string) []string {
	var all []string
	for _, item := range l.list(n, what) {
		all = append(all, l.text(item))
	}
	return all
}

func (l *loader) matching(n *yaml.Node, form *regexp.Regexp, what, mend string) string {
	text := l.text(n)
	if !form.MatchString(text) {
		l.fail(n, "write it "+mend, "%q is not %s", text, what)
	}
	return text
}

func (l *loader) flag(n *yaml.Node) bool {
	if !l.is(n, yaml.ScalarNode, "this", "write true or false") {
		return false
	}
	b, err := strconv.ParseBool(n.Value)
	if err != nil || n.ShortTag() != "!!bool" {
		l.fail(n, "write true or false", "%q is neither true nor false", n.Value)
	}
	return b
}

func (l *loader) number(n *yaml.Node, min, max int) int {
	i, err := strconv.Atoi(l.text(n))
	if err != nil || i < min || i > max {
		l.fail(n, "write a whole number from "+strconv.Itoa(min)+" to "+strconv.Itoa(max), "%q is no such number", n.Value)
	}
	return i
}

// longest bounds durations, so that sums of times stay times.
const longest = 100 * 365 * 24 * time.Hour

func (l *loader) duration(n *yaml.Node, min time.Duration) time.Duration {
	d, err := time.ParseDuration(l.text(n))
	if err != nil || d < min || d > longest {
		l.fail(n, "write it as 90s or 1h30m, at least "+min.String(), "%q is no such duration", n.Value)
		return 0
	}
	return d
}

func (l *loader) tags(n *yaml.Node) map[string]string {
	tags := map[string]string{}
	l.each(n, "tags", func(key, value *yaml.Node) { tags[key.Value] = l.text(value) })
	return tags
}
