package policy

// A quantifier is what stands before an operator.
type quantifier string

const (
	one   quantifier = ""
	all   quantifier = "ForAllValues:"
	anyOf quantifier = "ForAnyValue:"
)

// A condition is one key under one operator; a statement needs all of its
// conditions.
type condition struct {
	operator
	quantifier quantifier
	ifExists   bool
	written    string // the operator as written
	key        string // as written
	values     []string
	templates  []template
	compare    []comparison
}

// holds decides the condition. deny says what statement it stands in. Null
// means the same with a set operator before it, which is unchecked.
func (c *condition) holds(e *env, deny bool) bool {
	v, present := e.get(c.key)
	if c.name == nullOperator {
		return c.null(!present)
	}
	// A value list that is empty matches no value, not even by negation.
	if len(c.compare) == 0 {
		return !present && (c.quantifier == all || c.quantifier == one && c.ifExists)
	}
	switch {
	case c.quantifier == all:
		for _, actual := range v.List {
			if !c.accepts(e, actual, deny) {
				return false
			}
		}
		return true
	case c.quantifier == anyOf:
		for _, actual := range v.List {
			if c.accepts(e, actual, deny) {
				return true
			}
		}
		return false
	case !present:
		return c.ifExists || c.negated
	}
	return !c.multivalued(v) && c.accepts(e, v.List[0], deny)
}

// multivalued tells that the key holds a list where the operator compares one
// value: that never matches, not even negated or with IfExists.
func (c *condition) multivalued(v Values) bool {
	return c.quantifier == one && (v.Multi || len(v.List) > 1)
}

func (c *condition) null(absent bool) bool {
	for _, value := range c.values {
		if isTrue(value) == absent {
			return true
		}
	}
	return false
}

// accepts compares one value of the request with all of the policy: any of
// them for a plain operator, none of them for a negated one.
func (c *condition) accepts(e *env, actual string, deny bool) bool {
	for _, compare := range c.compare {
		switch compare(e, actual) {
		case matches:
			return !c.negated
		case unreadable:
			return c.negated && c.unequal
		case malformed:
			return deny
		}
	}
	return c.negated
}

// missing lists the keys that c asks for and e lacks.
func (c *condition) missing(e *env) []string {
	var keys []string
	if _, present := e.get(c.key); !present {
		keys = append(keys, c.key)
	}
	for i := range c.templates {
		for _, key := range c.templates[i].unresolved(e) {
			if _, present := e.get(key); !present {
				keys = append(keys, key)
			}
		}
	}
	return keys
}
