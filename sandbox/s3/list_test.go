package s3_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"daypass.dev/sandbox/sandboxtest"
)

// tree starts a sandbox whose bucket has the given keys.
func tree(t *testing.T, keys ...string) (*sandboxtest.Sandbox, *awss3.Client) {
	t.Helper()
	s := sandboxtest.Start(t, "")
	client := newClient(s.Config())
	mustCreate(t, client, "tree")
	for _, key := range keys {
		put(t, client, "tree", key, key)
	}
	return s, client
}

func TestPagesOfAListing(t *testing.T) {
	_, client := tree(t, "a", "b/1", "b/2", "b/3/4", "c", "d/1", "d/2", "é f")
	for _, c := range []struct {
		name string
		in   awss3.ListObjectsV2Input
		want []string
	}{
		{"all", awss3.ListObjectsV2Input{}, []string{"a", "b/1", "b/2", "b/3/4", "c", "d/1", "d/2", "é f"}},
		{"prefix", awss3.ListObjectsV2Input{Prefix: aws.String("b/")}, []string{"b/1", "b/2", "b/3/4"}},
		{"delimiter", awss3.ListObjectsV2Input{Delimiter: aws.String("/")}, []string{"a", "b/ ", "c", "d/ ", "é f"}},
		{"prefix and delimiter", awss3.ListObjectsV2Input{Prefix: aws.String("b/"), Delimiter: aws.String("/")}, []string{"b/1", "b/2", "b/3/ "}},
		{"long delimiter", awss3.ListObjectsV2Input{Delimiter: aws.String("/3/")}, []string{"a", "b/1", "b/2", "b/3/ ", "c", "d/1", "d/2", "é f"}},
		{"start after", awss3.ListObjectsV2Input{StartAfter: aws.String("c")}, []string{"d/1", "d/2", "é f"}},
		{"start after, delimiter", awss3.ListObjectsV2Input{StartAfter: aws.String("b/1"), Delimiter: aws.String("/")}, []string{"b/ ", "c", "d/ ", "é f"}},
		{"encoded", awss3.ListObjectsV2Input{Prefix: aws.String("é"), EncodingType: "url"}, []string{"%C3%A9%20f"}},
		{"none", awss3.ListObjectsV2Input{Prefix: aws.String("x")}, nil},
	} {
		for _, size := range []int32{1, 2, 3, 1000} {
			c.in.Bucket, c.in.MaxKeys = aws.String("tree"), aws.Int32(size)
			var got []string
			pages := awss3.NewListObjectsV2Paginator(client, &c.in)
			for pages.HasMorePages() {
				page, err := pages.NextPage(t.Context())
				if err != nil {
					t.Fatalf("%s by %d: %v", c.name, size, err)
				}
				if n := len(page.Contents) + len(page.CommonPrefixes); n > int(size) || n != int(*page.KeyCount) {
					t.Errorf("%s by %d: a page of %d entries says %d", c.name, size, n, *page.KeyCount)
				}
				for _, o := range page.Contents {
					got = append(got, *o.Key)
				}
				for _, p := range page.CommonPrefixes {
					got = append(got, *p.Prefix+" ")
				}
			}
			slices.Sort(got)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("%s by %d (-want +got):\n%s", c.name, size, d)
			}
		}
	}
}

