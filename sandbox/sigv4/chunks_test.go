package sigv4

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// The examples of AWS's pages "Signature calculations: transferring payload in
// multiple chunks" and "… including trailing headers" (Amazon S3 API
// Reference, sigv4-streaming and sigv4-streaming-trailers): 66560 letters a in
// chunks of 65536 and 1024 bytes.
var documentedAt = time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)

func documented(trailer bool) (r *http.Request, body []byte) {
	kind, signed, signature := streamingSigned, "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class", "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
	chunkSignatures := []string{
		"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
		"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
		"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
	}
	length, end := "66824", "\r\n"
	if trailer {
		kind, signed, signature = streamingSignedTrailer, "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer", "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
		chunkSignatures = []string{
			"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
			"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
			"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
		}
		length, end = "", "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
	}
	r = &http.Request{Method: http.MethodPut, Host: "s3.amazonaws.com", RequestURI: "/examplebucket/chunkObject.txt", Header: http.Header{}}
	for name, value := range map[string]string{
		"Authorization":    HMAC + " Credential=" + testKey + "/20130524/us-east-1/s3/aws4_request,SignedHeaders=" + signed + ",Signature=" + signature,
		"Content-Encoding": "aws-chunked", "Content-Length": length, "X-Amz-Content-Sha256": kind, "X-Amz-Date": "20130524T000000Z",
		"X-Amz-Decoded-Content-Length": "66560", "X-Amz-Storage-Class": "REDUCED_REDUNDANCY",
	} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	if trailer {
		r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32c")
	}
	var b bytes.Buffer
	for i, size := range []int{65536, 1024, 0} {
		fmt.Fprintf(&b, "%x;chunk-signature=%s\r\n%s", size, chunkSignatures[i], strings.Repeat("a", size))
		if size > 0 {
			b.WriteString("\r\n")
		}
	}
	b.WriteString(end)
	return r, b.Bytes()
}

func verifyDocumented(r *http.Request, body []byte) ([]byte, error) {
	s, err := Parse(r)
	if err != nil {
		return nil, err
	}
	return s.Verify(testSecret, documentedAt, body)
}

func TestSignedChunksOfTheDocumentation(t *testing.T) {
	for _, trailer := range []bool{false, true} {
		r, body := documented(trailer)
		got, err := verifyDocumented(r, body)
		if err != nil {
			t.Errorf("trailer %t: %v", trailer, err)
		}
		if string(got) != strings.Repeat("a", 66560) {
			t.Errorf("trailer %t: decoded %d bytes", trailer, len(got))
		}
		if sum := r.Trailer.Get("X-Amz-Checksum-Crc32c"); trailer && sum != "sOO8/Q==" {
			t.Errorf("trailing checksum %q", sum)
		}
	}
}

func TestEveryByteOfAChunkedBodyCounts(t *testing.T) {
	for _, trailer := range []bool{false, true} {
		_, body := documented(trailer)
		for i := range body {
			if i > 300 && i < 65500 || i > 65900 && i < 66500 {
				continue // more of the same letters
			}
			for _, flip := range []byte{0x01, 0x20, 0x80} {
				r, _ := documented(trailer)
				changed := slices.Clone(body)
				changed[i] ^= flip
				if _, err := verifyDocumented(r, changed); err == nil && !sameTrailer(body, changed) {
					t.Errorf("trailer %t: accepted with byte %d changed from %q to %q", trailer, i, body[i], changed[i])
				}
			}
		}
	}
}

// sameTrailer reports whether two bodies differ in nothing that has a meaning:
// the case of a trailer's name.
func sameTrailer(a, b []byte) bool {
	for i := range a {
		if a[i] != b[i] {
			from := bytes.LastIndexByte(a[:i], '\n') + 1
			name, _, _ := bytes.Cut(a[from:], []byte(":"))
			return bytes.EqualFold(a, b) && bytes.HasPrefix(name, []byte("x-amz-")) && i < from+len(name)
		}
	}
	return true
}

// unsigned is a body in unsigned chunks with a trailer, and its request.
func unsigned(sizes []int, trailer string) (*http.Request, []byte) {
	var b bytes.Buffer
	total := 0
	for _, size := range sizes {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", size, strings.Repeat("a", size))
		total += size
	}
	b.WriteString("0\r\n" + trailer + "\r\n")
	return &http.Request{Method: http.MethodPut, Header: http.Header{
		"X-Amz-Content-Sha256": {streamingUnsignedTrailer}, "X-Amz-Trailer": {"x-amz-checksum-crc32"},
		"X-Amz-Decoded-Content-Length": {fmt.Sprint(total)}, "Content-Encoding": {"aws-chunked"},
	}}, b.Bytes()
}

