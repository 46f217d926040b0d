package sigv4

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzAuthorization lets the SDK sign what can be sent at all: that must be
// accepted, and refused once a byte of what was signed is changed. The same
// input, taken as an Authorization header, must never panic.
func FuzzAuthorization(f *testing.F) {
	for i, q := range matrix() {
		if i%25 == 0 {
			f.Add(q.method, q.path, q.query, q.header.Get("Content-Type"), q.body, q.service == "s3", q.presign, uint16(i), byte(1))
		}
	}
	for _, c := range refusedRequests() {
		f.Add("GET", "/", c.from, c.to, HMAC+" Credential="+testKey+"/20260304/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0", false, false, uint16(0), byte(1))
	}
	f.Fuzz(func(t *testing.T, method, path, query, header, body string, s3, presign bool, at uint16, flip byte) {
		parseAnything(t, path, query, header, body)
		q := request{method: method, service: "sts", path: path, query: query, body: body, presign: presign, header: http.Header{"X-Amz-Meta-A": {header}}}
		if s3 {
			q.service = "s3"
		}
		if !sendable(q) || flip == 0 {
			return
		}
		wire := q.wire(t)
		if _, _, err := receive(wire, signedAt); err != nil {
			t.Fatalf("%v: %v\n%q", q, err, wire)
		}
		offsets := signedBytes(t, wire)
		changed := slices.Clone(wire)
		changed[offsets[int(at)%len(offsets)]] ^= flip
		if _, _, err := receive(changed, signedAt); err == nil {
			t.Fatalf("%v: accepted as %q, sent as %q", q, changed, wire)
		}
	})
}

// parseAnything calls all that reads what a stranger sends.
func parseAnything(t *testing.T, path, query, header, body string) {
	t.Helper()
	r := &http.Request{Method: "GET", Host: "h", RequestURI: path + "?" + query, Header: http.Header{"Authorization": {body}, "X-Amz-Date": {header}}}
	s, err := Parse(r)
	if err == nil {
		_, err = s.Verify(testSecret, signedAt, []byte(body))
	}
	if err == nil {
		t.Fatalf("%q is accepted as a signature", body)
	}
	r.Header.Del("Authorization")
	if s, err := Parse(r); err == nil {
		_, _ = s.Verify(testSecret, signedAt, []byte(body))
	}
	if a, err := ParseAuthorization(header); err == nil {
		_, _ = Canonical(r, a.SignedHeaders, "", false)
	}
	for p := range S3 + 1 {
		if r := err.(*Error).Refusal(p); r.Code == "" || !utf8.ValidString(r.Detail) || len(r.Detail) > 1000 {
			t.Fatalf("refusal %+v", r)
		}
	}
}

// sendable reports whether net/http sends the request as it stands and the
// signer signs what AWS documents: it does not normalise paths, and takes no
// query that Go does not read.
func sendable(q request) bool {
	u, err := url.Parse("https://host" + q.path)
	if err != nil || !strings.HasPrefix(q.path, "/") || strings.ContainsAny(q.path, "?#") || u.EscapedPath() != q.path || u.Host != "host" {
		return false
	}
	if q.service != "s3" && (strings.Contains(q.path, "//") || strings.Contains(q.path, "/.")) {
		return false
	}
	values, err := url.ParseQuery(q.query)
	if err != nil || strings.Contains(q.query, "#") || q.service != "s3" && q.presign && q.body != "" {
		return false
	}
	for name := range values {
		if strings.HasPrefix(strings.ToLower(name), "x-amz-") || name == "AWSAccessKeyId" || name == "" {
			return false
		}
	}
	for _, c := range []byte(q.header.Get("X-Amz-Meta-A")) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	if _, err := url.Parse("https://host/?" + q.query); err != nil {
		return false
	}
	probe, err := http.NewRequest(q.method, "https://host/", strings.NewReader(q.body))
	if err != nil || q.method == "CONNECT" {
		return false
	}
	var b bytes.Buffer
	if probe.Write(&b) != nil {
		return false
	}
	_, err = http.ReadRequest(bufio.NewReader(&b))
	return err == nil
}

// FuzzChunks feeds the decoder bodies of all four kinds. What it takes of
// unsigned chunks must be as long as announced; of signed chunks it takes
// nothing that was not signed.
func FuzzChunks(f *testing.F) {
	for _, trailer := range []bool{false, true} {
		_, body := small(trailer)
		f.Add(body, uint16(len(body)), "x-amz-checksum-crc32", trailer)
	}
	r, body := unsigned([]int{5}, "x-amz-checksum-crc32:AAAAAA==\r\n")
	f.Add(body, uint16(5), r.Header.Get("X-Amz-Trailer"), true)
	f.Add([]byte("5\r\naaaaa\r\n0\r\n\r\n"), uint16(5), "", false)
	f.Fuzz(func(t *testing.T, body []byte, length uint16, names string, trailer bool) {
		c, _ := small(trailer)
		c.rest = body
		if got, err := c.decode(); err == nil && string(got) != signedData {
			t.Fatalf("took %q, which nobody signed", got)
		}
		r := &http.Request{Header: http.Header{
			"X-Amz-Content-Sha256": {streamingUnsignedTrailer}, "X-Amz-Trailer": {names}, "X-Amz-Decoded-Content-Length": {fmt.Sprint(length)},
		}}
		got, err := DecodeUnsigned(r, body)
		if err == nil && len(got) != int(length) {
			t.Fatalf("took %d bytes, announced were %d", len(got), length)
		}
		if err != nil && got != nil {
			t.Fatalf("returned %d bytes with %v", len(got), err)
		}
	})
}

const signedData = "some data"

// small is a body of one signed chunk, and the decoder for it.
func small(trailer bool) (*chunks, []byte) {
	const data, seed = signedData, "00"
	key := []byte("a key")
	s := &Signed{Authorization: Authorization{Date: "20260304", Region: "us-east-1", Service: "s3", Signature: seed}, Time: signedAt}
	r := &http.Request{Header: http.Header{"X-Amz-Decoded-Content-Length": {fmt.Sprint(len(data))}}}
	c := &chunks{r: r, trailing: trailer, key: key, signed: s, previous: seed}
	var b bytes.Buffer
	for _, part := range []string{data, ""} {
		c.previous = sign(key, c.head("AWS4-HMAC-SHA256-PAYLOAD")+emptyHash+"\n"+hexHash([]byte(part)))
		fmt.Fprintf(&b, "%x;chunk-signature=%s\r\n%s", len(part), c.previous, part)
		if part != "" {
			b.WriteString("\r\n")
		}
	}
	if trailer {
		r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
		sum, _ := Checksum("crc32", []byte(data))
		fmt.Fprintf(&b, "x-amz-checksum-crc32:%s\r\nx-amz-trailer-signature:%s\r\n", sum,
			sign(key, c.head("AWS4-HMAC-SHA256-TRAILER")+hexHash([]byte("x-amz-checksum-crc32:"+sum+"\n"))))
	}
	b.WriteString("\r\n")
	c.previous, c.rest = seed, b.Bytes()
	return c, b.Bytes()
}

func TestASmallSignedBodyIsTaken(t *testing.T) {
	for _, trailer := range []bool{false, true} {
		c, _ := small(trailer)
		if got, err := c.decode(); err != nil || string(got) != signedData {
			t.Errorf("trailer %t: %q, %v", trailer, got, err)
		}
	}
}
