package identity

import (
	"testing"

	"daypass.dev/reason"
	"daypass.dev/reason/reasontest"
)

func TestEveryRefusalHasARowAndACase(t *testing.T) {
	cases := map[string]bool{"cluster-unnamed": true, "certificate-uri-long": true} // TestCertificateNames
	for _, r := range rows() {
		cases[r.slug] = true
	}
	for slug := range reasontest.Slugs(t, ".", "refuse", "") {
		if _, ok := reason.Lookup(slug); !ok {
			t.Errorf("%s has no row in package reason", slug)
		}
		if !cases[slug] {
			t.Errorf("%s has no case", slug)
		}
	}
	for _, c := range checks() {
		if !cases[c.slug] {
			t.Errorf("check %s has no case", c.slug)
		}
	}
	gives := map[string]bool{}
	for _, r := range rows() {
		gives[r.want.Rule] = true
	}
	for _, rule := range Rules() {
		if !gives[rule] {
			t.Errorf("no case is decided by %s", rule)
		}
	}
}
