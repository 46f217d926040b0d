package metrics

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A reference is a metric that an expression names, with the labels that it is
// asked about by matchers.
type reference struct {
	name   string
	labels []string
}

// An expression is what is looked at in PromQL. It is no parser of the language:
// it tells names of metrics from functions, operators and lists of labels, and
// takes nothing that it does not know.
type expression struct {
	metrics []reference
	grouped []string // labels of by, on and their like
}

var token = regexp.MustCompile(`^(?:"(?:[^"\\]|\\.)*"|[0-9]+(?:\.[0-9]+)?(?:[smhdwy]|ms)?|[a-zA-Z_:][a-zA-Z0-9_:]*|=~|!~|!=|==|>=|<=|[-+*/%^<>=(){}\[\],])`)

func tokens(text string) (all []string, err error) {
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		t := token.FindString(text)
		if t == "" {
			return nil, fmt.Errorf("not understood: %q", text)
		}
		all, text = append(all, t), text[len(t):]
	}
	return all, nil
}

func isName(t string) bool { return t[0] == '_' || t[0] >= 'a' && t[0] <= 'z' }

var (
	lists     = []string{"by", "without", "on", "ignoring", "group_left", "group_right"}                                                     // never changed
	operators = []string{"and", "or", "unless", "bool", "offset"}                                                                            // never changed
	functions = []string{"sum", "min", "max", "count", "avg", "bottomk", "topk", "rate", "increase", "histogram_quantile", "time", "vector"} // never changed
)

func parseQuery(text string) (e expression, err error) {
	all, err := tokens(text)
	if err != nil {
		return e, err
	}
	depth := 0
	for i := 0; i < len(all); i++ {
		next := ""
		if i+1 < len(all) {
			next = all[i+1]
		}
		switch t := all[i]; {
		case t == "(":
			depth++
		case t == ")":
			if depth--; depth < 0 {
				return e, fmt.Errorf("a ) too many in %s", text)
			}
		case !isName(t) || slices.Contains(operators, t):
		case slices.Contains(lists, t):
			if next != "(" {
				return e, fmt.Errorf("%s without a list in %s", t, text)
			}
			for i += 2; i < len(all) && all[i] != ")"; i++ {
				if isName(all[i]) {
					e.grouped = append(e.grouped, all[i])
				}
			}
		case next == "(" || slices.Contains(lists, next) && slices.Contains(functions, t):
			if !slices.Contains(functions, t) {
				return e, fmt.Errorf("no function %s is known, in %s", t, text)
			}
		default:
			r := reference{name: t}
			if next == "{" {
				for i += 2; i < len(all) && all[i] != "}"; i++ {
					if isName(all[i]) {
						r.labels = append(r.labels, all[i])
					}
				}
			}
			e.metrics = append(e.metrics, r)
		}
	}
	if depth != 0 {
		return e, fmt.Errorf("a ) too few in %s", text)
	}
	return e, nil
}

func TestQueriesAreRead(t *testing.T) {
	for text, want := range map[string]string{
		`a == 0`:                    "a",
		`min by (x, y) (a_b) < 300`: "a_b; x y",
		`min(a_b) by (x)`:           "a_b; x",
		`sum(rate(a{r="(by) }", s=~"x|y"}[5m])) or vector(0)`:        "a{r s}",
		`a > time() and on (root) b{state="old"}`:                    "a b{state}; root",
		`histogram_quantile(0.99, sum by (le) (rate(a_bucket[5m])))`: "a_bucket; le",
		`a{x="1"} - time() < 30 * 86400 or b - time() < 30`:          "a{x} b",
		`sum(a`:    "error",
		`a)`:       "error",
		`foo(a)`:   "error",
		`a by b`:   "error",
		`a ? b`:    "error",
		`a{x="y]}`: "error",
	} {
		e, err := parseQuery(text)
		got := "error"
		if err == nil {
			var all []string
			for _, m := range e.metrics {
				if m.labels != nil {
					m.name += "{" + strings.Join(m.labels, " ") + "}"
				}
				all = append(all, m.name)
			}
			got = strings.Join(all, " ")
			if e.grouped != nil {
				got += "; " + strings.Join(e.grouped, " ")
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s (%v)", text, got, want, err)
		}
	}
}
