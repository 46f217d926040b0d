package policy

import "strings"

// A template is a text of a policy that may hold variables. What a variable
// yields is literal: a * in a tag is no wildcard, and a ${…} in it is not
// read again.
type template struct {
	text  string
	parts []part // nil where the text holds no variable
	fixed pattern
}

// A part is a run of a template.
type part struct {
	text     string // as written, wildcards alive; or the literal of ${*}
	literal  bool
	key      string // of a variable, as written; empty: text counts
	fallback *string
}

// readTemplate reads text; without variables ${…} is ordinary text, as in
// policies of version 2008-10-17. problem is empty if the text is sound.
func readTemplate(text string, variables bool) (t template, problem string) {
	t.text = text
	if !variables || !strings.Contains(text, "${") {
		t.fixed = glob(text)
		return t, ""
	}
	for rest := text; rest != ""; {
		before, after, found := strings.Cut(rest, "${")
		if before != "" {
			t.parts = append(t.parts, part{text: before})
		}
		if !found {
			break
		}
		end := closing(after)
		if end < 0 {
			return t, "the variable is not closed: write ${key}"
		}
		p, problem := readVariable(strings.TrimSpace(after[:end]))
		if problem != "" {
			return t, problem
		}
		t.parts = append(t.parts, p)
		rest = after[end+1:]
	}
	return t, ""
}

// closing finds the brace that ends a variable; braces within quotes do not.
func closing(text string) int {
	quoted := false
	for i := range len(text) {
		switch text[i] {
		case '\'':
			quoted = !quoted
		case '}':
			if !quoted {
				return i
			}
		}
	}
	return -1
}

func readVariable(body string) (p part, problem string) {
	if body == "*" || body == "?" || body == "$" {
		return part{text: body, literal: true}, ""
	}
	name, rest, found := strings.Cut(body, ",")
	p.key = strings.TrimSpace(name)
	if p.key == "" || strings.ContainsAny(p.key, "${}'\",*? \t\r\n") {
		return p, "the variable ${" + body + "} does not name a condition key"
	}
	if !found {
		return p, ""
	}
	rest = strings.TrimSpace(rest)
	inner := strings.TrimSuffix(strings.TrimPrefix(rest, "'"), "'")
	if len(rest) < 2 || len(inner) != len(rest)-2 || strings.Contains(inner, "'") {
		return p, "the default of ${" + body + "} is not one text in single quotes: write ${key, 'text'}"
	}
	p.fallback = &inner
	return p, ""
}

// value is what the part stands for in e; ok is false for a variable without
// value: its key is missing or holds a list.
func (p *part) value(e *env) (text string, literal, ok bool) {
	if p.key == "" {
		return p.text, p.literal, true
	}
	v, present := e.get(p.key)
	switch {
	case present && !v.Multi && len(v.List) == 1:
		return v.List[0], true, true
	case !present && p.fallback != nil:
		return *p.fallback, true, true
	}
	return "", false, false
}

// expand returns the text with its variables replaced, as text and as pattern.
func (t *template) expand(e *env) (string, pattern, bool) {
	if t.parts == nil {
		return t.text, t.fixed, true
	}
	var b strings.Builder
	var pat pattern
	for i := range t.parts {
		text, literal, ok := t.parts[i].value(e)
		if !ok {
			return "", nil, false
		}
		b.WriteString(text)
		if literal {
			pat = append(pat, units(text)...)
		} else {
			pat = append(pat, glob(text)...)
		}
	}
	return b.String(), pat, true
}

// unresolved lists the keys of variables that have no value in e.
func (t *template) unresolved(e *env) []string {
	var keys []string
	for i := range t.parts {
		if _, _, ok := t.parts[i].value(e); !ok {
			keys = append(keys, t.parts[i].key)
		}
	}
	return keys
}
