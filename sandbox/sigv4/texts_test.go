package sigv4

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	mismatchText   = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	mismatchTextS3 = "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)

// What AWS answers, as the query services, JSON services and S3 put it.
func TestAnswersAreThoseOfAWS(t *testing.T) {
	const (
		expired = "Signature expired: 20260304T050607Z is now earlier than 20260304T050608Z (20260304T052108Z - 15 min.)"
		early   = "Signature not yet current: 20260304T050607Z is still later than 20260304T050606Z (20260304T045106Z + 15 min.)"
		skewed  = "RequestTimeTooSkewed 403 The difference between the request time and the current time is too large."
	)
	for _, c := range []struct{ slug, name, query, json, s3 string }{
		{"signature-mismatch", "another method", "SignatureDoesNotMatch 403 " + mismatchText, "InvalidSignatureException 400 " + mismatchText, "SignatureDoesNotMatch 403 " + mismatchTextS3},
		{"signature-expired", "late", "SignatureDoesNotMatch 403 " + expired, "InvalidSignatureException 400 " + expired, skewed},
		{"signature-not-yet", "early", "SignatureDoesNotMatch 403 " + early, "InvalidSignatureException 400 " + early, skewed},
		{"signature-not-yet", "URL before its time", "", "", "AccessDenied 403 Request is not valid yet"},
		{"presign-expired", "URL after its time", "", "", "AccessDenied 403 Request has expired"},
		{"authentication-missing", "unsigned", "MissingAuthenticationToken 403 Request is missing Authentication Token", "MissingAuthenticationTokenException 400 Request is missing Authentication Token", "AccessDenied 403 Access Denied"},
		{"credential-malformed", "four elements", "IncompleteSignature 400 Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKIAIOSFODNN7EXAMPLE/20260304/us-east-1/sts'", "", `AuthorizationHeaderMalformed 400 The authorization header is malformed; the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`},
		{"date-malformed", "another form", "IncompleteSignature 400 Date must be in ISO-8601 'basic format'. Got '2026-03-04T05:06:07Z'. See http://en.wikipedia.org/wiki/ISO_8601", "IncompleteSignatureException 400 Date must be in ISO-8601 'basic format'. Got '2026-03-04T05:06:07Z'. See http://en.wikipedia.org/wiki/ISO_8601", ""},
		{"presign-incomplete", "no date", "IncompleteSignature 400 AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters.", "", ""},
		{"host-not-signed", "host", "SignatureDoesNotMatch 403 'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.", "", ""},
		{"scope-service", "another service", "SignatureDoesNotMatch 400 Credential should be scoped to correct service: 'iam'.", "InvalidSignatureException 400 Credential should be scoped to correct service: 'iam'.", ""},
		{"scope-region", "another region", "SignatureDoesNotMatch 403 Credential should be scoped to a valid region. ", "", ""},
		{"scope-terminator", "another end", "SignatureDoesNotMatch 403 Credential should be scoped with a valid terminator: 'aws4_request'.", "", ""},
		{"scope-date", "another day", "SignatureDoesNotMatch 400 Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.", "", ""},
		{"access-key-unknown", "", "InvalidClientTokenId 403 The security token included in the request is invalid.", "UnrecognizedClientException 400 The security token included in the request is invalid.", "InvalidAccessKeyId 403 The AWS Access Key Id you provided does not exist in our records."},
		{"session-token-invalid", "", "InvalidClientTokenId 403 The security token included in the request is invalid.", "", "InvalidToken 400 The provided token is malformed or otherwise invalid."},
		{"session-expired", "", "ExpiredToken 403 The security token included in the request is expired", "ExpiredTokenException 400 The security token included in the request is expired", "ExpiredToken 400 The provided token has expired."},
		{"payload-mismatch", "another body", "", "", "XAmzContentSHA256Mismatch 400 The provided 'x-amz-content-sha256' header does not match what was computed."},
	} {
		e := refusedFor(t, c.slug, c.name)
		for p, want := range map[Protocol]string{Query: c.query, JSON: c.json, S3: c.s3} {
			r := e.Refusal(p)
			if got := fmt.Sprintf("%s %d %s", r.Code, r.Status, r.Message); want != "" && got != want {
				t.Errorf("%s in protocol %d:\n got %s\nwant %s", c.slug, p, got, want)
			}
		}
	}
}

