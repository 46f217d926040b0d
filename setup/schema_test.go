package setup

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write docs/setup.schema.json anew")

const schemaFile = "../docs/setup.schema.json"

type object = map[string]any

// rules are what the schema says beyond the types: by struct, and by its field.
func rules() map[string]object {
	form := func(re interface{ String() string }) object { return object{"pattern": re.String()} }
	life := object{"pattern": `^([0-9]+(h|m|s))+$`}
	one := func(fields ...string) (all []object) {
		for _, f := range fields {
			all = append(all, object{"required": []string{f}})
		}
		return all
	}
	needs := func(method string, then object) object {
		return object{"if": object{"properties": object{"method": object{"const": method}}}, "then": then}
	}
	return map[string]object{
		"File":                  {"required": []string{"name", "account", "region", "roles"}},
		"File.name":             form(nameForm),
		"File.account":          form(accountForm),
		"File.region":           form(regionForm),
		"File.roles":            {"minProperties": 1, "propertyNames": form(roleForm)},
		"TrustAnchor":           {"oneOf": one("certificateFile", "privateCA")},
		"TrustAnchor.privateCA": form(pcaForm),
		"TrustAnchor.sessions":  life,
		"Cluster": {"required": []string{"name", "method"}, "allOf": []object{
			needs("web-identity", object{"required": []string{"issuer"}}),
			needs("roles-anywhere", object{"required": []string{"trustDomain"}}),
			needs("eks", object{"required": []string{"arn"}, "properties": object{"arn": form(clusterForm)}}),
		}},
		"Cluster.name":        {"minLength": 1},
		"Cluster.method":      {"enum": []string{"web-identity", "roles-anywhere", "eks"}},
		"Cluster.issuer":      form(issuerForm),
		"Role":                {"required": []string{"usedBy"}},
		"Role.usedBy":         {"minItems": 1},
		"Role.policies":       {"items": object{"type": "string", "pattern": managedForm.String()}},
		"Role.maxSession":     life,
		"User":                {"oneOf": []object{{"required": []string{"serviceAccount"}}, {"anyOf": one("commonName", "uri")}, {"required": []string{"google", "audience"}}}},
		"User.serviceAccount": form(saForm),
		"User.commonName":     {"minLength": 1, "not": object{"pattern": `[*?]|\$\{`}},
		"User.uri":            {"minLength": 1, "not": object{"pattern": `[*?]|\$\{`}},
		"User.google":         form(numberForm),
		"User.audience":       {"minLength": 1},
		"Statement":           {"required": []string{"actions", "resources"}},
		"Statement.actions":   {"minItems": 1},
		"Statement.resources": {"minItems": 1},
	}
}

// comments are those of the fields in file.go, by struct and name in Go.
func comments(t *testing.T) map[string]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "file.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			for _, field := range s.Fields.List {
				for _, name := range field.Names {
					all[spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(field.Doc.Text()), " ")
				}
			}
		}
		return true
	})
	return all
}

// schema is the file's as JSON Schema, from the types, their comments and the
// rules; every rule must find its place.
func schema(t *testing.T) []byte {
	t.Helper()
	said, left := comments(t), rules()
	take := func(name string, into object) {
		maps.Copy(into, left[name])
		delete(left, name)
	}
	definitions := object{}
	var of func(reflect.Type) object
	of = func(typ reflect.Type) object {
		switch typ.Kind() {
		case reflect.Pointer:
			return of(typ.Elem())
		case reflect.String:
			return object{"type": "string"}
		case reflect.Slice:
			return object{"type": "array", "items": of(typ.Elem())}
		case reflect.Map:
			return object{"type": "object", "additionalProperties": of(typ.Elem())}
		case reflect.Struct:
		default:
			t.Fatalf("a field is a %s", typ)
		}
		name := typ.Name()
		if definitions[name] == nil {
			properties := object{}
			body := object{"type": "object", "additionalProperties": false, "properties": properties}
			definitions[name] = body
			take(name, body)
			for field := range typ.Fields() {
				yaml := field.Tag.Get("yaml")
				if yaml == "" {
					continue
				}
				property := of(field.Type)
				take(name+"."+yaml, property)
				if text := said[name+"."+field.Name]; text != "" {
					property["description"] = text
				}
				properties[yaml] = property
			}
		}
		return object{"$ref": "#/$defs/" + name}
	}
	root := of(reflect.TypeFor[File]())
	if len(left) > 0 {
		t.Errorf("rules for what no file has: %v", slices.Sorted(maps.Keys(left)))
	}
	root["$schema"], root["$defs"], root["title"] = "https://json-schema.org/draft/2020-12/schema", definitions, "the file of daypassctl setup"
	text, err := indented(root)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema(t)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("setup.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("setup.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// plain is YAML as JSON has it.
func plain(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	v, err = jsonschema.UnmarshalJSON(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchemaIsPublished(t *testing.T) {
	want := schema(t)
	if *update {
		if err := os.WriteFile(schemaFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the types say: go test ./setup -run Schema -update", schemaFile)
	}
}

// What the reader takes, the schema takes; and of the mistakes, each but those
// that only the reader can see is one of the schema's, too.
func TestSchemaAgreesWithTheReader(t *testing.T) {
	s := compiled(t)
	for _, method := range methods() {
		fresh(t, method)
		if err := s.Validate(plain(t, strings.ReplaceAll(fileText, "METHOD", method))); err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
	page, err := os.ReadFile("../docs/setup.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(page), "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	if err := s.Validate(plain(t, example)); err != nil {
		t.Errorf("the example of docs/setup.md: %v", err)
	}
	if _, err := parse("setup.md", []byte(example)); err != nil {
		t.Errorf("the example of docs/setup.md: %v", err)
	}
	seen := 0
	for _, m := range mistakes() {
		err := s.Validate(plain(t, m.in(t)))
		if (err == nil) != m.beyond {
			t.Errorf("%s: %v", m.to, err)
		}
		if err != nil {
			seen++
		}
	}
	if seen < 10 {
		t.Errorf("the schema sees %d mistakes", seen)
	}
}
