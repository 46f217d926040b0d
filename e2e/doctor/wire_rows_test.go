package doctor

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func wireRefusals() []refusal {
	return append(signingRefusals(), bodyRefusals()...)
}

// identity is the call that needs nothing, at the host that AWS has for it.
func identity() wire {
	return wire{method: "POST", target: "/", service: "sts", host: "sts.us-east-1.amazonaws.com", body: "Action=GetCallerIdentity&Version=2011-06-15",
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}
}

// signingRefusals: what stands in the headers or the query of a signature.
func signingRefusals() []refusal {
	const algorithm = "AWS4-HMAC-SHA256"
	list := wire{method: "GET", target: "/", service: "s3"}
	link := wire{method: "GET", target: "/", service: "s3", link: true}
	elsewhere := identity()
	elsewhere.host = "sts.eu-west-1.amazonaws.com"
	other := identity()
	other.service = "iam"
	malformed := identity()
	malformed.body = "Action=%zz"
	return []refusal{
		altered("algorithm-unsupported", identity(), authorization(algorithm, "AWS4-HMAC-SHA512")),
		altered("signature-v4a", list, authorization(algorithm, "AWS4-ECDSA-P256-SHA256")),
		altered("authentication-twice", list, func(r *http.Request) { r.URL.RawQuery = "X-Amz-Algorithm=" + algorithm }),
		altered("authorization-malformed", identity(), authorization("SignedHeaders=", "Other=x, SignedHeaders=")),
		altered("authorization-incomplete", identity(), func(r *http.Request) {
			head, _, _ := strings.Cut(r.Header.Get("Authorization"), ", Signature=")
			r.Header.Set("Authorization", head)
		}),
		altered("credential-malformed", identity(), authorization("/sts/aws4_request", "/sts")),
		altered("signed-headers-malformed", identity(), authorization(";host", ";Host")),
		altered("signed-header-absent", link, query("SignedHeaders=host", "SignedHeaders=host%3Brange")),
		altered("host-not-signed", link, query("SignedHeaders=host", "SignedHeaders=range")),
		altered("headers-not-signed", list, header("X-Amz-Meta-A", "b")),
		altered("date-missing", identity(), header("X-Amz-Date", "")),
		altered("date-malformed", identity(), header("X-Amz-Date", "2026-03-04T05:06:07Z")),
		altered("scope-terminator", identity(), authorization("aws4_request", "aws5_request")),
		altered("scope-date", identity(), func(r *http.Request) {
			now, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
			if err == nil {
				authorization(now.Format("/20060102/"), now.AddDate(0, 0, 1).Format("/20060102/"))(r)
			}
		}),
		written("scope-service", other, identity()),
		written("scope-region", elsewhere, identity()),
		written("query-malformed", malformed, identity()),
		altered("presign-incomplete", link, query("X-Amz-Expires", "Expires")),
		altered("presign-expires", link, query("X-Amz-Expires=60", "X-Amz-Expires=604801")),
		{slug: "presign-expired",
			call: func(c *caller) error {
				return c.send(link, func(*http.Request) { c.box.World.Advance(61 * time.Second) })
			},
			instead: func(c *caller) error { return c.send(link, nil) }},
		altered("payload-hash-missing", list, header("X-Amz-Content-Sha256", "")),
	}
}

