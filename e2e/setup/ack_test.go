package setup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"daypass.dev/policy"
)

// manifests are the custom resources of ACK's controllers as far as daypass uses
// them, by their published reference (aws-controllers-k8s.github.io), as JSON
// Schema of the spec; the real definitions are not to be had here.
var manifests = map[string]string{
	"iam.services.k8s.aws/v1alpha1 OpenIDConnectProvider": `{"required": ["url"], "properties": {
		"url": {"type": "string"}, "clientIDs": {"type": "array", "items": {"type": "string"}}, "tags": {"$ref": "#/$defs/list"}}}`,
	"iam.services.k8s.aws/v1alpha1 Role": `{"required": ["name", "assumeRolePolicyDocument"], "properties": {
		"name": {"type": "string"}, "path": {"type": "string"}, "assumeRolePolicyDocument": {"type": "string"}, "maxSessionDuration": {"type": "integer"},
		"inlinePolicies": {"$ref": "#/$defs/map"}, "policies": {"type": "array", "items": {"type": "string"}}, "tags": {"$ref": "#/$defs/list"}}}`,
	"eks.services.k8s.aws/v1alpha1 PodIdentityAssociation": `{"required": ["namespace", "serviceAccount"], "properties": {
		"clusterName": {"type": "string"}, "namespace": {"type": "string"}, "serviceAccount": {"type": "string"}, "roleARN": {"type": "string"}, "tags": {"$ref": "#/$defs/map"}}}`,
}

const tags = `, "additionalProperties": false, "$defs": {
	"map": {"type": "object", "additionalProperties": {"type": "string"}},
	"list": {"type": "array", "items": {"type": "object", "additionalProperties": false, "properties": {"key": {"type": "string"}, "value": {"type": "string"}}}}}}`

var objectName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)

// accepted says what is wrong with a manifest.
func accepted(t *testing.T, one map[string]any) error {
	t.Helper()
	name, _ := one["metadata"].(map[string]any)["name"].(string)
	if !objectName.MatchString(name) {
		return fmt.Errorf("an object cannot be called %q", name)
	}
	text, known := manifests[fmt.Sprintf("%s %s", one["apiVersion"], one["kind"])]
	if !known {
		return fmt.Errorf("there is no %s %s", one["apiVersion"], one["kind"])
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.TrimSuffix(text, "}") + tags))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("spec.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("spec.json")
	if err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(one["spec"])
	if err != nil {
		t.Fatal(err)
	}
	spec, err := jsonschema.UnmarshalJSON(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(spec)
}

// Manifests have the fields that ACK's controllers know, and policies that IAM
// takes.
func TestACK(t *testing.T) {
	seen := map[string]int{}
	for _, name := range []string{"web-identity", "eks"} {
		text, err := files(t)[name].Render("ack")
		if err != nil {
			t.Fatal(err)
		}
		for dec := yaml.NewDecoder(bytes.NewReader(text)); ; {
			var one map[string]any
			if err := dec.Decode(&one); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			kind := one["kind"].(string)
			seen[kind]++
			if err := accepted(t, one); err != nil {
				t.Errorf("%s: %v\n%s", kind, err, text)
			}
			spec := one["spec"].(map[string]any)
			if kind == "Role" {
				if _, err := policy.Parse(policy.Trust, spec["assumeRolePolicyDocument"].(string)); err != nil {
					t.Error(err)
				}
			}
			spec["surprise"] = true
			if accepted(t, one) == nil {
				t.Errorf("%s: a field that nobody knows is not found", kind)
			}
		}
	}
	if seen["Role"] != 4 || seen["OpenIDConnectProvider"] != 1 || seen["PodIdentityAssociation"] != 3 {
		t.Errorf("%v", seen)
	}
}
