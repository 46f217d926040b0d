package secrets

import (
	"fmt"
	"math"
	"reflect"

	"github.com/jmespath/go-jmespath"
)

// Bounds of JMESPaths. Multi-selects, map, join and to_string in each other
// multiply what they are given, so that a line can ask for more than any memory
// has; who writes it shares a process with all pods of the node.
const (
	maxPath = 4096 // bytes of one
	// maxWork is what one may take for its value: about bytes to look at, each of
	// which takes up to 16 of memory; maxClassWork, all of a class, one after the
	// other: about a second.
	maxWork      = 8 << 20
	maxClassWork = 8 * maxWork
)

// checkJMES compiles a JMESPath; the library's panics on odd texts become
// errors.
func checkJMES(path string) (err error) {
	if len(path) > maxPath {
		return fmt.Errorf("it is longer than %d bytes", maxPath)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it cannot be read")
		}
	}()
	_, err = jmespath.Compile(path)
	return err
}

// search returns the string at a path of a document of so many bytes, if that
// takes no more than what is left of work.
func search(path string, doc any, size int, work *float64) (text string, failed *Error) {
	defer func() {
		if p := recover(); p != nil {
			failed = wrong("secrets-jmespath", "", "the jmesPath %q cannot be evaluated", path)
		}
	}()
	parsed, err := jmespath.NewParser().Parse(path)
	if err == nil {
		_, takes := growth(reflect.ValueOf(parsed))
		needs := takes.of(float64(size))
		*work -= needs
		if !(needs <= maxWork && *work >= 0) { // nor what is no number
			failed := wrong("secrets-jmespath", "", "the jmesPath %q may make too much of a value of this size, or does together with those before it", path)
			failed.Hint = "nest no lists, filters, multi-selects, map, join and to_string so deep, since each multiplies what it is given; give join a separator in quotes"
			return "", failed
		}
	}
	found, err := jmespath.Search(path, doc)
	if err != nil {
		return "", wrong("secrets-jmespath", "", "the jmesPath %q cannot be evaluated", path) // err may quote the document
	}
	switch found := found.(type) {
	case string:
		return found, nil
	case nil:
		return "", wrong("secrets-jmes-result", "", "the jmesPath %q finds nothing", path)
	default:
		return "", wrong("secrets-jmes-result", "", "the jmesPath %q finds %s, not a string", path, kindOf(found))
	}
}

func kindOf(v any) string {
	switch v.(type) {
	case float64:
		return "a number"
	case bool:
		return "a boolean"
	case []any:
		return "a list"
	}
	return "an object"
}

// A bound is the most that comes of an input: per for each of its bytes, and
// plus whatever it is. A list has at least as many bytes as elements.
type bound struct{ per, plus float64 }

func (b bound) of(size float64) float64 { return b.per*size + b.plus }
func (b bound) and(c bound) bound       { return bound{b.per + c.per, b.plus + c.plus} }
func (b bound) times(n float64) bound   { return bound{n * b.per, n * b.plus} }

// then is c of what b has made.
func (b bound) then(c bound) bound { return bound{b.per * c.per, b.plus*c.per + c.plus} }

// each is c of each element of what b has made.
func (b bound) each(c bound) bound { return b.times(c.per + c.plus) }

// growth bounds what a node of an expression makes of its input, and what that
// takes. The library keeps its nodes to itself, but not from reflection: they
// have nodeType, value and children.
func growth(node reflect.Value) (makes, takes bound) {
	value, children := fmt.Sprint(node.FieldByName("value")), node.FieldByName("children")
	kind := kindAs(jmespath.ASTEmpty, node)
	n := children.Len()
	m, t := make([]bound, n), make([]bound, n)
	var made bound // by all children of the same input
	for i := range n {
		child := children.Index(i)
		if at, ok := expression[value]; ok && at == i && kind == jmespath.ASTFunctionExpression && kindAs(kind, child) == jmespath.ASTExpRef {
			child = child.FieldByName("children").Index(0)
		}
		m[i], t[i] = growth(child)
		made, takes = made.and(m[i]), takes.and(t[i])
	}
	takes.plus++
	switch kind {
	case jmespath.ASTExpRef: // what it would be evaluated for, nobody knows
		return bound{0, math.Inf(1)}, bound{0, math.Inf(1)}
	case jmespath.ASTLiteral:
		return bound{0, 1 + float64(len(value))}, takes
	case jmespath.ASTComparator:
		return scalar, takes.and(made.times(3))
	case jmespath.ASTNotExpression:
		return scalar, takes
	case jmespath.ASTSlice:
		return bound{1, 1}, takes.and(bound{1, 0})
	case jmespath.ASTFlatten:
		return made, takes.and(made)
	case jmespath.ASTSubexpression, jmespath.ASTIndexExpression, jmespath.ASTPipe:
		return m[0].then(m[1]), t[0].and(m[0].then(t[1]))
	case jmespath.ASTProjection, jmespath.ASTValueProjection:
		makes = m[0].each(m[1])
		return makes, t[0].and(m[0].each(t[1])).and(makes)
	case jmespath.ASTFilterProjection:
		makes = m[0].each(m[1])
		return makes, t[0].and(m[0].each(t[1].and(t[2]))).and(makes)
	case jmespath.ASTMultiSelectList:
		return made.and(bound{0, 1}), takes.and(bound{0, float64(4 + 2*n)})
	case jmespath.ASTMultiSelectHash:
		return made.and(bound{0, 1}), takes.and(bound{0, float64(24 + 8*n)})
	case jmespath.ASTKeyValPair:
		return made.and(bound{0, float64(1 + len(value))}), takes
	case jmespath.ASTFunctionExpression:
		return function(value, m, t, made, takes.and(made.times(3)).and(bound{0, 8})) // it looks at all its arguments
	}
	// Fields, indexes and @ are parts of what there is, || and && one of two.
	if n == 0 {
		made = bound{1, 0}
	}
	return made, takes
}

// kindAs is a node's type, which has no name outside of the library.
func kindAs[T ~int](_ T, node reflect.Value) T { return T(node.FieldByName("nodeType").Int()) }

// scalar is a number, a boolean or the name of a type.
var scalar = bound{0, 8}

// expression is which argument of a function is one, for each element of the
// other.
var expression = map[string]int{"map": 0, "sort_by": 1, "max_by": 1, "min_by": 1}

// function is growth for one, whose arguments make and take so much.
func function(name string, m, t []bound, made, takes bound) (bound, bound) {
	if _, ok := expression[name]; (ok || name == "join") && len(m) != 2 {
		return scalar, takes // and fails
	}
	switch name {
	case "to_string":
		return made.times(6), takes.and(made.times(6)) // a byte may become \u003c
	case "join":
		makes := m[1].times(1 + m[0].plus)
		if m[0].per > 0 { // the value says how long the separator is
			makes.plus = math.Inf(1)
		}
		return makes, takes.and(makes)
	case "map":
		makes := m[1].each(m[0])
		return makes, takes.and(makes).and(m[1].each(t[0]))
	case "sort_by": // each element is looked at in many comparisons
		return m[0], takes.and(m[0].each(m[1].and(t[1])).times(32))
	case "max_by", "min_by":
		return m[0], takes.and(m[0].each(t[1]))
	case "abs", "avg", "ceil", "contains", "ends_with", "floor", "length", "starts_with", "sum", "to_number", "type":
		return scalar, takes
	case "merge":
		takes.plus += 24
	}
	return made.and(bound{0, 1}), takes
}