// bodyRefusals: the body is not what the headers say of it.
func bodyRefusals() []refusal {
	const text = "data"
	with := func(w wire, pairs ...string) wire {
		w.header = maps.Clone(w.header)
		if w.header == nil {
			w.header = map[string]string{}
		}
		for i := 0; i < len(pairs); i += 2 {
			w.header[pairs[i]] = pairs[i+1]
			if pairs[i+1] == "" {
				delete(w.header, pairs[i])
			}
		}
		return w
	}
	put := wire{method: "PUT", target: "/reports/q3", service: "s3", body: text}
	hashed := func(hash string) wire { w := put; w.hash = hash; return w }
	// chunked is in chunks that are not signed, with a checksum behind them, as
	// SDKs send it.
	chunked := with(put, "Content-Encoding", "aws-chunked", "X-Amz-Decoded-Content-Length", "4", "X-Amz-Trailer", "x-amz-checksum-crc32")
	chunked.hash = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	chunked.body = "4\r\ndata\r\n0\r\nx-amz-checksum-crc32:" + crc(text) + "\r\n\r\n"
	body := func(old, text string) wire { w := chunked; w.body = strings.Replace(w.body, old, text, 1); return w }
	two := func(first, second int) wire {
		w, letters := with(chunked, "X-Amz-Decoded-Content-Length", "8193"), strings.Repeat("a", 8193)
		w.body = fmt.Sprintf("%x\r\n%s\r\n%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n", first, letters[:first], second, letters[:second], crc(letters))
		return w
	}
	signed := with(chunked, "X-Amz-Trailer", "")
	signed.hash, signed.chunks, signed.body = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", []string{text}, ""
	trailing := with(chunked)
	trailing.hash, trailing.chunks, trailing.body, trailing.trailer = signed.hash+"-TRAILER", []string{text}, "", "x-amz-checksum-crc32:"+crc(text)
	mangled := func(from, to string) func(*http.Request) {
		return func(r *http.Request) {
			if text, err := io.ReadAll(r.Body); err == nil {
				setBody(r, strings.Replace(string(text), from, to, 1))
			}
		}
	}
	lasts := with(chunked, "X-Amz-Trailer", "x-amz-meta-a")
	lasts.body = strings.Replace(chunked.body, "x-amz-checksum-crc32", "x-amz-meta-a", 1)
	xxhash := with(chunked, "X-Amz-Trailer", "x-amz-checksum-xxhash64")
	xxhash.body = strings.Replace(chunked.body, "x-amz-checksum-crc32", "x-amz-checksum-xxhash64", 1)
	plain := with(chunked)
	plain.hash = ""
	json := wire{method: "POST", target: "/", service: "kms", body: "{}", header: map[string]string{"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.ListKeys"}}
	half := json
	half.body = "{"
	return after(func(c *caller) {
		c.must(s3.NewFromConfig(c.admin, func(o *s3.Options) { o.UsePathStyle = true }).CreateBucket(c.Context(), &s3.CreateBucketInput{Bucket: aws.String("reports")}))
	}, []refusal{
		written("body-malformed", half, json),
		written("payload-hash-invalid", hashed(strings.Repeat("E", 64)), put),
		altered("payload-mismatch", put, mangled("data", "DATA")),
		{slug: "body-too-large", call: func(c *caller) error {
			return c.send(put, func(r *http.Request) {
				const size = 64<<20 + 1
				r.Body, r.ContentLength = io.NopCloser(io.LimitReader(zeros{}, size)), size
				r.Header.Set("Expect", "100-continue") // as SDKs do: it is refused before it is sent
			})
		}, instead: func(c *caller) error { return c.send(put, nil) }},
		altered("body-incomplete", chunked, mangled("4\r\nd", "ff\r\n")),
		written("chunks-not-declared", plain, chunked),
		written("decoded-length-missing", with(chunked, "X-Amz-Decoded-Content-Length", ""), chunked),
		written("chunk-malformed", body("4\r\n", "four\r\n"), chunked),
		written("chunk-size", two(1, 8192), two(8192, 1)),
		altered("chunk-signature", signed, mangled("data", "DATA")),
		altered("trailer-signature", trailing, mangled("trailer-signature:", "trailer-signature:0")),
		written("trailer-malformed", body("x-amz-checksum-crc32:", "x-amz-checksum-sha1:"), chunked),
		written("checksum-unsupported", lasts, chunked),
		written("checksum-not-built", xxhash, chunked),
		written("checksum-invalid", with(put, "X-Amz-Checksum-Crc32", "?"), with(put, "X-Amz-Checksum-Crc32", crc(text))),
		altered("checksum-mismatch", chunked, mangled("data", "DATA")),
	})
}

// crc is a CRC32 as S3 has it in headers and trailers.
func crc(of string) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(of))))
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
