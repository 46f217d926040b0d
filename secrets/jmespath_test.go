package secrets

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/jmespath/go-jmespath"
)

// classOf has one object, with these paths.
func classOf(t testing.TB, paths ...string) *Class {
	t.Helper()
	c := &Class{Objects: []Object{{Item: Item{Name: "s"}, File: Place{Path: "s"}}}}
	for i, p := range paths {
		if err := checkJMES(p); err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		c.Objects[0].Parts = append(c.Objects[0].Parts, Part{p, Place{Path: fmt.Sprintf("part%d", i)}})
	}
	return c
}

// What people write is taken, for the largest secret that there is.
func TestOrdinaryPaths(t *testing.T) {
	doc := `{"user":"u","pass-word":"p","port":5432,"hosts":["a","b"],"on":true,"dbs":[{"name":"x","at":"1","url":"ux"},{"name":"y","at":"2","url":"uy"}],"rest":"` + strings.Repeat("r", 65000) + `"}`
	for path, want := range map[string]string{
		`user`:                    "u",
		`"pass-word"`:             "p",
		`hosts[-1]`:               "b",
		`none || user`:            "u",
		`to_string(port)`:         "5432",
		`join(', ', hosts)`:       "a, b",
		`hosts[1:] | [0]`:         "b",
		`dbs[?name=='y'].url|[0]`: "uy",
		`dbs[?name=='y' && starts_with(url, 'u')] | [0].url`: "uy",
		`sort_by(dbs, &at)[-1].name`:                         "y",
		`max_by(dbs, &at).name`:                              "y",
		`join('|', dbs[*].join('=', [name, url]))`:           "x=ux|y=uy",
		`join(',', map(&join('', [name, at]), dbs))`:         "x1,y2",
		`to_string({user: user, port: port})`:                `{"port":5432,"user":"u"}`,
		`join('', ['postgres://', user, ':', "pass-word", '@', hosts[0], ':', to_string(port), '/', dbs[0].name, '?sslmode=require'])`: "postgres://u:p@a:5432/x?sslmode=require",
	} {
		files, _, err := classOf(t, path).Render([]Value{{Data: []byte(doc)}}, 0o600)
		if err != nil || string(files[0].Data) != want {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

// Whatever lets a short line make more than memory holds is refused before it is
// evaluated, with the error of a bad path.
func TestPathsThatGrow(t *testing.T) {
	list := `{"sep":"` + strings.Repeat("x", 32000) + `","list":[` + strings.Repeat(`"",`, 10000) + `""]}`
	for path, doc := range map[string]string{
		strings.Repeat("[@,@]|", 22) + "to_string(@)":                                     `{}`,
		strings.Repeat("[@,@][]|", 40) + "to_string(@)":                                   `{}`,
		strings.Repeat("[@,@]|", 22) + "abs(@)":                                           `{}`, // the library's error prints it
		strings.Repeat("{a:@,b:@}.*|", 22) + "to_string(@)":                               `{"a":1}`,
		strings.Repeat("to_string([@])|", 22) + "@":                                       `"\""`,
		strings.Repeat("map(&", 8) + "@" + strings.Repeat(",`[0,0,0,0,0,0,0,0,0,0]`)", 8): `{}`,
		"join(sep, list)":                                   list,
		"join(to_string(list), list)":                       list,
		"&[@,@] | map(@, `[1,2]`)":                          `{}`, // an expression where none belongs
		strings.Repeat("[*].[@,@][]|", 20) + "to_string(@)": list,
	} {
		_, _, err := classOf(t, path).Render([]Value{{Data: []byte(doc)}}, 0o600)
		var e *Error
		if !errors.As(err, &e) || e.Slug != "secrets-jmespath" || e.Object != "s" || !strings.Contains(e.Detail, "may make too much") {
			t.Errorf("%s: %.200v", path, err)
		}
	}
}

// All paths of a class share what they may take, and what files may hold counts
// while they are made.
func TestManyPathsOfOneValue(t *testing.T) {
	var filters, copies []string
	for range 100 {
		filters, copies = append(filters, `a[?@=='x'] | [0]`), append(copies, `b`)
	}
	doc := `{"a":[` + strings.Repeat(`"x",`, 5000) + `"x"],"b":"` + strings.Repeat("x", 45000) + `"}`
	for _, row := range []struct {
		paths []string
		slug  string
	}{{filters, "secrets-jmespath"}, {copies, "secrets-too-large"}, {copies[:50], ""}} {
		_, _, err := classOf(t, row.paths...).Render([]Value{{Data: []byte(doc)}}, 0o600)
		var e *Error
		if row.slug == "" && err != nil || row.slug != "" && (!errors.As(err, &e) || e.Slug != row.slug) {
			t.Errorf("%d times %s: %.200v, want %q", len(row.paths), row.paths[0], err, row.slug)
		}
	}
}

// As many secrets as classes have, each with a connection string.
func TestAConnectionStringOfEachSecret(t *testing.T) {
	doc := `{"user":"u","password":"p","host":"h","port":5432,"name":"n","rest":"` + strings.Repeat("r", 4000) + `"}`
	one := classOf(t, `join('', ['postgres://', user, ':', password, '@', host, ':', to_string(port), '/', name])`).Objects[0]
	c := &Class{}
	var values []Value
	for range 50 {
		c.Objects, values = append(c.Objects, one), append(values, Value{Data: []byte(doc)})
	}
	if files, _, err := c.Render(values, 0o600); err != nil || len(files) != 100 {
		t.Errorf("%d files, %v", len(files), err)
	}
}

// What is reckoned is never less than what is found.
func FuzzGrowth(f *testing.F) {
	const doc = `{"a":[{"x":"1","y":["<\"",2]},{"x":"2"},[],{}],"b":"text","c":[3,1,2]}`
	for _, path := range []string{
		"@", "a", "*", "a[]", "a[*].*", "a[*].{p:@,q:x}", "a[?x=='1'].[@,@]", "[@,@][]", "a[::-1]", "a[0].y[1]", "`[1,[2,3]]`", "map(&`[1,2,3]`, a)", "map(&[@,@,to_string(@)], a)",
		"to_string(@)", "to_string([to_string(@)])", "join('--', a[*].x)", "sort(c)", "reverse(@.b)", "sort_by(a[:2], &x)", "max_by(a[:2], &x)", "merge(@, {d:@})", "keys(@)", "values(@)",
		"to_array(b)", "not_null(z, b)", "b || a", "a && c", "!a", "c == c", "sum(c)", "type(a)", "*.[@] | []", "{\"long name\": @}",
	} {
		f.Add(path, doc)
	}
	f.Fuzz(func(t *testing.T, path, text string) {
		var doc any
		if checkJMES(path) != nil || json.Unmarshal([]byte(text), &doc) != nil {
			return
		}
		parsed, err := jmespath.NewParser().Parse(path)
		if err != nil {
			return
		}
		makes, takes := growth(reflect.ValueOf(parsed))
		if !(takes.of(float64(len(text))) <= maxWork) {
			return
		}
		defer func() { _ = recover() }() // the library's panics on odd texts
		found, err := jmespath.Search(path, doc)
		if got, most := size(found), makes.of(3*float64(len(text))); err == nil && !(float64(got) <= most) { // a byte that is no UTF-8 becomes three
			t.Errorf("%s of %s makes %d, more than %.0f", path, text, got, most)
		}
	})
}

// size counts as bound does: a byte for each value, and those of strings.
func size(v any) int {
	n := 1
	switch v := v.(type) {
	case string:
		n += len(v)
	case []any:
		for _, e := range v {
			n += size(e)
		}
	case map[string]any:
		for k, e := range v {
			n += 1 + len(k) + size(e)
		}
	}
	return n
}
