package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"

	"daypass.dev/sandbox/sandboxtest"
)

// A style is a way in which clients reach S3.
type style struct {
	name   string
	client func(*sandboxtest.Sandbox) *awss3.Client
}

func styles() []style {
	return []style{
		{"path style over TLS", func(s *sandboxtest.Sandbox) *awss3.Client { return newClient(s.Config()) }},
		{"path style without TLS", func(s *sandboxtest.Sandbox) *awss3.Client {
			cfg := s.Config()
			cfg.BaseEndpoint = aws.String(s.ProxyURL)
			return newClient(cfg)
		}},
		{"virtual-host style over TLS", func(s *sandboxtest.Sandbox) *awss3.Client { return newClient(throughProxy(s)) }},
	}
}

// newClient makes checksums as a client does whose settings come from the
// environment.
func newClient(cfg aws.Config) *awss3.Client {
	cfg.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
	cfg.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenSupported
	return awss3.NewFromConfig(cfg)
}

// throughProxy is for clients that use AWS's own host names.
func throughProxy(s *sandboxtest.Sandbox) aws.Config {
	cfg := s.Config()
	cfg.BaseEndpoint, cfg.HTTPClient = nil, s.ProxyClient()
	return cfg
}

// said is what an error of a call says: its code and status.
func said(err error) string {
	var api smithy.APIError
	var response *smithyhttp.ResponseError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &api) && errors.As(err, &response):
		return fmt.Sprintf("%s %d", api.ErrorCode(), response.HTTPStatusCode())
	}
	return err.Error()
}

func read(t *testing.T, client *awss3.Client, bucket, key string) string {
	t.Helper()
	out, err := client.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatalf("reading %s/%s: %v", bucket, key, err)
	}
	b, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatalf("reading %s/%s: %v", bucket, key, err)
	}
	return string(b)
}

func put(t *testing.T, client *awss3.Client, bucket, key, body string) {
	t.Helper()
	if _, err := client.PutObject(t.Context(), &awss3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(body)}); err != nil {
		t.Fatalf("putting %s/%s: %v", bucket, key, err)
	}
}

func TestLifeOfABucket(t *testing.T) {
	for _, style := range styles() {
		t.Run(style.name, func(t *testing.T) {
			s := sandboxtest.Start(t, "")
			client := style.client(s)
			bucket := aws.String("life-of-a-bucket")
			ctx := t.Context()
			must := func(_ any, err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			must(client.CreateBucket(ctx, &awss3.CreateBucketInput{Bucket: bucket}))
			must(client.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: bucket}))
			location, err := client.GetBucketLocation(ctx, &awss3.GetBucketLocationInput{Bucket: bucket})
			must(location, err)
			if location.LocationConstraint != "" {
				t.Errorf("location constraint %q in us-east-1", location.LocationConstraint)
			}
			all, err := client.ListBuckets(ctx, nil)
			must(all, err)
			if len(all.Buckets) != 1 || *all.Buckets[0].Name != *bucket || all.Buckets[0].CreationDate.IsZero() {
				t.Errorf("buckets: %+v", all.Buckets)
			}
			objects(t, client, bucket)
			if _, err := client.DeleteBucket(ctx, &awss3.DeleteBucketInput{Bucket: bucket}); said(err) != "BucketNotEmpty 409" {
				t.Errorf("deleting a full bucket: %v", err)
			}
			for _, key := range keys() {
				must(client.DeleteObject(ctx, &awss3.DeleteObjectInput{Bucket: bucket, Key: &key}))
			}
			must(client.DeleteBucket(ctx, &awss3.DeleteBucketInput{Bucket: bucket}))
			if _, err := client.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: bucket}); said(err) != "NotFound 404" {
				t.Errorf("the deleted bucket: %v", err)
			}
		})
	}
}

// keys are hard ones; the SDK encodes them in the path.
func keys() []string {
	return []string{"plain", "a folder/with space", "a//b/../c/./d", "plus+and%2Fpercent", "ümlaut/€", "(x)'*!:@$,;=&", "trailing/", "/leading"}
}

