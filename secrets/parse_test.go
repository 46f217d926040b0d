package secrets

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"

	"daypass.dev/reason"
)

func objects(lines ...string) map[string]string {
	return map[string]string{"objects": strings.Join(lines, "\n")}
}

func with(parameters map[string]string, more ...string) map[string]string {
	for i := 0; i < len(more); i += 2 {
		parameters[more[i]] = more[i+1]
	}
	return parameters
}

const secretARN = "arn:aws:secretsmanager:us-east-1:111122223333:secret:app/db-AbCdEf"

// Each parameter and field of AWS's provider, with the file that it makes.
func TestParseClass(t *testing.T) {
	for name, c := range map[string]struct {
		parameters map[string]string
		check      func(*Class) bool
	}{
		"a name": {objects(`- objectName: db`, `  objectType: secretsmanager`), func(c *Class) bool {
			return c.Objects[0].Item == Item{Name: "db"} && c.Objects[0].File == Place{Path: "db"} && !c.PodIdentity
		}},
		"an ARN needs no type": {objects(`- objectName: "` + secretARN + `"`), func(c *Class) bool {
			return !c.Objects[0].Parameter && c.Objects[0].File.Path == strings.ReplaceAll(secretARN, "/", "_")
		}},
		"a parameter's ARN": {objects(`- objectName: "arn:aws:ssm:us-east-1:111122223333:parameter/a"`), func(c *Class) bool {
			return c.Objects[0].Parameter
		}},
		"an alias": {objects(`- objectName: /app/x`, `  objectType: ssmparameter`, `  objectAlias: x.txt`), func(c *Class) bool {
			return c.Objects[0].Parameter && c.Objects[0].Name == "/app/x" && c.Objects[0].File.Path == "x.txt"
		}},
		"slashes become underscores": {objects(`- objectName: /app/x`, `  objectType: ssmparameter`), func(c *Class) bool {
			return c.Objects[0].File.Path == "_app_x"
		}},
		"pathTranslation": {with(objects(`- objectName: /app/x`, `  objectType: ssmparameter`), "pathTranslation", "-"), func(c *Class) bool {
			return c.Objects[0].File.Path == "-app-x"
		}},
		"pathTranslation off": {with(objects(`- objectName: /app/x`, `  objectType: ssmparameter`), "pathTranslation", "False"), func(c *Class) bool {
			return c.Objects[0].File.Path == "app/x"
		}},
		"versions": {objects(`- {objectName: a, objectType: secretsmanager, objectVersion: v1}`, `- {objectName: b, objectType: secretsmanager, objectVersionLabel: AWSPREVIOUS}`, `- {objectName: c, objectType: ssmparameter, objectVersion: 3}`), func(c *Class) bool {
			return c.Objects[0].Version == "v1" && c.Objects[1].Label == "AWSPREVIOUS" && c.Objects[2].id() == "c:3"
		}},
		"filePermission": {objects(`- {objectName: a, objectType: secretsmanager, filePermission: "0400"}`), func(c *Class) bool {
			return c.Objects[0].File.Mode == 0o400
		}},
		"jmesPath": {objects(`- objectName: a`, `  objectType: secretsmanager`, `  jmesPath:`, `  - {path: user, objectAlias: "db/user", filePermission: "0440"}`), func(c *Class) bool {
			return slices.Equal(c.Objects[0].Parts, []Part{{"user", Place{"db_user", 0o440}}})
		}},
		"failover": {with(objects(`- {objectName: "`+secretARN+`", objectAlias: a, failoverObject: {objectName: other}}`), "region", "us-east-1", "failoverRegion", "eu-west-1"), func(c *Class) bool {
			return c.Objects[0].Failover == Item{Name: "other"} && c.Region == "us-east-1" && c.FailoverRegion == "eu-west-1"
		}},
		"usePodIdentity": {with(objects(), "usePodIdentity", "true", "preferredAddressType", "ipv6"), func(c *Class) bool { return c.PodIdentity }},
		"assumeRoleArn": {with(objects(), "assumeRoleArn", "arn:aws:iam::444455556666:role/reader"), func(c *Class) bool {
			return c.AssumeRoleARN == "arn:aws:iam::444455556666:role/reader"
		}},
		"no objects": {map[string]string{}, func(c *Class) bool { return len(c.Objects) == 0 }},
		"what the driver adds, and what nobody knows": {with(objects(`- {objectName: a, objectType: secretsmanager, colour: red}`), "csi.storage.k8s.io/pod.name", "x", "flavour", "y"), func(c *Class) bool {
			return slices.Equal(c.Unknown, []string{"flavour", "colour"})
		}},
		"unknown fields once each": {objects(`- {objectName: a, objectType: secretsmanager, size: 1, colour: red}`, `- {objectName: b, objectType: secretsmanager, colour: red}`), func(c *Class) bool {
			return slices.Equal(c.Unknown, []string{"colour", "size"})
		}},
	} {
		got, err := ParseClass(c.parameters)
		if err != nil || !c.check(got) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// fields are so many that nobody knows.
func fields(n int) string {
	text := ""
	for i := range n {
		text += "k" + strconv.Itoa(i) + ": 1, "
	}
	return text
}

// One clear error for each thing that is wrong: it names the object and has a
// row in the catalogue.
func TestWrongClasses(t *testing.T) {
	type row struct {
		slug, text string
		parameters map[string]string
	}
	rows := []row{
		{"secrets-objects", "is no YAML", objects(`- a: [`)},
		{"secrets-objects", "more than one", objects(`- objectName: a`, `---`, `- objectName: b`)},
		{"secrets-objects", "not a list", objects(`objectName: a`)},
		{"secrets-objects", "object 1 is not a mapping", objects(`- a`)},
		{"secrets-objects", "object 1 cannot be read", objects(`- {objectName: [a]}`)},
		{"secrets-objects", "more than 1000", objects(strings.Repeat("- {}\n", 1001))},
		{"secrets-objects", "more than 1000 files", objects(`- {objectName: a, objectType: secretsmanager, jmesPath: [` + strings.Repeat(`{path: x, objectAlias: a},`, 1000) + `]}`)},
		{"secrets-objects", "more than 100 fields", objects(`- {objectName: a, objectType: secretsmanager, ` + fields(100) + `}`)},
		{"secrets-objects", "more than 100 fields", objects(`- {objectName: a, objectType: secretsmanager, failoverObject: {` + fields(101) + `}}`)},
		{"secrets-objects", "more than 1048576 bytes", objects(strings.Repeat("#", maxDocument+1))},
		{"secrets-object", "object 1: objectName is missing", objects(`- {objectType: secretsmanager}`)},
		{"secrets-object", "objectType is missing", objects(`- {objectName: a}`)},
		{"secrets-object", "objectType is", objects(`- {objectName: a, objectType: secret}`)},
		{"secrets-object", "does not fit the ARN", objects(`- {objectName: "` + secretARN + `", objectType: ssmparameter}`)},
		{"secrets-object", "no ARN of a secret", objects(`- {objectName: "arn:aws:s3:::bucket"}`)},
		{"secrets-object", "not both", objects(`- {objectName: a, objectType: ssmparameter, objectVersion: 1, objectVersionLabel: x}`)},
		{"secrets-object", "four octal digits", objects(`- {objectName: a, objectType: secretsmanager, filePermission: "644"}`)},
		{"secrets-object", "no special bits", objects(`- {objectName: a, objectType: secretsmanager, filePermission: "4755"}`)},
		{"secrets-object", "needs an objectAlias", with(objects(`- {objectName: a, objectType: secretsmanager, failoverObject: {objectName: b}}`), "failoverRegion", "eu-west-1")},
		{"secrets-object", "missing in failoverObject", with(objects(`- {objectName: a, objectType: secretsmanager, objectAlias: x, failoverObject: {}}`), "failoverRegion", "eu-west-1")},
		{"secrets-object", "objectVersion must be the same", with(objects(`- {objectName: a, objectType: secretsmanager, objectAlias: x, objectVersion: "1", failoverObject: {objectName: b}}`), "failoverRegion", "eu-west-1")},
		{"secrets-region", "needs the parameter failoverRegion", objects(`- {objectName: a, objectType: secretsmanager, objectAlias: x, failoverObject: {objectName: b}}`)},
		{"secrets-object", "needs path and objectAlias", objects(`- {objectName: a, objectType: secretsmanager, jmesPath: [{path: x}]}`)},
		{"secrets-jmespath", "longer than 4096 bytes", objects(`- {objectName: a, objectType: secretsmanager, jmesPath: [{path: ` + strings.Repeat("x", 4097) + `, objectAlias: x}]}`)},
		{"secrets-jmespath", "is none", objects(`- {objectName: a, objectType: secretsmanager, jmesPath: [{path: "a[", objectAlias: x}]}`)},
		{"secrets-parameter", "usePodIdentity", with(objects(), "usePodIdentity", "perhaps")},
		{"secrets-parameter", "pathTranslation", with(objects(), "pathTranslation", "ab")},
		{"secrets-parameter", "pathTranslation", with(objects(), "pathTranslation", "/")},
		{"secrets-parameter", "no region", with(objects(), "region", "us-central1")},
		{"secrets-parameter", "no region", with(objects(), "failoverRegion", "europe")},
		{"secrets-parameter", "assumeRoleArn", with(objects(), "assumeRoleArn", "reader")},
		{"secrets-collision", "made twice", objects(`- {objectName: a/b, objectType: secretsmanager}`, `- {objectName: a_b, objectType: secretsmanager}`)},
		{"secrets-collision", "made twice", objects(`- {objectName: a, objectType: secretsmanager, jmesPath: [{path: x, objectAlias: a}]}`)},
		{"secrets-collision", "needs a folder", with(objects(`- {objectName: a, objectType: secretsmanager}`, `- {objectName: a/b, objectType: secretsmanager}`), "pathTranslation", "False")},
	}
	// Every field that can name a file, with every name that would leave the
	// folder or be no name.
	for _, bad := range []string{"../x", "a/../b", "a/..", "..", "..data", "a//b", "./a", "a/.", `a\b`, "a\tb", strings.Repeat("x", 256), strings.Repeat("x/", 600) + "x"} {
		q := strconv.Quote(bad)
		for _, field := range []string{
			`- {objectName: ` + q + `, objectType: ssmparameter}`,
			`- {objectName: a, objectType: secretsmanager, objectAlias: ` + q + `}`,
			`- {objectName: a, objectType: secretsmanager, jmesPath: [{path: x, objectAlias: ` + q + `}]}`,
		} {
			rows = append(rows, row{"secrets-path", "", with(objects(field), "pathTranslation", "False")})
		}
	}
	for _, r := range rows {
		_, err := ParseClass(r.parameters)
		var e *Error
		if !errors.As(err, &e) || e.Slug != r.slug || !strings.Contains(err.Error(), r.text) {
			t.Errorf("%.200q: %v, want %s: …%s…", r.parameters, err, r.slug, r.text)
			continue
		}
		if _, ok := reason.Lookup(e.Slug); !ok || e.Advice() == "" {
			t.Errorf("%s has no row or no advice", e.Slug)
		}
	}
	// With translation on, the same names are harmless.
	if c, err := ParseClass(objects(`- {objectName: a/../b, objectType: ssmparameter}`)); err != nil || c.Objects[0].File.Path != "a_.._b" {
		t.Errorf("translated: %+v, %v", c, err)
	}
}

func TestRender(t *testing.T) {
	c, err := ParseClass(objects(
		`- {objectName: z, objectType: secretsmanager, filePermission: "0400", jmesPath: [{path: db.user, objectAlias: user}, {path: '"odd-key"', objectAlias: odd}]}`,
		`- {objectName: bin, objectType: secretsmanager}`, `- {objectName: empty, objectType: secretsmanager}`))
	if err != nil {
		t.Fatal(err)
	}
	binary := []byte{0, 255, '\n'}
	files, versions, err := c.Render([]Value{{[]byte(`{"db":{"user":"u1"},"odd-key":"o"}`), "v1"}, {binary, "v2"}, {nil, "v3"}}, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, f.Path+" "+f.Mode.String()+" "+string(f.Data))
	}
	want := []string{"bin -rw-r--r-- " + string(binary), "empty -rw-r--r-- ", "odd -rw-r--r-- o", "user -rw-r--r-- u1", `z -r-------- {"db":{"user":"u1"},"odd-key":"o"}`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !slices.Contains(versions, Version{"user", "v1"}) || len(versions) != 5 {
		t.Errorf("versions %v", versions)
	}
}

func TestWrongValues(t *testing.T) {
	const planted = "pl4nted-s3cret"
	for text, want := range map[string]string{
		planted:                      "secrets-json",
		`{"a":"` + planted:           "secrets-json",
		`{"b":"` + planted + `"}`:    "secrets-jmes-result",
		`{"a":1}`:                    "secrets-jmes-result",
		`{"a":["` + planted + `"]}`:  "secrets-jmes-result",
		`{"a":{"x":1}}`:              "secrets-jmes-result",
		`{"a":true}`:                 "secrets-jmes-result",
		`{"a":null}`:                 "secrets-jmes-result",
		`{"a":"` + planted + `"} {}`: "secrets-json",
	} {
		c, err := ParseClass(objects(`- {objectName: s, objectType: secretsmanager, jmesPath: [{path: a, objectAlias: x}]}`))
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = c.Render([]Value{{Data: []byte(text)}}, 0o644)
		var e *Error
		if !errors.As(err, &e) || e.Slug != want || e.Object != "s" {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
		if strings.Contains(err.Error()+e.Advice(), planted) {
			t.Errorf("the error quotes the value: %v", err)
		}
	}
	c, err := ParseClass(objects(strings.Repeat("- {objectName: a, objectType: secretsmanager, objectAlias: N}\n", 1)))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = c.Render([]Value{{Data: make([]byte, maxTotal)}}, fs.FileMode(0o644))
	var e *Error
	if !errors.As(err, &e) || e.Slug != "secrets-too-large" {
		t.Errorf("too large: %v", err)
	}
	c = &Class{}
	var values []Value
	for i := range 200 {
		c.Objects = append(c.Objects, Object{Item: Item{Name: strconv.Itoa(i)}, File: Place{Path: strconv.Itoa(i)}})
		values = append(values, Value{Data: make([]byte, 16<<10)})
	}
	if files, _, err := c.Render(values, 0o644); err != nil || len(files) != 200 {
		t.Errorf("200 objects: %d, %v", len(files), err)
	}
}

func FuzzParseClass(f *testing.F) {
	f.Add("- objectName: a\n  objectType: secretsmanager\n  jmesPath: [{path: a.b, objectAlias: x}]", "_")
	f.Add("- {objectName: ../../etc/passwd, objectType: ssmparameter}", "False")
	f.Add("- &a {objectName: x}\n- *a", "")
	f.Fuzz(func(t *testing.T, text, translate string) {
		c, err := ParseClass(map[string]string{"objects": text, "pathTranslation": translate})
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Slug == "") {
			t.Fatalf("an error without a slug: %v", err)
		}
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, o := range c.Objects {
			places := []Place{o.File}
			for _, p := range o.Parts {
				places = append(places, p.File)
			}
			for _, p := range places {
				if seen[p.Path] || !fs.ValidPath(p.Path) || strings.HasPrefix(p.Path, "..") || strings.Contains(p.Path, "/..") {
					t.Fatalf("%q makes a file %q", text, p.Path)
				}
				seen[p.Path] = true
			}
		}
	})
}

// Whatever name and translation: a file below the folder, or an error.
func FuzzPlace(f *testing.F) {
	f.Add("../x", "")
	f.Add("/a/b", "_")
	f.Add("a/b", ".")
	f.Fuzz(func(t *testing.T, name, translate string) {
		p, err := place(name, "", translate)
		if err == nil && (!fs.ValidPath(p.Path) || p.Path == "." || strings.HasPrefix(p.Path, "..") || strings.Contains(p.Path, "/..")) {
			t.Fatalf("%q with %q makes %q", name, translate, p.Path)
		}
	})
}

// A value and a path never panic, and a string is what is found.
func FuzzSearch(f *testing.F) {
	f.Add("a.b[0]", `{"a":{"b":["x"]}}`)
	f.Add("sort_by(@, &x)", `[{"x":1},{"x":"y"}]`)
	f.Fuzz(func(t *testing.T, path, doc string) {
		c, err := ParseClass(objects(`- {objectName: s, objectType: secretsmanager, jmesPath: [{path: ` + strconv.Quote(path) + `, objectAlias: x}]}`))
		if err != nil {
			return
		}
		_, _, _ = c.Render([]Value{{Data: []byte(doc)}}, 0o600)
	})
}