func TestTheFirstVersionOfListObjects(t *testing.T) {
	_, client := tree(t, "a", "b/1", "b/2", "c", "d")
	var got []string
	in := &awss3.ListObjectsInput{Bucket: aws.String("tree"), MaxKeys: aws.Int32(2), Delimiter: aws.String("/")}
	for range 10 {
		page, err := client.ListObjects(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			got = append(got, *o.Key)
		}
		for _, p := range page.CommonPrefixes {
			got = append(got, *p.Prefix)
		}
		if !*page.IsTruncated {
			break
		}
		in.Marker = page.NextMarker
	}
	if d := cmp.Diff([]string{"a", "b/", "c", "d"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestPagesOfBuckets(t *testing.T) {
	s := sandboxtest.Start(t, "")
	client := newClient(s.Config())
	for i := range 5 {
		mustCreate(t, client, fmt.Sprintf("bucket-%d", i))
	}
	var got []string
	pages := awss3.NewListBucketsPaginator(client, &awss3.ListBucketsInput{MaxBuckets: aws.Int32(2), Prefix: aws.String("bucket-"), BucketRegion: aws.String("us-east-1")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range page.Buckets {
			got = append(got, *b.Name)
		}
	}
	if d := cmp.Diff([]string{"bucket-0", "bucket-1", "bucket-2", "bucket-3", "bucket-4"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestRangesAndConditions(t *testing.T) {
	s, client := tree(t, "0123456789")
	head, err := client.HeadObject(t.Context(), &awss3.HeadObjectInput{Bucket: aws.String("tree"), Key: aws.String("0123456789")})
	if err != nil {
		t.Fatal(err)
	}
	later := s.World.Now().Add(1e9 * 3600).Format(http.TimeFormat)
	for _, c := range []struct {
		header map[string]string
		want   string // status and body
		part   string // Content-Range
	}{
		{map[string]string{"Range": "bytes=0-0"}, "206 0", "bytes 0-0/10"},
		{map[string]string{"Range": "bytes=2-4"}, "206 234", "bytes 2-4/10"},
		{map[string]string{"Range": "bytes=8-"}, "206 89", "bytes 8-9/10"},
		{map[string]string{"Range": "bytes=8-99"}, "206 89", "bytes 8-9/10"},
		{map[string]string{"Range": "bytes=-3"}, "206 789", "bytes 7-9/10"},
		{map[string]string{"Range": "bytes=-99"}, "206 0123456789", "bytes 0-9/10"},
		{map[string]string{"Range": "bytes=10-"}, "416", ""},
		{map[string]string{"Range": "bytes=-0"}, "416", ""},
		{map[string]string{"Range": "bytes=4-2"}, "200 0123456789", ""},
		{map[string]string{"Range": "bytes=0-1,3-4"}, "200 0123456789", ""},
		{map[string]string{"Range": "lines=0-1"}, "200 0123456789", ""},
		{map[string]string{"Range": "bytes=99999999999999999999-"}, "200 0123456789", ""},
		{map[string]string{"If-Match": *head.ETag}, "200 0123456789", ""},
		{map[string]string{"If-None-Match": `"other"`}, "200 0123456789", ""},
		{map[string]string{"If-None-Match": *head.ETag}, "304 ", ""},
		{map[string]string{"If-Modified-Since": later}, "304 ", ""},
		{map[string]string{"If-Modified-Since": later, "If-None-Match": `"other"`}, "200 0123456789", ""},
		{map[string]string{"If-Unmodified-Since": later}, "200 0123456789", ""},
	} {
		got := signed(t, s, "us-east-1", "GET", "/tree/0123456789", "", c.header)
		if got.status >= 400 && got.header.Get("Accept-Ranges") != "" {
			t.Errorf("%v: an error has the object's headers: %v", c.header, got.header)
		}
		if !strings.HasPrefix(got.String(), c.want) || got.header.Get("Content-Range") != c.part {
			t.Errorf("%v: %v, %q, want %s, %q", c.header, got, got.header.Get("Content-Range"), c.want, c.part)
		}
	}
}

func TestTheAnswerTakesTheHeadersThatTheQueryNames(t *testing.T) {
	s, _ := tree(t, "k")
	got := signed(t, s, "us-east-1", "GET", "/tree/k?response-content-type=text%2Fx&response-cache-control=no-store", "", nil)
	if got.header.Get("Content-Type") != "text/x" || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", got.header)
	}
}

func TestChecksumsComeBack(t *testing.T) {
	s, client := tree(t)
	cfg := s.Config() // without checksums of the client's own
	plain := awss3.NewFromConfig(cfg)
	if _, err := plain.PutObject(t.Context(), &awss3.PutObjectInput{Bucket: aws.String("tree"), Key: aws.String("k"), Body: strings.NewReader("123456789")}); err != nil {
		t.Fatal(err)
	}
	out, err := client.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: aws.String("tree"), Key: aws.String("k"), ChecksumMode: "ENABLED"})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(out.Body); err != nil || string(b) != "123456789" {
		t.Errorf("read %q, %v", b, err) // the SDK verifies the checksum
	}
	if got := aws.ToString(out.ChecksumCRC64NVME); got != "rosUhgp5mIg=" {
		t.Errorf("S3's own checksum %q", got)
	}
}