// objects puts, reads, lists and heads every key.
func objects(t *testing.T, client *awss3.Client, bucket *string) {
	t.Helper()
	ctx := t.Context()
	for i, key := range keys() {
		body := strings.Repeat(key, i*1000)
		out, err := client.PutObject(ctx, &awss3.PutObjectInput{
			Bucket: bucket, Key: &key, Body: strings.NewReader(body), ContentType: aws.String("text/plain"),
			CacheControl: aws.String("no-store"), Metadata: map[string]string{"number": fmt.Sprint(i)},
		})
		if err != nil {
			t.Errorf("putting %q: %v", key, err)
			continue
		}
		if out.ETag == nil || out.ChecksumCRC32 == nil {
			t.Errorf("putting %q: answer has no ETag or CRC32: %+v", key, out)
		}
		if got := read(t, client, *bucket, key); got != body {
			t.Errorf("%q holds %d bytes, want %d", key, len(got), len(body))
		}
		head, err := client.HeadObject(ctx, &awss3.HeadObjectInput{Bucket: bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
		if err != nil {
			t.Fatal(err)
		}
		got := []string{*head.ContentType, *head.CacheControl, head.Metadata["number"], *head.ETag, *head.ChecksumCRC32, aws.ToString(head.ContentEncoding), fmt.Sprint(*head.ContentLength)}
		want := []string{"text/plain", "no-store", fmt.Sprint(i), *out.ETag, *out.ChecksumCRC32, "", fmt.Sprint(len(body))}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("head of %q (-want +got):\n%s", key, d)
		}
	}
	list, err := client.ListObjectsV2(ctx, &awss3.ListObjectsV2Input{Bucket: bucket})
	if err != nil || int(*list.KeyCount) != len(keys()) {
		t.Errorf("listing: %+v, %v", list, err)
	}
}

func TestUnseekableBodiesAreStreamed(t *testing.T) {
	s := sandboxtest.Start(t, "")
	client := newClient(s.Config())
	bucket := aws.String("streams")
	if _, err := client.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	body := bytes.Repeat([]byte("0123456789"), 30000)
	for _, algorithm := range []types.ChecksumAlgorithm{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"} {
		out, err := client.PutObject(t.Context(), &awss3.PutObjectInput{
			Bucket: bucket, Key: aws.String(string(algorithm)), ChecksumAlgorithm: algorithm,
			Body: io.MultiReader(bytes.NewReader(body)), ContentLength: aws.Int64(int64(len(body))),
		})
		if err != nil {
			t.Errorf("%s: %v", algorithm, err)
			continue
		}
		if out.ChecksumType != types.ChecksumTypeFullObject {
			t.Errorf("%s: checksum type %q", algorithm, out.ChecksumType)
		}
		if got := read(t, client, *bucket, string(algorithm)); got != string(body) {
			t.Errorf("%s: stored %d bytes, want %d", algorithm, len(got), len(body))
		}
	}
}

func TestPresignedURLs(t *testing.T) {
	s := sandboxtest.Start(t, "")
	client := newClient(s.Config())
	bucket, key := aws.String("presigned"), aws.String("a key")
	if _, err := client.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	presign := awss3.NewPresignClient(client)
	up, err := presign.PresignPutObject(t.Context(), &awss3.PutObjectInput{Bucket: bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if got := do(t, s, up.Method, up.URL, "sent by URL", nil); got != "200 " {
		t.Fatalf("putting by URL: %s", got)
	}
	down, err := presign.PresignGetObject(t.Context(), &awss3.GetObjectInput{Bucket: bucket, Key: key, ResponseContentType: aws.String("text/x")})
	if err != nil {
		t.Fatal(err)
	}
	if got := do(t, s, down.Method, down.URL, "", nil); got != "200 sent by URL" {
		t.Errorf("reading by URL: %s", got)
	}
	if got := do(t, s, down.Method, strings.Replace(down.URL, "a%20key", "b%20key", 1), "", nil); !strings.Contains(got, "<Code>SignatureDoesNotMatch</Code>") {
		t.Errorf("another key by URL: %s", got)
	}
	s.World.Advance(16 * 60 * 1e9)
	if got := do(t, s, down.Method, down.URL, "", nil); !strings.HasPrefix(got, "403") || !strings.Contains(got, "Request has expired") {
		t.Errorf("the expired URL: %s", got)
	}
}

// do sends one request as it is and returns status and body.
func do(t *testing.T, s *sandboxtest.Sandbox, method, url, body string, header http.Header) string {
	t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		r.Header = header
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, b)
}
