package policy

import (
	"slices"
	"strings"
)

// Matches lists every statement that matches a request, of all layers, in the
// order in which Evaluate asks them; none is left out after a Deny. It does not
// decide: what of them counts is for Evaluate to say.
func Matches(r Request, p Policies) []Finding {
	j := newJudge(r, p)
	for _, l := range j.layers() {
		for _, named := range l.policies {
			if named.Document == nil {
				continue
			}
			for _, s := range named.Document.statements {
				if s.matches(j.env, named.Document.Kind) {
					j.note(spot{l.name, named, s}, s.effect())
				}
			}
		}
	}
	return j.trace
}

func (s *statement) effect() string {
	if s.allow {
		return "allow"
	}
	return "deny"
}

// Keys lists the condition keys that the document's conditions and variables
// name, sorted, each once and as it was first written, whatever its case.
func (d *Document) Keys() []string {
	seen := map[string]string{}
	add := func(key string) {
		if _, ok := seen[lower(key)]; !ok && key != "" {
			seen[lower(key)] = key
		}
	}
	variables := func(t *template) {
		for _, part := range t.parts {
			add(part.key)
		}
	}
	for _, s := range d.statements {
		for i := range s.resources {
			variables(&s.resources[i].template)
		}
		for i := range s.conditions {
			add(s.conditions[i].key)
			for k := range s.conditions[i].templates {
				variables(&s.conditions[i].templates[k])
			}
		}
	}
	var keys []string
	for _, key := range seen {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int { return strings.Compare(lower(a), lower(b)) })
	return keys
}
