package sigv4

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"daypass.dev/reason"
)

// A refused request: the SDK's, with one text of it replaced, received some
// time later.
type refused struct {
	slug, name, from, to string
	query                request
	later                time.Duration
	service, region      string // of the endpoint, for CheckScope
}

func (c refused) run(t *testing.T) error {
	t.Helper()
	wire := string(c.query.wire(t))
	if c.from != "" && !strings.Contains(wire, c.from) {
		t.Fatalf("%s: the request has no %q: %s", c.name, c.from, wire)
	}
	s, _, err := receive([]byte(strings.Replace(wire, c.from, c.to, 1)), signedAt.Add(c.later))
	if err == nil && (c.service != "" || c.region != "") {
		return s.CheckScope(c.service, c.region)
	}
	return err
}

func refusedRequests() []refused {
	sts := request{method: "POST", service: "sts", path: "/", body: "Action=GetCallerIdentity"}
	s3 := request{method: "GET", service: "s3", path: "/b/k"}
	link := request{method: "GET", service: "s3", path: "/b/k", presign: true}
	put := request{method: "PUT", service: "s3", path: "/b/k", body: "data", header: http.Header{"X-Amz-Meta-A": {"b"}}}
	return []refused{
		{slug: Missing, name: "unsigned", query: sts, from: "Authorization", to: "X-Other"},
		{slug: "authentication-twice", name: "header and query", query: s3, from: "/b/k", to: "/b/k?X-Amz-Algorithm=" + HMAC},
		{slug: "algorithm-unsupported", name: "another algorithm", query: sts, from: HMAC, to: "AWS4-HMAC-SHA512"},
		{slug: "algorithm-unsupported", name: "signature version 2", query: link, from: "X-Amz-Algorithm=" + HMAC, to: "AWSAccessKeyId=" + testKey},
		{slug: "algorithm-unsupported", name: "signature version 2 in the header", query: s3, from: HMAC + " ", to: "AWS "},
		{slug: "algorithm-unsupported", name: "another scheme", query: sts, from: HMAC, to: "Bearer"},
		{slug: "signature-v4a", name: "v4a", query: sts, from: HMAC, to: "AWS4-ECDSA-P256-SHA256"},
		{slug: "signature-v4a", name: "v4a in the query", query: link, from: HMAC, to: "AWS4-ECDSA-P256-SHA256"},
		{slug: "authorization-malformed", name: "unknown component", query: sts, from: "SignedHeaders=", to: "Other=x, SignedHeaders="},
		{slug: "authorization-malformed", name: "repeated component", query: sts, from: "SignedHeaders=", to: "Credential=x, SignedHeaders="},
		{slug: "authorization-malformed", name: "no value", query: sts, from: "SignedHeaders=", to: "SignedHeaders"},
		{slug: "authorization-malformed", name: "nothing behind the algorithm", query: sts, from: HMAC + " Credential", to: HMAC + "\r\nOther: Credential"},
		{slug: "authorization-malformed", name: "bad escape in the query", query: link, from: "X-Amz-Credential=A", to: "X-Amz-Credential=%zzA"},
		{slug: "authorization-incomplete", name: "no signature", query: sts, from: ", Signature=", to: ", Signature=\r\nOther: "},
		{slug: "authorization-incomplete", name: "no credential", query: sts, from: "Credential=" + testKey + "/20260304/us-east-1/sts/aws4_request, ", to: ""},
		{slug: "presign-incomplete", name: "no date", query: link, from: "X-Amz-Date", to: "Other"},
		{slug: "presign-incomplete", name: "no expiry", query: link, from: "X-Amz-Expires", to: "Other"},
		{slug: "presign-expires", name: "no number", query: link, from: "X-Amz-Expires=60", to: "X-Amz-Expires=soon"},
		{slug: "presign-expires", name: "negative", query: link, from: "X-Amz-Expires=60", to: "X-Amz-Expires=-1"},
		{slug: "presign-expires", name: "over a week", query: link, from: "X-Amz-Expires=60", to: "X-Amz-Expires=604801"},
		{slug: "credential-malformed", name: "four elements", query: sts, from: "/sts/aws4_request", to: "/sts"},
		{slug: "credential-malformed", name: "six elements in the query", query: link, from: "%2Fs3%2F", to: "%2Fs3%2Fx%2F"},
		{slug: "credential-malformed", name: "no region", query: sts, from: "us-east-1/sts", to: "/sts"},
		{slug: "signed-headers-malformed", name: "not sorted", query: sts, from: "=content-length;host", to: "=host;content-length"},
		{slug: "signed-headers-malformed", name: "capitals", query: sts, from: ";host", to: ";Host"},
		{slug: "signed-headers-malformed", name: "repeated", query: link, from: "SignedHeaders=host", to: "SignedHeaders=host%3Bhost"},
		{slug: "date-missing", name: "no date", query: sts, from: "X-Amz-Date", to: "Other"},
		{slug: "date-malformed", name: "another form", query: sts, from: "20260304T050607Z", to: "2026-03-04T05:06:07Z"},
		{slug: "date-malformed", name: "fractions", query: link, from: "20260304T050607Z", to: "20260304T050607.0Z"},
		{slug: "scope-terminator", name: "another end", query: sts, from: "aws4_request", to: "aws5_request"},
		{slug: "scope-date", name: "another day", query: sts, from: "/20260304/", to: "/20260305/"},
		{slug: "scope-service", name: "another service", query: sts, service: "iam"},
		{slug: "scope-region", name: "another region", query: link, region: "eu-west-1"},
		{slug: "host-not-signed", name: "host", query: link, from: "SignedHeaders=host", to: "SignedHeaders=range"},
		{slug: "headers-not-signed", name: "unsigned metadata", query: put, from: ";x-amz-meta-a", to: ""},
		{slug: "signed-header-absent", name: "range", query: link, from: "SignedHeaders=host", to: "SignedHeaders=host%3Brange"},
		{slug: "signature-mismatch", name: "another method", query: s3, from: "GET", to: "PUT"},
		{slug: "signature-expired", name: "late", query: sts, later: 15*time.Minute + time.Second},
		{slug: "signature-expired", name: "late with a URL of sts", query: request{method: "GET", service: "sts", path: "/", presign: true}, later: 16 * time.Minute},
		{slug: "signature-not-yet", name: "early", query: s3, later: -15*time.Minute - time.Second},
		{slug: "signature-not-yet", name: "URL before its time", query: link, later: -16 * time.Minute},
		{slug: "presign-expired", name: "URL after its time", query: link, later: 61 * time.Second},
		{slug: "access-key-unknown", name: "another key", query: sts, from: testKey, to: "AKIAOTHER"},
		{slug: "payload-hash-missing", name: "no hash", query: s3, from: "X-Amz-Content-Sha256", to: "Other"},
		{slug: "payload-hash-invalid", name: "no hash either", query: s3, from: "Sha256: e3b0", to: "Sha256: E3B0"},
		{slug: "payload-mismatch", name: "another body", query: put, from: "\r\n\r\ndata", to: "\r\n\r\nDATA"},
	}
}