func refusedFor(t *testing.T, slug, name string) *Error {
	t.Helper()
	if name == "" {
		return New(slug, "")
	}
	for _, c := range refusedRequests() {
		var e *Error
		if c.slug == slug && c.name == name && errors.As(c.run(t), &e) {
			return e
		}
	}
	t.Fatalf("no case %s: %s", slug, name)
	return nil
}

func TestS3TellsMore(t *testing.T) {
	for _, c := range []struct {
		slug, name string
		want       []string
	}{
		{"signature-mismatch", "another method", []string{"AWSAccessKeyId", "StringToSign", "SignatureProvided", "StringToSignBytes", "CanonicalRequest", "CanonicalRequestBytes"}},
		{"signature-not-yet", "early", []string{"RequestTime", "ServerTime", "MaxAllowedSkewMilliseconds"}},
		{"presign-expired", "URL after its time", []string{"X-Amz-Expires", "Expires", "ServerTime"}},
		{"headers-not-signed", "unsigned metadata", []string{"HeadersNotSigned"}},
		{"scope-region", "another region", []string{"Region"}},
		{"payload-mismatch", "another body", []string{"ClientComputedContentSHA256", "S3ComputedContentSHA256"}},
	} {
		e := refusedFor(t, c.slug, c.name)
		var got []string
		for _, f := range e.Refusal(S3).Fields {
			got = append(got, f[0])
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.slug, d)
		}
		if len(e.Refusal(Query).Fields) > 0 {
			t.Errorf("%s: fields in another protocol", c.slug)
		}
	}
}

func TestSessionTokensAreNotEchoed(t *testing.T) {
	q := request{method: "GET", service: "s3", path: "/k", token: "PLANTED-TOKEN"}
	_, _, err := receive(bytes.Replace(q.wire(t), []byte("GET"), []byte("PUT"), 1), signedAt)
	var e *Error
	if !errors.As(err, &e) || e.Slug != "signature-mismatch" {
		t.Fatalf("got %v", err)
	}
	got := fmt.Sprintf("%+v %s", *e.Refusal(S3), err)
	if !strings.Contains(got, "StringToSign") || strings.Contains(got, q.token) || strings.Contains(got, testSecret) {
		t.Errorf("the refusal lacks the string to sign or holds a secret: %s", got)
	}
}

func TestClockWindow(t *testing.T) {
	header := request{method: "GET", service: "sts", path: "/"}
	link := request{method: "GET", service: "s3", path: "/k", presign: true} // for 60 s
	stsLink := request{method: "GET", service: "sts", path: "/", presign: true}
	for _, c := range []struct {
		q     request
		later time.Duration
		slug  string
	}{
		{header, 15 * time.Minute, ""}, {header, 15*time.Minute + 1, "signature-expired"},
		{header, -15 * time.Minute, ""}, {header, -15*time.Minute - 1, "signature-not-yet"},
		{link, time.Minute, ""}, {link, time.Minute + 1, "presign-expired"},
		{link, -15 * time.Minute, ""}, {link, -15*time.Minute - 1, "signature-not-yet"},
		{stsLink, 15 * time.Minute, ""}, {stsLink, 15*time.Minute + 1, "signature-expired"},
	} {
		_, _, err := receive(c.q.wire(t), signedAt.Add(c.later))
		if got := slugOf(err); got != c.slug {
			t.Errorf("%v after %v: %q, want %q", c.q, c.later, got, c.slug)
		}
	}
}

func TestChecksums(t *testing.T) {
	// The check values of each algorithm: of the digits 1 to 9.
	for algorithm, want := range map[string]string{
		"crc32": "y/Q5Jg==", "CRC32C": "4waSgw==", "crc64nvme": "rosUhgp5mIg=",
		"sha1": "98O8HYCOBHMq32eZZczDTKeuNEE=", "sha256": "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
		"md5": "JfnnlDI7RTiF9RgfG2JNCw==",
	} {
		got, err := Checksum(algorithm, []byte("123456789"))
		if err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", algorithm, got, err, want)
		}
	}
	if _, err := Checksum("xxhash64", nil); err == nil {
		t.Error("an unknown algorithm was computed")
	}
}
