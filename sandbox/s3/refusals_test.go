package s3_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"daypass.dev/reason"
	"daypass.dev/sandbox/sandboxtest"
)

// An answer of S3 as it came.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

// signed sends a request that the administrator signed with the SDK's signer.
func signed(t *testing.T, s *sandboxtest.Sandbox, region, method, target, body string, header map[string]string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	sum := sha256.Sum256([]byte(body))
	r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	creds := aws.Credentials{AccessKeyID: s.Admin.ID, SecretAccessKey: s.Admin.Secret}
	sign := signer.NewSigner(func(o *signer.SignerOptions) { o.DisableURIPathEscaping = true })
	if err := sign.SignHTTP(t.Context(), creds, r, r.Header.Get("X-Amz-Content-Sha256"), "s3", region, s.World.Now()); err != nil {
		t.Fatal(err)
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
	return answer{resp.StatusCode, resp.Header, string(b)}
}

// A refusal is one request of the administrator and what must come back.
type refusal struct {
	slug, method, target string
	body                 string
	header               map[string]string
	region               string // empty: us-east-1
	status               int
	code                 string
}

func refusals() []refusal {
	const long = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" // 64
	put := func(header, value string) map[string]string { return map[string]string{header: value} }
	doc := func(resource string) string {
		return document(statement("s3:GetObject", resource, `,"Principal":"*"`))
	}
	return []refusal{
		{slug: "s3-no-such-bucket", method: "GET", target: "/no-such-bucket", status: 404, code: "NoSuchBucket"},
		{slug: "s3-no-such-bucket", method: "PUT", target: "/no-such-bucket/key", status: 404, code: "NoSuchBucket"},
		{slug: "s3-bucket-name", method: "PUT", target: "/No_Name", status: 400, code: "InvalidBucketName"},
		{slug: "s3-bucket-name", method: "PUT", target: "/" + long, status: 400, code: "InvalidBucketName"},
		{slug: "s3-bucket-name", method: "PUT", target: "/192.168.1.1", status: 400, code: "InvalidBucketName"},
		{slug: "s3-bucket-exists", method: "PUT", target: "/foreign", status: 409, code: "BucketAlreadyExists"},
		{slug: "s3-bucket-owned", method: "PUT", target: "/abroad", region: "eu-west-1", status: 409, code: "BucketAlreadyOwnedByYou",
			body: "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"},
		{slug: "s3-bucket-not-empty", method: "DELETE", target: "/library", status: 409, code: "BucketNotEmpty"},
		{slug: "s3-location", method: "PUT", target: "/new", region: "eu-west-1", status: 400, code: "IllegalLocationConstraintException"},
		{slug: "s3-location", method: "PUT", target: "/new", status: 400, code: "IllegalLocationConstraintException",
			body: "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"},
		{slug: "s3-location", method: "PUT", target: "/new", status: 400, code: "InvalidLocationConstraint",
			body: "<CreateBucketConfiguration><LocationConstraint>us-east-1</LocationConstraint></CreateBucketConfiguration>"},
		{slug: "s3-region", method: "GET", target: "/abroad", status: 301, code: "PermanentRedirect"},
		{slug: "s3-region", method: "GET", target: "/library/book", region: "eu-west-1", status: 301, code: "PermanentRedirect"},
		{slug: "s3-other-owner", method: "GET", target: "/library/book", header: put("X-Amz-Expected-Bucket-Owner", foreign), status: 403, code: "AccessDenied"},
		{slug: "s3-no-bucket-policy", method: "GET", target: "/library?policy", status: 404, code: "NoSuchBucketPolicy"},
		{slug: "s3-policy-malformed", method: "PUT", target: "/library?policy", body: "{", status: 400, code: "MalformedPolicy"},
		{slug: "s3-policy-malformed", method: "PUT", target: "/library?policy", body: doc("arn:aws:s3:::librarian/*"), status: 400, code: "MalformedPolicy"},
		{slug: "s3-policy-malformed", method: "PUT", target: "/library?policy", body: doc("*"), status: 400, code: "MalformedPolicy"},
		{slug: "s3-policy-malformed", method: "PUT", target: "/library?policy", status: 400, code: "MalformedPolicy",
			body: document(statement("s3:GetObject", books, principal("arn:aws:iam::"+home+":role/no-role")))},
		{slug: "s3-policy-other-account", method: "GET", target: "/foreign?policy", status: 405, code: "MethodNotAllowed"},
		{slug: "s3-policy-other-account", method: "DELETE", target: "/foreign?policy", status: 405, code: "MethodNotAllowed"},
		{slug: "s3-xml-malformed", method: "PUT", target: "/new", body: "<CreateBucketConfiguration>", status: 400, code: "MalformedXML"},
		{slug: "s3-xml-malformed", method: "PUT", target: "/new", body: "no XML", status: 400, code: "MalformedXML"},
		{slug: "s3-xml-malformed", method: "PUT", target: "/new", body: "<Other/>", status: 400, code: "MalformedXML"},
		{slug: "s3-no-such-key", method: "GET", target: "/library/no-book", status: 404, code: "NoSuchKey"},
		{slug: "s3-key-name", method: "GET", target: "/library/" + strings.Repeat("k", 1025), status: 400, code: "KeyTooLongError"},
		{slug: "s3-key-name", method: "GET", target: "/library/%FF", status: 400, code: "InvalidURI"},
		{slug: "s3-argument", method: "GET", target: "/library?list-type=2&max-keys=many", status: 400, code: "InvalidArgument"},
		{slug: "s3-argument", method: "GET", target: "/library?list-type=2&max-keys=-1", status: 400, code: "InvalidArgument"},
		{slug: "s3-argument", method: "GET", target: "/library?list-type=3", status: 400, code: "InvalidArgument"},
		{slug: "s3-argument", method: "GET", target: "/library?list-type=2&continuation-token=%21", status: 400, code: "InvalidArgument"},
		{slug: "s3-argument", method: "GET", target: "/library?encoding-type=other", status: 400, code: "InvalidArgument"},
		{slug: "s3-argument", method: "GET", target: "/?max-buckets=0", status: 400, code: "InvalidArgument"},
		{slug: "s3-header-not-built", method: "PUT", target: "/library/new", header: put("X-Amz-Storage-Class", "GLACIER"), status: 501, code: "NotImplemented"},
		{slug: "s3-header-not-built", method: "PUT", target: "/library/new", header: put("X-Amz-Server-Side-Encryption", "aws:kms"), status: 501, code: "NotImplemented"},
		{slug: "s3-header-not-built", method: "PUT", target: "/library/new", header: put("X-Amz-Copy-Source", "/library/book"), status: 501, code: "NotImplemented"},
		{slug: "s3-header-not-built", method: "PUT", target: "/library/new", header: put("X-Amz-Tagging", "a=b"), status: 501, code: "NotImplemented"},
		{slug: "s3-header-not-built", method: "PUT", target: "/library/new", header: put("If-None-Match", "*"), status: 501, code: "NotImplemented"},
		{slug: "s3-header-not-built", method: "DELETE", target: "/library/book", header: put("If-Match", "*"), status: 501, code: "NotImplemented"},
		{slug: "s3-header-not-built", method: "PUT", target: "/new", header: put("X-Amz-Bucket-Object-Lock-Enabled", "true"), status: 501, code: "NotImplemented"},
		{slug: "s3-acl", method: "PUT", target: "/library/new", header: put("X-Amz-Acl", "public-read"), status: 400, code: "AccessControlListNotSupported"},
		{slug: "s3-content-md5", method: "PUT", target: "/library/new", header: put("Content-Md5", "!"), status: 400, code: "InvalidDigest"},
		{slug: "s3-content-md5", method: "PUT", target: "/library/new", header: put("Content-Md5", "1B2M2Y8AsgTpgAmY7PhCfg=="), body: "x", status: 400, code: "BadDigest"},
		{slug: "s3-content-md5", method: "PUT", target: "/library?policy", header: put("Content-Md5", "1B2M2Y8AsgTpgAmY7PhCfg=="), body: doc(books), status: 400, code: "BadDigest"},
		{slug: "s3-checksums", method: "PUT", target: "/library/new", header: map[string]string{"X-Amz-Checksum-Crc32": "AAAAAA==", "X-Amz-Checksum-Crc32c": "AAAAAA=="}, status: 400, code: "InvalidRequest"},
		{slug: "s3-checksums", method: "PUT", target: "/library/new", header: put("X-Amz-Sdk-Checksum-Algorithm", "CRC32"), status: 400, code: "InvalidRequest"},
		{slug: "checksum-mismatch", method: "PUT", target: "/library/new", header: put("X-Amz-Checksum-Crc32", "AAAAAA=="), body: "x", status: 400, code: "BadDigest"},
		{slug: "checksum-unsupported", method: "PUT", target: "/library/new", header: put("X-Amz-Checksum-Other", "AAAAAA=="), status: 400, code: "InvalidRequest"},
		{slug: "checksum-not-built", method: "PUT", target: "/library/new", header: put("X-Amz-Checksum-Xxhash64", "AAAAAAAAAAA="), status: 501, code: "NotImplemented"},
		{slug: "s3-metadata-too-large", method: "PUT", target: "/library/new", header: put("X-Amz-Meta-A", strings.Repeat("x", 2048)), status: 400, code: "MetadataTooLarge"},
		{slug: "s3-range", method: "GET", target: "/library/book", header: put("Range", "bytes=4-"), status: 416, code: "InvalidRange"},
		{slug: "s3-precondition", method: "GET", target: "/library/book", header: put("If-Match", `"other"`), status: 412, code: "PreconditionFailed"},
		{slug: "s3-precondition", method: "GET", target: "/library/book", header: put("If-Unmodified-Since", "Sat, 01 Jan 2000 00:00:00 GMT"), status: 412, code: "PreconditionFailed"},
	}
}

// unsignedSlugs are refused only without a signature; see
// TestStrangersGetWhatTheBucketPolicyGives.
func unsignedSlugs() []string { return []string{"s3-response-headers"} }

func TestEveryRefusalOfS3(t *testing.T) {
	s := library(t)
	far := "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"
	if got := signed(t, s, "eu-west-1", "PUT", "/abroad", far, nil); got.status != 200 || got.header.Get("Location") != "http://abroad.s3.amazonaws.com/" {
		t.Fatalf("making a bucket in eu-west-1: %v %v", got, got.header)
	}
	foreignBucket(t, s)
	seen := map[string]bool{}
	for _, slug := range unsignedSlugs() {
		seen[slug] = true
	}
	for _, c := range refusals() {
		region := c.region
		if region == "" {
			region = "us-east-1"
		}
		got := signed(t, s, region, c.method, c.target, c.body, c.header)
		if got.status != c.status || !strings.Contains(got.body, "<Error><Code>"+c.code+"</Code><Message>") || !strings.Contains(got.body, "</RequestId><HostId>") {
			t.Errorf("%s %s %v: %v, want %d %s", c.method, c.target, c.header, got, c.status, c.code)
		}
		all := s.Decisions()
		if d := all[len(all)-1]; d.Reason != c.slug || d.Allowed || d.Mend == "" {
			t.Errorf("%s %s: decision says %q, want %q: %+v", c.method, c.target, d.Reason, c.slug, d)
		}
		seen[c.slug] = true
	}
	rows := 0
	for _, r := range reason.All() {
		if strings.HasPrefix(r.Slug, "s3-") {
			rows++
			if !seen[r.Slug] {
				t.Errorf("no case is refused for %s", r.Slug)
			}
		}
	}
	if rows == 0 {
		t.Fatal("the catalogue has no rows of S3")
	}
	if body := read(t, newClient(s.Config()), "library", "book"); body != "text" {
		t.Errorf("a refused call changed the object: %q", body)
	}
	if got := signed(t, s, "us-east-1", "GET", "/library/new", "", nil); got.status != 404 {
		t.Errorf("a refused call made an object: %v", got)
	}
}

// foreignBucket makes a bucket in another account that lets the home account
// do everything.
func foreignBucket(t *testing.T, s *sandboxtest.Sandbox) {
	t.Helper()
	owner := user(t, s, foreign, "owner", statement("s3:*", "*", ""))
	mustCreate(t, owner, "foreign")
	mustPolicy(t, owner, "foreign", document(
		statement("s3:*", "arn:aws:s3:::foreign", principal(home)), statement("s3:*", "arn:aws:s3:::foreign/*", principal(home))))
}

func TestWhatIsNotBuiltIsNotImplemented(t *testing.T) {
	s := library(t)
	for _, target := range []string{
		"DELETE /library?cors", "DELETE /library?encryption", "DELETE /library?lifecycle", "DELETE /library?publicAccessBlock", "DELETE /library?tagging",
		"GET /library?accelerate", "GET /library?acl", "GET /library?cors", "GET /library?encryption", "GET /library?lifecycle", "GET /library?logging",
		"GET /library?metadataConfiguration", "GET /library?notification", "GET /library?object-lock", "GET /library?ownershipControls", "GET /library?policyStatus",
		"GET /library?publicAccessBlock", "GET /library?replication", "GET /library?requestPayment", "GET /library?session", "GET /library?tagging",
		"GET /library?uploads", "GET /library?versioning", "GET /library?versions", "GET /library?website", "GET /library?list-type=2&uploads",
		"GET /library/book?acl", "GET /library/book?attributes", "GET /library/book?legal-hold", "GET /library/book?partNumber=1", "GET /library/book?retention",
		"GET /library/book?tagging", "GET /library/book?torrent", "GET /library/book?uploadId=u", "GET /library/book?versionId=v",
		"POST /library", "POST /library?delete", "POST /library/book?restore", "POST /library/book?select&select-type=2", "POST /library/book?uploadId=u", "POST /library/book?uploads",
		"PUT /library?acl", "PUT /library?cors", "PUT /library?encryption", "PUT /library?lifecycle", "PUT /library?logging", "PUT /library?notification",
		"PUT /library?object-lock", "PUT /library?ownershipControls", "PUT /library?publicAccessBlock", "PUT /library?replication", "PUT /library?tagging",
		"PUT /library?versioning", "PUT /library?website", "PUT /library/book?acl", "PUT /library/book?legal-hold", "PUT /library/book?partNumber=1&uploadId=u",
		"PUT /library/book?renameObject", "PUT /library/book?retention", "PUT /library/book?tagging", "DELETE /library/book?tagging", "DELETE /library/book?uploadId=u",
		"DELETE /library/book?versionId=v", "POST /", "PUT /", "PATCH /library/book",
	} {
		method, path, _ := strings.Cut(target, " ")
		got := signed(t, s, "us-east-1", method, path, "", nil)
		if got.status != http.StatusNotImplemented || !strings.Contains(got.body, "<Code>NotImplemented</Code>") {
			t.Errorf("%s: %v", target, got)
		}
	}
	if got := signed(t, s, "us-east-1", "PUT", "/new", "<CreateBucketConfiguration><Tags/></CreateBucketConfiguration>", nil); got.status != http.StatusNotImplemented {
		t.Errorf("a bucket with tags: %v", got)
	}
	if body := read(t, newClient(s.Config()), "library", "book"); body != "text" {
		t.Errorf("a call that is not built changed the object: %q", body)
	}
}

func TestSignaturesOfS3AreVerified(t *testing.T) {
	s := library(t)
	s.Admin.Secret += "x"
	got := signed(t, s, "us-east-1", "GET", "/library/book", "", nil)
	for _, want := range []string{"<Code>SignatureDoesNotMatch</Code>", "<StringToSign>AWS4-HMAC-SHA256\n", "<CanonicalRequest>GET\n/library/book\n", "<SignatureProvided>"} {
		if !strings.Contains(strings.ReplaceAll(got.body, "&#xA;", "\n"), want) {
			t.Errorf("the answer to a wrong secret lacks %q: %v", want, got)
		}
	}
}
