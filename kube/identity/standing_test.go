package identity

import (
	"errors"
	"testing"

	"daypass.dev/kube/api/v1alpha1"
)

// Every way in which Resolve refuses a pod for its association's own sake is
// seen on the association itself.
func TestStanding(t *testing.T) {
	type spec = v1alpha1.PodIdentityAssociationSpec
	web, cluster := Cluster{Method: v1alpha1.WebIdentity}, Cluster{}
	for _, test := range []struct {
		a       v1alpha1.PodIdentityAssociation
		others  []v1alpha1.PodIdentityAssociation
		cluster Cluster
		method  v1alpha1.Method
		slug    string
	}{
		{a: pia("shop", "web", roleA), cluster: web, method: v1alpha1.WebIdentity},
		{a: pia("shop*", "*", roleA), cluster: web, method: v1alpha1.WebIdentity},
		{a: pia("shop", "web", roleA, func(s *spec) { s.Method = v1alpha1.EKS }), cluster: web, method: v1alpha1.EKS},
		{a: pia("shop", "web", roleA, func(s *spec) { s.Method = v1alpha1.Google }), cluster: web, method: v1alpha1.Google},
		{a: pia("shop", "web", roleA), cluster: cluster, slug: "method-unset"},
		{a: pia("shop", "web", roleA, func(s *spec) { s.Method = "magic" }), cluster: web, method: "magic", slug: "method-unknown"},
		{a: pia("shop", "web", "role/a"), cluster: web, method: v1alpha1.WebIdentity, slug: "role-arn-malformed"},
		{a: pia("shop", "web", roleA, func(s *spec) { s.DisableSessionTags = false }), cluster: web, method: v1alpha1.WebIdentity, slug: "session-tags-untrusted"},
		{a: pia("shop", "web", roleA, func(s *spec) { s.Method = v1alpha1.RolesAnywhere }), cluster: web, method: v1alpha1.RolesAnywhere, slug: "roles-anywhere-unset"},
		{a: pia("shop", "web", roleA, func(s *spec) { s.Method, s.RolesAnywhere, s.Policy = v1alpha1.RolesAnywhere, &trust, "{}" }),
			cluster: web, method: v1alpha1.RolesAnywhere, slug: "policy-unusable"},
		{a: pia("shop", "web", roleA), others: []v1alpha1.PodIdentityAssociation{named("second", pia("shop", "web", roleB))},
			cluster: web, method: v1alpha1.WebIdentity, slug: "association-duplicate"},
		{a: pia("shop", "web", roleA), others: []v1alpha1.PodIdentityAssociation{named("second", pia("shop", "web", roleA))},
			cluster: web, method: v1alpha1.WebIdentity}, // they say the same
		{a: pia("shop", "web", roleA), others: []v1alpha1.PodIdentityAssociation{pia("shop", "*", roleB)},
			cluster: web, method: v1alpha1.WebIdentity}, // another pattern
	} {
		id, err := Standing(&test.a, append(test.others, test.a), test.cluster)
		slug := ""
		if r := (*Refusal)(nil); errors.As(err, &r) {
			slug = r.Slug
		} else if err != nil {
			t.Fatal(err)
		}
		if slug != test.slug || id.Method != test.method {
			t.Errorf("%+v: method %q, %v; want %q, %q", test.a.Spec, id.Method, err, test.method, test.slug)
		}
	}
}
