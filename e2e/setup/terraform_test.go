package setup

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"

	"daypass.dev/policy"
)

// A kind is what the provider hashicorp/aws takes for a resource, by its
// documentation of version 6.28, as far as daypass uses it; those without ? are
// required. Attributes that others may refer to are in refer.
type kind struct {
	attributes, refer string
	block             map[string]kind
}

var provider = map[string]kind{
	"aws_iam_openid_connect_provider": {attributes: "url client_id_list tags?"},
	"aws_iam_role":                    {attributes: "name? path? assume_role_policy max_session_duration? tags?", refer: "arn id name"},
	"aws_iam_role_policy":             {attributes: "name? role policy"},
	"aws_iam_role_policy_attachment":  {attributes: "role policy_arn"},
	"aws_rolesanywhere_trust_anchor": {attributes: "name enabled? tags?", refer: "arn id", block: map[string]kind{
		"source": {attributes: "source_type", block: map[string]kind{"source_data": {attributes: "x509_certificate_data? acm_pca_arn?"}}},
	}},
	"aws_rolesanywhere_profile":        {attributes: "name enabled? accept_role_session_name? duration_seconds? role_arns? tags?", refer: "arn id"},
	"aws_eks_pod_identity_association": {attributes: "cluster_name namespace service_account role_arn tags?"},
}

func (k kind) schema() *hcl.BodySchema {
	s := &hcl.BodySchema{}
	for a := range strings.FieldsSeq(k.attributes) {
		name, optional := strings.CutSuffix(a, "?")
		s.Attributes = append(s.Attributes, hcl.AttributeSchema{Name: name, Required: !optional})
	}
	for name := range k.block {
		s.Blocks = append(s.Blocks, hcl.BlockHeaderSchema{Type: name})
	}
	return s
}

// A configuration is Terraform's, as HCL reads it.
type configuration struct {
	resources hcl.Blocks
	known     *hcl.EvalContext // every resource's attributes that may be referred to
	texts     []string         // of policies
}

// reads finds what HCL and the provider's kinds have against a configuration.
func reads(text []byte) (*configuration, hcl.Diagnostics) {
	file, wrong := json.Parse(text, "main.tf.json")
	if wrong.HasErrors() {
		return nil, wrong
	}
	content, more := file.Body.Content(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
		{Type: "terraform"}, {Type: "provider", LabelNames: []string{"name"}}, {Type: "resource", LabelNames: []string{"kind", "name"}}, {Type: "output", LabelNames: []string{"name"}},
	}})
	c := &configuration{resources: content.Blocks.OfType("resource")}
	named := map[string]map[string]cty.Value{}
	for _, r := range c.resources {
		attributes := map[string]cty.Value{}
		for a := range strings.FieldsSeq(provider[r.Labels[0]].refer) {
			attributes[a] = cty.StringVal("arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/0f1e2d3c-0000-4000-8000-000000000001")
		}
		if named[r.Labels[0]] == nil {
			named[r.Labels[0]] = map[string]cty.Value{}
		}
		named[r.Labels[0]][r.Labels[1]] = cty.ObjectVal(attributes)
	}
	c.known = &hcl.EvalContext{Variables: map[string]cty.Value{}}
	for name, one := range named {
		c.known.Variables[name] = cty.ObjectVal(one)
	}
	for _, r := range c.resources {
		more = append(more, c.body(r.Body, provider[r.Labels[0]])...)
	}
	for _, o := range content.Blocks.OfType("output") {
		more = append(more, c.body(o.Body, kind{attributes: "value"})...)
	}
	return c, append(wrong, more...)
}

func (c *configuration) body(body hcl.Body, k kind) hcl.Diagnostics {
	content, wrong := body.Content(k.schema())
	for name, a := range content.Attributes {
		value, more := a.Expr.Value(c.known)
		wrong = append(wrong, more...)
		if strings.Contains(name, "policy") && name != "policy_arn" && !more.HasErrors() {
			c.texts = append(c.texts, value.AsString())
		}
	}
	for _, b := range content.Blocks {
		wrong = append(wrong, c.body(b.Body, k.block[b.Type])...)
	}
	return wrong
}

// Configurations can be read by HCL, hold what the provider takes, refer only to
// what is there, and the policies in them come out whole. (Terraform itself is
// not to be had here.)
func TestTerraform(t *testing.T) {
	for name, f := range files(t) {
		text, err := f.Render("terraform")
		if err != nil {
			t.Fatal(err)
		}
		c, wrong := reads(text)
		if wrong.HasErrors() {
			t.Errorf("%s: %v\n%s", name, wrong, text)
			continue
		}
		if len(c.resources) < 6 || len(c.texts) != 3 {
			t.Errorf("%s: %d resources, %d policies", name, len(c.resources), len(c.texts))
		}
		variable := 0
		for _, text := range c.texts {
			_, trust := policy.Parse(policy.Trust, text)
			_, identity := policy.Parse(policy.Identity, text)
			if trust != nil && identity != nil {
				t.Errorf("%s: %v, %v\n%s", name, trust, identity, text)
			}
			variable += strings.Count(text, "${aws:PrincipalTag/x509Subject/CN}")
		}
		if variable != 1 {
			t.Errorf("%s: IAM's own variable is there %d times", name, variable)
		}
	}
	right, err := files(t)["eks and a bundle"].Render("terraform")
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{`"assume_role_policy"`, `"trust_policy"`},
		{`"${aws_iam_role.role_reports.arn}"`, `"${aws_iam_role.reports.arn}"`},
		{`"${aws_rolesanywhere_trust_anchor.daypass.arn}"`, `"${aws_rolesanywhere_trust_anchor.daypass.arm}"`},
		{`$${aws:`, `${aws:`},
		{`"source_type"`, `"type"`},
		{`"service_account"`, `"account"`},
	} {
		spoiled := strings.Replace(string(right), change[0], change[1], 1)
		if spoiled == string(right) {
			t.Fatalf("%s is not in the configuration\n%s", change[0], right)
		}
		if _, wrong := reads([]byte(spoiled)); !wrong.HasErrors() {
			t.Errorf("%s is not found", change[1])
		}
	}
}
