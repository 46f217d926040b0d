package exchange

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"daypass.dev"
)

func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		p    place
		want string
	}{
		{place{service: "rolesanywhere", region: "eu-west-1", partition: "aws"}, "https://rolesanywhere.eu-west-1.amazonaws.com"},
		{place{service: "rolesanywhere", region: "us-east-1", partition: "aws", fips: true}, "https://rolesanywhere-fips.us-east-1.amazonaws.com"},
		{place{service: "rolesanywhere", region: "us-gov-west-1", partition: "aws-us-gov"}, "https://rolesanywhere.us-gov-west-1.amazonaws.com"},
		{place{service: "rolesanywhere", region: "us-gov-west-1", partition: "aws-us-gov", fips: true}, "https://rolesanywhere-fips.us-gov-west-1.amazonaws.com"},
		{place{service: "rolesanywhere", region: "cn-north-1", partition: "aws-cn"}, "https://rolesanywhere.cn-north-1.amazonaws.com.cn"},
		{place{service: "rolesanywhere", region: "eu-west-1", partition: "aws", dualStack: true}, "https://rolesanywhere.eu-west-1.api.aws"},
		{place{service: "rolesanywhere", region: "us-east-1", partition: "aws", dualStack: true, fips: true}, "https://rolesanywhere-fips.us-east-1.api.aws"},
		{place{service: "rolesanywhere", region: "cn-north-1", partition: "aws-cn", dualStack: true}, "https://rolesanywhere.cn-north-1.api.amazonwebservices.com.cn"},
		{place{service: "sts", region: "us-gov-west-1", partition: "aws-us-gov", fips: true}, "https://sts.us-gov-west-1.amazonaws.com"},
		{place{service: "sts", region: "us-gov-west-1", partition: "aws-us-gov", fips: true, dualStack: true}, "https://sts-fips.us-gov-west-1.api.aws"},
		{place{service: "sts", region: "us-east-2", partition: "aws", fips: true}, "https://sts-fips.us-east-2.amazonaws.com"},
		{place{service: "sts", partition: "aws-iso", given: "https://sts.us-iso-east-1.c2s.ic.gov/"}, "https://sts.us-iso-east-1.c2s.ic.gov"},
	} {
		if got, err := c.p.url(); err != nil || got != c.want {
			t.Errorf("%+v: got %q, %v, want %q", c.p, got, err, c.want)
		}
	}
	for _, c := range []struct {
		p       place
		setting string
	}{
		{place{service: "sts", region: "eu-west-1", partition: "aws", fips: true, given: "https://x"}, "FIPS"},
		{place{service: "sts", region: "eu-west-1", partition: "aws", dualStack: true, given: "https://x"}, "dual stack"},
		{place{service: "sts", region: "cn-north-1", partition: "aws-cn", fips: true}, "FIPS"},
		{place{service: "sts", region: "cn-north-1", partition: "aws"}, "region"},
		{place{service: "sts", region: "eu-west-1", partition: "aws-iso"}, "endpoint"},
		{place{service: "sts", partition: "aws"}, "region"},
	} {
		got, err := c.p.url()
		if ie := (*daypass.InputError)(nil); !errors.As(err, &ie) || ie.Setting != c.setting {
			t.Errorf("%+v: got %q, %v, want an error of %s", c.p, got, err, c.setting)
		}
	}
}

// The names by which some settings ask for FIPS shape the address and not the
// signature's scope.
func TestPseudoRegions(t *testing.T) {
	for region, fips := range map[string]bool{"eu-west-1": false, "fips-eu-west-1": true, "eu-west-1-fips": true} {
		var scope, host string
		f := &fake{respond: func(r *http.Request) *http.Response {
			scope, host = r.Header.Get("Authorization"), r.URL.Host
			return nil
		}}
		r := source(t, f)
		r.Region, r.Endpoint = region, ""
		if _, err := r.Credentials(t.Context()); err != nil {
			t.Fatalf("%s: %v", region, err)
		}
		want := "rolesanywhere.eu-west-1.amazonaws.com"
		if fips {
			want = "rolesanywhere-fips.eu-west-1.amazonaws.com"
		}
		if host != want || !strings.Contains(scope, "/eu-west-1/rolesanywhere/aws4_request") {
			t.Errorf("%s: called %s with %s", region, host, scope)
		}
	}
	r := source(t, &fake{})
	r.Region = "fips-us-east-1"
	if err := r.Check(); err == nil || !strings.Contains(err.Error(), `"us-east-1", the trust anchor's is eu-west-1`) {
		t.Errorf("another region: %v", err)
	}
}
