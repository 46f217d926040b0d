package doctor

import (
	"crypto/md5"
	"encoding/base64"
	"maps"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// bucketPolicy allows a principal everything in a bucket.
func bucketPolicy(bucket, principal string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + principal + `,"Action":"s3:*","Resource":["arn:aws:s3:::` + bucket + `","arn:aws:s3:::` + bucket + `/*"]}]}`
}

// storageRefusals: what S3 refuses beyond signatures and policies. There is a
// bucket reports with the object q3, and one of the other account, foreign, where
// this account may do everything.
func storageRefusals() []refusal {
	at := func(method, target, body string, header ...string) wire {
		w := wire{method: method, target: target, service: "s3", body: body, header: map[string]string{}}
		for i := 0; i < len(header); i += 2 {
			w.header[header[i]] = header[i+1]
		}
		return w
	}
	get, put, archive := at("GET", "/reports/q3", ""), at("PUT", "/reports/q4", "data"), at("PUT", "/archive", "")
	with := func(w wire, name, value string) wire {
		w.header = maps.Clone(w.header)
		w.header[name] = value
		return w
	}
	const where = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"
	ours := bucketPolicy("reports", `{"AWS":"`+account+`"}`)
	sum := md5.Sum([]byte("data"))
	digested := with(put, "Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	digested.hash = "UNSIGNED-PAYLOAD"
	linked := at("GET", "/reports/q3?response-content-type=text%2Fplain", "")
	linked.link = true
	abroad := func(c *caller) *s3.Client {
		there := c.admin
		there.Region = "eu-west-1"
		return s3.NewFromConfig(there, func(o *s3.Options) { o.UsePathStyle = true })
	}
	mended := func(slug string, w, mend wire) refusal {
		return refusal{slug: slug, call: sends(w), mend: func(c *caller) { c.must(nil, c.send(mend, nil)) }}
	}
	return after(func(c *caller) {
		c.must(nil, c.send(at("PUT", "/reports", ""), nil))
		c.must(nil, c.send(at("PUT", "/reports/q3", "data"), nil))
		c.must(nil, c.as(c.away).send(at("PUT", "/foreign", ""), nil))
		c.must(nil, c.as(c.away).send(at("PUT", "/foreign?policy", bucketPolicy("foreign", `{"AWS":"`+account+`"}`)), nil))
	}, []refusal{
		written("s3-bucket-name", at("PUT", "/No_Name", ""), archive),
		written("s3-bucket-exists", at("PUT", "/foreign", ""), archive),
		{slug: "s3-bucket-owned", call: func(c *caller) error {
			in := &s3.CreateBucketInput{Bucket: aws.String("abroad"), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}}
			c.must(abroad(c).CreateBucket(c.Context(), in))
			return only(abroad(c).CreateBucket(c.Context(), in))
		}, instead: func(c *caller) error {
			return only(abroad(c).PutObject(c.Context(), &s3.PutObjectInput{Bucket: aws.String("abroad"), Key: aws.String("q3"), Body: strings.NewReader("x")}))
		}},
		mended("s3-bucket-not-empty", at("DELETE", "/reports", ""), at("DELETE", "/reports/q3", "")),
		written("s3-location", at("PUT", "/archive", where), archive),
		written("s3-other-owner", with(get, "X-Amz-Expected-Bucket-Owner", elsewhere), with(get, "X-Amz-Expected-Bucket-Owner", account)),
		mended("s3-no-bucket-policy", at("GET", "/reports?policy", ""), at("PUT", "/reports?policy", ours)),
		written("s3-policy-malformed", at("PUT", "/reports?policy", strings.Replace(ours, ":::reports", ":::other", 1)), at("PUT", "/reports?policy", ours)),
		{slug: "s3-policy-other-account", call: sends(at("GET", "/foreign?policy", "")),
			instead: func(c *caller) error { return c.as(c.away).send(at("GET", "/foreign?policy", ""), nil) }},
		written("s3-xml-malformed", at("PUT", "/archive", "<CreateBucketConfiguration>"), at("PUT", "/archive", "<CreateBucketConfiguration/>")),
		written("s3-key-name", at("GET", "/reports/"+strings.Repeat("k", 1025), ""), get),
		written("s3-argument", at("GET", "/reports?list-type=2&max-keys=many", ""), at("GET", "/reports?list-type=2&max-keys=10", "")),
		written("s3-header-not-built", with(put, "X-Amz-Storage-Class", "GLACIER"), put),
		{slug: "s3-acl", call: sends(with(put, "X-Amz-Acl", "public-read")), instead: sends(put),
			mend: func(c *caller) {
				c.must(nil, c.send(at("PUT", "/reports?policy", bucketPolicy("reports", `"*"`)), nil))
			}},
		altered("s3-content-md5", digested, func(r *http.Request) { setBody(r, "DATA") }),
		written("s3-checksums", with(put, "X-Amz-Sdk-Checksum-Algorithm", "CRC32"), with(with(put, "X-Amz-Sdk-Checksum-Algorithm", "CRC32"), "X-Amz-Checksum-Crc32", crc("data"))),
		written("s3-metadata-too-large", with(put, "X-Amz-Meta-A", strings.Repeat("x", 2048)), at("PUT", "/reports/q4", strings.Repeat("x", 2048))),
		written("s3-range", with(get, "Range", "bytes=4-"), with(get, "Range", "bytes=0-")),
		written("s3-precondition", with(get, "If-Match", `"other"`), get),
		{slug: "s3-response-headers", call: func(c *caller) error {
			c.must(nil, c.send(at("PUT", "/reports?policy", bucketPolicy("reports", `"*"`)), nil))
			w := linked
			w.link = false
			return c.send(w, func(r *http.Request) { r.Header = http.Header{} })
		}, instead: sends(linked)},
	})
}
