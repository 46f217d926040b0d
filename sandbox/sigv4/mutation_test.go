package sigv4

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// signedBytes are the offsets of the bytes of a request that its signature
// covers: method and target, signed headers, Authorization, and a body that is
// not declared unsigned.
func signedBytes(t *testing.T, wire []byte) []int {
	t.Helper()
	head, body, ok := bytes.Cut(wire, []byte("\r\n\r\n"))
	if !ok {
		t.Fatalf("no end of headers in %q", wire)
	}
	s, _, err := receive(wire, signedAt)
	if err != nil {
		t.Fatal(err)
	}
	var all []int
	add := func(from, n int) {
		for i := range n {
			all = append(all, from+i)
		}
	}
	at := 0
	for i, line := range strings.Split(string(head), "\r\n") {
		name, value, _ := strings.Cut(line, ": ")
		switch {
		case i == 0:
			add(at, len(strings.TrimSuffix(line, " HTTP/1.1")))
		case slices.Contains(s.SignedHeaders, strings.ToLower(name)):
			add(at+len(name)+2, len(value))
		case name == "Authorization":
			add(at+len(name)+2, len(value))
		}
		at += len(line) + 2
	}
	if p, err := s.readPayload(body); err == nil && p.hash != unsignedPayload {
		add(at+2, len(body))
	}
	return all
}

func TestEverySignedByteCounts(t *testing.T) {
	requests := []request{
		{method: "GET", service: "s3", path: "/a%2Fb%20c//d/../e", query: "x=%2Fy&k", header: http.Header{"Range": {"bytes=0-1"}, "X-Amz-Meta-A": {"two  spaces"}}},
		{method: "GET", service: "s3", path: "/a%2Fb", query: "x=%2Fy", token: "to/ke+n==", presign: true},
		{method: "PUT", service: "s3", path: "/k", body: "the body", token: "token"},
		{method: "POST", service: "sts", path: "/a%2Fb/", query: "q=1", body: "Action=GetCallerIdentity", token: "token", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}},
		{method: "GET", service: "sts", path: "/", query: "Action=GetCallerIdentity", presign: true},
	}
	for _, q := range requests {
		wire := q.wire(t)
		offsets := signedBytes(t, wire)
		if len(offsets) < 100 {
			t.Fatalf("%v: only %d signed bytes in %q", q, len(offsets), wire)
		}
		for _, i := range offsets {
			for _, flip := range []byte{0x01, 0x02, 0x20, 0x80} {
				changed := slices.Clone(wire)
				changed[i] ^= flip
				if _, _, err := receive(changed, signedAt); err == nil {
					t.Errorf("%v: accepted with byte %d changed from %q to %q: %q", q, i, wire[i], changed[i], changed)
				}
			}
		}
	}
}

func TestAddedHeadersAndParametersAreRefused(t *testing.T) {
	header := request{method: "GET", service: "s3", path: "/k", query: "a=1"}.wire(t)
	presigned := request{method: "GET", service: "s3", path: "/k", query: "a=1", presign: true}.wire(t)
	for _, c := range []struct {
		name, from, to, slug string
		wire                 []byte
	}{
		{"x-amz header", "\r\n\r\n", "\r\nX-Amz-Acl: public-read\r\n\r\n", "headers-not-signed", header},
		{"x-amz header with URL", "\r\n\r\n", "\r\nX-Amz-Acl: public-read\r\n\r\n", "headers-not-signed", presigned},
		{"query parameter", "?a=1", "?a=1&b=2", "signature-mismatch", header},
		{"query parameter of URL", "?", "?b=2&", "signature-mismatch", presigned},
		{"second date", "X-Amz-Date", "X-Amz-Date: 20260304T050607Z\r\nX-Amz-Date", "authorization-malformed", header},
		{"second Authorization", "Authorization", "Authorization: x\r\nAuthorization", "authentication-twice", header},
		{"Authorization beside the URL", "\r\n\r\n", "\r\nAuthorization: x\r\n\r\n", "authentication-twice", presigned},
		{"second value of a signed header", "Host: s3", "X-Amz-Content-Sha256: a\r\nHost: s3", "authorization-malformed", header},
		{"second parameter of the signature", "?", "?X-Amz-Expires=604800&", "authorization-malformed", presigned},
	} {
		changed := bytes.Replace(c.wire, []byte(c.from), []byte(c.to), 1)
		_, _, err := receive(changed, signedAt.Add(time.Second))
		if got := slugOf(err); got != c.slug {
			t.Errorf("%s: refused for %q, want %q: %v", c.name, got, c.slug, err)
		}
	}
}

func slugOf(err error) string {
	if e, ok := err.(*Error); ok {
		return e.Slug
	}
	return ""
}
