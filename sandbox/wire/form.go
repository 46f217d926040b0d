package wire

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"daypass.dev/sandbox/world"
)

// A Form holds the parameters of a call of the query protocol.
type Form struct {
	url.Values
}

// ParseForm reads the parameters out of a form that was posted, or out of the
// query of a GET.
func ParseForm(r *http.Request, body []byte) (Form, error) {
	raw := r.URL.RawQuery
	if r.Method == http.MethodPost {
		raw = string(body)
	}
	v, err := url.ParseQuery(raw)
	if err != nil {
		return Form{}, &world.Refusal{
			Slug: "query-malformed", Code: "MalformedQueryString", Status: 400,
			Message: "The query string contains a syntax error", Detail: "reading the form: " + err.Error(),
		}
	}
	return Form{v}, nil
}

// List returns the values NAME.member.1, NAME.member.2 and so on; nil if there
// are none.
func (f Form) List(name string) []string {
	var all []string
	for _, m := range f.Members(name) {
		all = append(all, m.Get(""))
	}
	return all
}

// Members returns the structures NAME.member.N in order of N, each with its
// fields; of a list of scalars the one field is "".
func (f Form) Members(name string) []Form { return f.numbered(name + ".member.") }

// Entries returns the entries NAME.entry.N of a map likewise.
func (f Form) Entries(name string) []Form { return f.numbered(name + ".entry.") }

func (f Form) numbered(prefix string) []Form {
	found := map[int]Form{}
	for key, values := range f.Values {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		number, field, _ := strings.Cut(rest, ".")
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			continue
		}
		if found[n].Values == nil {
			found[n] = Form{url.Values{}}
		}
		found[n].Values[field] = values
	}
	var all []Form
	for _, n := range slices.Sorted(maps.Keys(found)) {
		all = append(all, found[n])
	}
	return all
}
