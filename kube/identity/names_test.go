package identity

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"daypass.dev/kube/api/v1alpha1"
)

func TestCertificateNames(t *testing.T) {
	long := strings.Repeat("a", 70)
	for _, test := range []struct {
		name               string
		cluster            Cluster
		namespace, account string
		want               CertificateNames
		slug               string
	}{
		{"usual", Cluster{Name: "prod", TrustDomain: "example.org"}, "shop", "web",
			CertificateNames{"web@shop", "shop", "prod", "spiffe://example.org/ns/shop/sa/web"}, ""},
		{"64 characters", Cluster{Name: long[:64], TrustDomain: "t"}, "shop", long[:59],
			CertificateNames{long[:59] + "@shop", "shop", long[:64], "spiffe://t/ns/shop/sa/" + long[:59]}, ""},
		// The hashes are sha256sum's.
		{"65 characters", Cluster{Name: long[:65], TrustDomain: "t"}, "shop", long[:60],
			CertificateNames{long[:51] + "~5c45ffd91bd4", "shop", long[:51] + "~635361c48bb9", "spiffe://t/ns/shop/sa/" + long[:60]}, ""},
		{"URI of 256", Cluster{Name: "c", TrustDomain: "t"}, "shop", strings.Repeat("a", 234),
			CertificateNames{long[:51] + "~15f2821427d5", "shop", "c", "spiffe://t/ns/shop/sa/" + strings.Repeat("a", 234)}, ""},
		{"URI of 257", Cluster{Name: "c", TrustDomain: "t"}, "shop", strings.Repeat("a", 235), CertificateNames{}, "certificate-uri-long"},
		{"no cluster", Cluster{TrustDomain: "t"}, "shop", "web", CertificateNames{}, "cluster-unnamed"},
		{"no trust domain", Cluster{Name: "c"}, "shop", "web", CertificateNames{}, "cluster-unnamed"},
	} {
		got, err := test.cluster.Names(test.namespace, test.account)
		var refusal *Refusal
		if errors.As(err, &refusal); (refusal != nil) != (test.slug != "") || refusal != nil && refusal.Slug != test.slug {
			t.Errorf("%s: %v, want %q", test.name, err, test.slug)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

func TestSessionName(t *testing.T) {
	allowed := regexp.MustCompile(`^[\w+=,.@-]{2,64}$`) // STS's
	for _, test := range []struct{ template, pod, want string }{
		{"", "web-1", "web-1"},
		{"", "w", "w-shop"},
		{"", strings.Repeat("a", 64), strings.Repeat("a", 64)},
		{"", strings.Repeat("a", 65), strings.Repeat("a", 51) + "=635361c48bb9"},
		{"{cluster}-{namespace}.{serviceAccount}", "web-1", "prod-eu-1-shop.web"},
		{"{namespace}.{pod}", "web-1", "shop.web-1"},
		{"{pod}{pod}", "web-1", "web-1web-1"},
		{"fixed", "web-1", "fixed"},
	} {
		id, _, err := Resolve(pod(), web(), pias{pia("shop", "web", roleA, func(s *v1alpha1.PodIdentityAssociationSpec) { s.SessionName = test.template })},
			Cluster{Name: "prod eu/1", Method: v1alpha1.WebIdentity})
		if err != nil {
			t.Fatal(err)
		}
		if got := id.SessionName(test.pod); got != test.want || !allowed.MatchString(got) {
			t.Errorf("%q for %s: %q, want %q", test.template, test.pod, got, test.want)
		}
	}
}
