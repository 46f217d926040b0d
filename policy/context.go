package policy

import (
	"maps"
	"slices"
	"strings"
)

// Set gives key one value, or takes the key away if there is none. It replaces
// what stood under any spelling of key. A key with several values is set by
// SetMulti: a scalar key with more than one value matches nothing but Null.
func (c *Context) Set(key string, values ...string) { c.put(key, Values{List: values}) }

// SetMulti gives a key that AWS defines as multivalued its values. Without
// values the key is missing, as AWS leaves out an empty list.
func (c *Context) SetMulti(key string, values ...string) {
	c.put(key, Values{List: values, Multi: true})
}

// Add sets all keys of more.
func (c *Context) Add(more Context) {
	for key, v := range more {
		c.put(key, v)
	}
}

func (c *Context) put(key string, v Values) {
	if *c == nil {
		*c = Context{}
	}
	if old, ok := c.spelling(key); ok {
		delete(*c, old)
	}
	if len(v.List) > 0 {
		v.List = slices.Clone(v.List)
		(*c)[key] = v
	}
}

func (c Context) spelling(key string) (string, bool) {
	if _, ok := c[key]; ok {
		return key, true
	}
	for name := range c {
		if lower(name) == lower(key) {
			return name, true
		}
	}
	return "", false
}

// An env is one request made ready for many comparisons.
type env struct {
	request  Request
	action   []symbol // lower case
	resource []symbol
	bounded  bool // the caller has a permissions boundary
	keys     map[string]Values
}

func newEnv(r Request, p Policies) *env {
	e := &env{
		request:  r,
		action:   units(strings.ToLower(r.Action)),
		resource: units(r.Resource),
		bounded:  p.Boundary != nil,
		keys:     make(map[string]Values, len(r.Context)),
	}
	// Where two spellings of one key meet, the last in byte order wins, so that
	// the answer does not depend on chance. AWS's own choice is not documented.
	for _, name := range slices.Sorted(maps.Keys(r.Context)) {
		if v := r.Context[name]; len(v.List) > 0 {
			e.keys[lower(name)] = v
		}
	}
	return e
}

func (e *env) get(key string) (Values, bool) {
	v, ok := e.keys[lower(key)]
	return v, ok
}
