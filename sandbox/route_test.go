package sandbox

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestRoutes(t *testing.T) {
	const scope = "AWS4-HMAC-SHA256 Credential=AKIA/20260102/eu-west-1/SERVICE/aws4_request, SignedHeaders=host, Signature=aa"
	const x509 = "AWS4-X509-RSA-SHA256 Credential=1/20260102/eu-west-1/rolesanywhere/aws4_request, SignedHeaders=host, Signature=aa"
	signed := func(service string) string { return strings.Replace(scope, "SERVICE", service, 1) }
	for _, c := range []struct {
		name, method, url, authorization, form string
		service, region                        string
		scopeService, scopeRegion              string
	}{
		{name: "host", url: "https://sts.eu-west-1.amazonaws.com/", service: "sts", region: "eu-west-1", scopeService: "sts", scopeRegion: "eu-west-1"},
		{name: "host over scope", url: "https://sts.eu-west-1.amazonaws.com/", authorization: signed("iam"), service: "sts", region: "eu-west-1", scopeService: "sts", scopeRegion: "eu-west-1"},
		{name: "global", url: "https://iam.amazonaws.com/", service: "iam", region: "us-east-1", scopeService: "iam", scopeRegion: "us-east-1"},
		{name: "fips", url: "https://rolesanywhere-fips.us-east-1.amazonaws.com/sessions", service: "rolesanywhere", region: "us-east-1", scopeService: "rolesanywhere", scopeRegion: "us-east-1"},
		{name: "dual stack", url: "https://rolesanywhere.eu-west-1.api.aws/profiles", service: "rolesanywhere", region: "eu-west-1", scopeService: "rolesanywhere", scopeRegion: "eu-west-1"},
		{name: "china", url: "https://sts.cn-north-1.amazonaws.com.cn/", service: "sts", region: "cn-north-1", scopeService: "sts", scopeRegion: "cn-north-1"},
		{name: "bucket", url: "https://my.bucket.s3.eu-west-1.amazonaws.com/key", service: "s3", region: "eu-west-1", scopeService: "s3", scopeRegion: "eu-west-1"},
		{name: "bucket of dual stack", url: "https://b.s3.dualstack.eu-west-1.amazonaws.com/key", service: "s3", region: "eu-west-1", scopeService: "s3", scopeRegion: "eu-west-1"},
		{name: "S3 of every region", url: "https://b.s3.amazonaws.com/key", authorization: signed("s3"), service: "s3", region: "eu-west-1", scopeService: "s3"},
		{name: "capitals", url: "https://STS.EU-WEST-1.AMAZONAWS.COM/", service: "sts", region: "eu-west-1", scopeService: "sts", scopeRegion: "eu-west-1"},
		{name: "scope", url: "https://127.0.0.1:7777/", authorization: signed("iam"), service: "iam", region: "eu-west-1"},
		{name: "presigned", url: "https://127.0.0.1/?Action=GetCallerIdentity&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F20260102%2Feu-west-1%2Fsts%2Faws4_request&X-Amz-Date=20260102T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=aa",
			service: "sts", region: "eu-west-1"},
		{name: "certificate", method: "POST", url: "https://127.0.0.1/sessions", authorization: x509, service: "rolesanywhere", region: "eu-west-1"},
		{name: "sessions", method: "POST", url: "https://127.0.0.1/sessions", service: "rolesanywhere"},
		{name: "form", method: "POST", url: "https://127.0.0.1/", form: "Action=AssumeRoleWithWebIdentity", service: "sts"},
		{name: "the rest", url: "https://127.0.0.1/bucket/key", service: "s3"},
		{name: "not AWS's", url: "https://amazonaws.com.example.com/bucket", service: "s3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			method := c.method
			if method == "" {
				method = "GET"
			}
			r := httptest.NewRequest(method, c.url, strings.NewReader(c.form))
			if c.authorization != "" {
				r.Header.Set("Authorization", c.authorization)
			}
			if c.form != "" {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
			}
			got, want := routeOf(r), target{c.service, c.region, c.scopeService, c.scopeRegion}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestAWSNames(t *testing.T) {
	for name, want := range map[string]bool{
		"sts.amazonaws.com": true, "b.s3.eu-west-1.amazonaws.com": true, "sts.cn-north-1.amazonaws.com.cn": true, "sts.eu-west-1.api.aws": true,
		"amazonaws.com": false, "evilamazonaws.com": false, "sts.amazonaws.com.evil.org": false, "localhost": false, "": false,
	} {
		if got := isAWS(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