// inBodies are refusals that are found behind a good signature.
func inBodies(t *testing.T) map[string]error {
	t.Helper()
	found := map[string]error{}
	keep := func(err error) { found[slugOf(err)] = err }
	edit := func(from, to string) {
		r, body := documented(true)
		_, err := verifyDocumented(r, []byte(strings.Replace(string(body), from, to, 1)))
		keep(err)
	}
	edit("aaa\r\n400", "aab\r\n400")
	edit("signature:d81f", "signature:d81e")
	edit("400;chunk-signature", "400;other")
	edit("10000;", "10001;")
	edit("\r\n0;", "\r\nfff;")
	for _, c := range []struct {
		trailer string
		sizes   []int
		header  [2]string
	}{
		{trailer: "x-amz-checksum-crc32:AAAAAA==\r\n", sizes: []int{1}},
		{trailer: "x-amz-checksum-crc32:A\r\n", sizes: []int{1}},
		{trailer: "x-amz-meta-a:A\r\n", sizes: []int{1}, header: [2]string{"X-Amz-Trailer", "x-amz-meta-a"}},
		{trailer: "x-amz-checksum-xxhash64:A\r\n", sizes: []int{1}, header: [2]string{"X-Amz-Trailer", "x-amz-checksum-xxhash64"}},
		{sizes: []int{1}},
		{sizes: []int{1, 1}},
		{header: [2]string{"X-Amz-Decoded-Content-Length", ""}},
		{header: [2]string{"X-Amz-Content-Sha256", unsignedPayload}},
	} {
		r, body := unsigned(c.sizes, c.trailer)
		if c.header[0] != "" {
			r.Header.Set(c.header[0], c.header[1])
		}
		_, err := DecodeUnsigned(r, body)
		keep(err)
	}
	_, err := ReadBody(httptest.NewRequest(http.MethodPut, "/", io.LimitReader(zeros{}, maxBody+1)))
	keep(err)
	return found
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// byTheWorld are the slugs that only the owner of keys and sessions finds.
func byTheWorld() []string {
	return []string{"access-key-inactive", "session-token-missing", InvalidToken, "session-role-gone", Expired}
}

func TestEveryRefusalIsFoundAndPhrased(t *testing.T) {
	found := inBodies(t)
	for _, c := range refusedRequests() {
		err := c.run(t)
		if got := slugOf(err); got != c.slug {
			t.Errorf("%s: refused for %q, want %q: %v", c.name, got, c.slug, err)
		}
		found[c.slug] = err
	}
	for _, slug := range byTheWorld() {
		found[slug] = New(slug, "")
	}
	for _, slug := range Slugs() {
		var e *Error
		if !errors.As(found[slug], &e) {
			t.Errorf("%s: no case is refused for it", slug)
			continue
		}
		row, known := reason.Lookup(slug)
		if !known {
			t.Errorf("%s is not in the catalogue of reasons", slug)
		}
		var codes []string
		for _, p := range []Protocol{Query, JSON, RESTJSON, S3} {
			r := e.Refusal(p)
			codes = append(codes, r.Code)
			if r.Slug != slug || r.Code == "" || r.Message == "" || r.Status < 400 || strings.Contains(r.Message, "%") {
				t.Errorf("%s in protocol %d: %+v", slug, p, r)
			}
		}
		if !slices.Contains(codes, row.Code) {
			t.Errorf("%s: the catalogue says %s, answered are %q", slug, row.Code, codes)
		}
		delete(found, slug)
	}
	for slug := range found {
		t.Errorf("a case is refused for %q, which Slugs does not have", slug)
	}
}