func TestUnsignedChunks(t *testing.T) {
	sum := func(algorithm string, n int) string {
		v, err := Checksum(algorithm, []byte(strings.Repeat("a", n)))
		if err != nil {
			t.Fatal(err)
		}
		return "x-amz-checksum-" + algorithm + ":" + v + "\r\n"
	}
	for _, c := range []struct {
		name    string
		sizes   []int
		trailer string
		header  http.Header // set over the usual ones; nil values delete
		slug    string
	}{
		{name: "one chunk", sizes: []int{5}, trailer: sum("crc32", 5)},
		{name: "nothing", trailer: sum("crc32", 0)},
		{name: "a short last chunk", sizes: []int{8192, 9000, 1}, trailer: sum("crc32", 17193)},
		{name: "a short chunk before the last", sizes: []int{8191, 1}, trailer: sum("crc32", 8192), slug: "chunk-size"},
		{name: "another sum", sizes: []int{5}, trailer: sum("crc32", 6), slug: "checksum-mismatch"},
		{name: "no sum", sizes: []int{5}, trailer: "x-amz-checksum-crc32:?\r\n", slug: "checksum-invalid"},
		{name: "no trailer", sizes: []int{5}, slug: "trailer-malformed"},
		{name: "another trailer", sizes: []int{5}, trailer: sum("sha256", 5), slug: "trailer-malformed"},
		{name: "one trailer too many", sizes: []int{5}, trailer: sum("crc32", 5) + sum("sha256", 5), slug: "trailer-malformed"},
		{name: "a trailer twice", sizes: []int{5}, trailer: sum("crc32", 5) + sum("crc32", 5), slug: "trailer-malformed"},
		{name: "two trailers", sizes: []int{5}, trailer: sum("crc32", 5) + sum("sha256", 5), header: http.Header{"X-Amz-Trailer": {"x-amz-checksum-sha256, X-Amz-Checksum-CRC32"}}},
		{name: "no announcement", sizes: []int{5}, header: http.Header{"X-Amz-Trailer": nil}, slug: "trailer-malformed"},
		{name: "a trailer that is no checksum", sizes: []int{5}, trailer: "x-amz-meta-a:b\r\n", header: http.Header{"X-Amz-Trailer": {"x-amz-meta-a"}}, slug: "checksum-unsupported"},
		{name: "bytes behind the end", sizes: []int{5}, trailer: sum("crc32", 5) + "\r\nmore", slug: "trailer-malformed"},
		{name: "no length", sizes: []int{5}, trailer: sum("crc32", 5), header: http.Header{"X-Amz-Decoded-Content-Length": nil}, slug: "decoded-length-missing"},
		{name: "another length", sizes: []int{5}, trailer: sum("crc32", 5), header: http.Header{"X-Amz-Decoded-Content-Length": {"6"}}, slug: "body-incomplete"},
		{name: "not declared", sizes: []int{5}, trailer: sum("crc32", 5), header: http.Header{"X-Amz-Content-Sha256": {unsignedPayload}}, slug: "chunks-not-declared"},
		{name: "declared as signed", sizes: []int{5}, trailer: sum("crc32", 5), header: http.Header{"X-Amz-Content-Sha256": {streamingSignedTrailer}}, slug: "chunk-signature"},
	} {
		r, body := unsigned(c.sizes, c.trailer)
		for name, values := range c.header {
			r.Header[name] = values
		}
		got, err := DecodeUnsigned(r, body)
		if slugOf(err) != c.slug {
			t.Errorf("%s: refused for %q, want %q: %v", c.name, slugOf(err), c.slug, err)
		}
		total := 0
		for _, n := range c.sizes {
			total += n
		}
		if c.slug == "" && len(got) != total {
			t.Errorf("%s: decoded %d bytes of %d", c.name, len(got), total)
		}
	}
}

func TestMalformedChunksAreRefused(t *testing.T) {
	for _, body := range []string{
		"", "5", "5\r\n", "5\r\naaaa", "5\r\naaaaa", "5\r\naaaaa\r\n", "x\r\n", "\r\n", "-1\r\n", "+5\r\naaaaa\r\n0\r\n\r\n", "ffffffffffffffff\r\n",
		"5\r\naaaaaa\r\n0\r\n\r\n", "5;chunk-signature=x\r\naaaaa\r\n0\r\n\r\n", "5;x\r\naaaaa\r\n0\r\n\r\n", "5\naaaaa\n0\n\n", "0\r\n", "0\r\nno colon\r\n\r\n",
		strings.Repeat("0", 2000) + "\r\n",
	} {
		r, _ := unsigned([]int{5}, "")
		if got, err := DecodeUnsigned(r, []byte(body)); slugOf(err) == "" {
			t.Errorf("%.40q decoded to %q, %v", body, got, err)
		}
	}
}
