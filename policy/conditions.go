package policy

import "strings"

func (p *parser) conditions(s *statement, n *node) {
	v := n.member("Condition")
	if v == nil {
		return
	}
	if v.kind != isObject {
		p.syntax(v.start, "Condition is an object, not "+string(v.kind))
		return
	}
	for _, m := range v.members {
		if m.value.kind != isObject {
			p.syntax(m.value.start, quote(m.name)+" holds an object of keys and values, not "+string(m.value.kind))
			continue
		}
		c, hint := readOperator(m.name)
		// IAM lets pass an operator that it does not know if it holds no key.
		if hint != "" && len(m.value.members) > 0 {
			p.syntax(m.start, hint)
			continue
		}
		for _, key := range m.value.members {
			s.conditions = append(s.conditions, p.condition(c, key))
		}
	}
}

// readOperator takes an operator's name apart. hint is empty if IAM knows it.
func readOperator(name string) (c condition, hint string) {
	c.written = name
	base := name
	for _, q := range []quantifier{all, anyOf} {
		if rest, found := strings.CutPrefix(base, string(q)); found {
			c.quantifier, base = q, rest
			break
		}
	}
	base, c.ifExists = strings.CutSuffix(base, "IfExists")
	for _, op := range operators() {
		switch {
		case op.name == base && base == nullOperator && c.ifExists:
			return c, "Null asks itself whether the key is there; write Null"
		case op.name == base:
			c.operator = op
			return c, ""
		case strings.EqualFold(op.name, base):
			hint = "write " + op.name + ": names of operators keep their case"
		}
	}
	if hint == "" {
		hint = quote(name) + " is no condition operator; known are StringEquals, StringLike, ArnLike, Bool, Null and others, with ForAnyValue: or ForAllValues: before and IfExists behind"
	}
	return c, hint
}

func (p *parser) condition(c condition, key member) condition {
	c.key = key.name
	if key.name == "" {
		p.syntax(key.start, "a condition key has a name, as in aws:SourceArn")
	}
	items := []*node{key.value}
	if key.value.kind == isList {
		items = key.value.items
	}
	for _, item := range items {
		switch item.kind {
		case isString, isNumber, isBool:
			p.conditionValue(&c, item)
		default:
			p.syntax(item.start, "a value of a condition is a string, number or boolean, not "+string(item.kind))
		}
	}
	return c
}

func (p *parser) conditionValue(c *condition, n *node) {
	t, problem := readTemplate(n.text, p.variables)
	if problem == "" && t.parts != nil && !c.variables {
		problem = "variables stand only in values of String and Arn operators"
	}
	if problem != "" {
		p.syntax(n.start, problem)
		return
	}
	compare, sound := c.read(t)
	if binary := c.name == "BinaryEquals"; !sound && (p.kind != Session || binary) {
		at, message := passSyntax, p.words.syntax
		if !p.kind.namesCallers() && strings.HasPrefix(c.name, "Date") {
			at, message = passLegacy, errLegacy
		}
		p.fail(at, n.start, message, quote(n.text)+" is not what "+c.name+" compares; it wants "+c.wants)
		return
	}
	c.values = append(c.values, n.text)
	c.templates = append(c.templates, t)
	c.compare = append(c.compare, compare)
}
