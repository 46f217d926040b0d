package sigv4

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	testKey    = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

var signedAt = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// A request is one point of the matrix that the SDK signs.
type request struct {
	method, service, path, query, body, token string
	header                                    http.Header
	presign                                   bool
}

func (q request) String() string {
	return fmt.Sprintf("%s %s %s?%s header=%v body=%.10q token=%t presign=%t",
		q.service, q.method, q.path, q.query, q.header, q.body, q.token != "", q.presign)
}

// wire is the request as the SDK's signer signs it and net/http sends it.
func (q request) wire(t testing.TB) []byte {
	t.Helper()
	target := "https://" + q.service + ".us-east-1.amazonaws.com" + q.path
	if q.query != "" {
		target += "?" + q.query
	}
	r, err := http.NewRequest(q.method, target, strings.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range q.header {
		r.Header[name] = slices.Clone(values)
	}
	hash := hexHash([]byte(q.body))
	s3 := q.service == "s3"
	if s3 && q.presign {
		hash = "UNSIGNED-PAYLOAD"
	}
	if s3 && !q.presign {
		r.Header.Set("X-Amz-Content-Sha256", hash)
	}
	creds := aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret, SessionToken: q.token}
	sign := signer.NewSigner(func(o *signer.SignerOptions) { o.DisableURIPathEscaping = s3 })
	if q.presign {
		values := r.URL.Query()
		values.Set("X-Amz-Expires", "60")
		r.URL.RawQuery = values.Encode()
		signed, header, err := sign.PresignHTTP(t.Context(), creds, r, hash, q.service, "us-east-1", signedAt)
		if err != nil {
			t.Fatal(err)
		}
		if r, err = http.NewRequest(q.method, signed, strings.NewReader(q.body)); err != nil {
			t.Fatal(err)
		}
		for name, values := range header {
			if name != "Host" {
				r.Header[name] = values
			}
		}
	} else if err := sign.SignHTTP(t.Context(), creds, r, hash, q.service, "us-east-1", signedAt); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := r.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// receive verifies a request from its bytes, as a server of the key's owner.
func receive(wire []byte, now time.Time) (*Signed, []byte, error) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(wire)))
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, nil, err
	}
	s, err := Parse(r)
	if err != nil {
		return nil, nil, err
	}
	if s.KeyID != testKey {
		return nil, nil, New("access-key-unknown", s.KeyID)
	}
	got, err := s.Verify(testSecret, now, body)
	return s, got, err
}

func matrix() []request {
	var all []request
	paths := []string{"/", "/a", "/a/b/", "/a%20b", "/a%2Fb", "/%E2%82%AC", "/a~b-c_d.e", "/a%2Bb=c", "/a:b@c$d", "/(x)'*!"}
	for _, service := range []string{"s3", "sts"} {
		for _, path := range paths {
			for _, query := range []string{"", "a=1", "b=2&a=1&a=0", "k", "k=", "a-b=1&a=2", "x=%20y&z=%2F%3A~"} {
				for _, presign := range []bool{false, true} {
					all = append(all, request{method: "GET", service: service, path: path, query: query, presign: presign})
				}
			}
		}
		for _, header := range []http.Header{
			{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}},
			{"X-Amz-Meta-A": {"  two   spaces  "}, "X-Amz-Meta-B": {"1", "2"}, "Range": {"bytes=0-1"}},
			{"X-K8s-Aws-Id": {"cluster"}},
		} {
			for _, body := range []string{"", "Action=GetCallerIdentity&Version=2011-06-15", strings.Repeat("x", 10000)} {
				for _, token := range []string{"", "a/session+token=="} {
					all = append(all, request{method: "POST", service: service, path: "/", header: header, body: body, token: token})
				}
			}
		}
		all = append(all, request{method: "PUT", service: service, path: "/k", body: "data", token: "t/+=", presign: true})
	}
	// S3 keys may hold what other services normalise away.
	for _, path := range []string{"/b//k", "/b/./k", "/b/../k", "/b/k/..", "//"} {
		all = append(all, request{method: "GET", service: "s3", path: path})
	}
	return all
}

func TestRequestsOfTheSDKAreAccepted(t *testing.T) {
	for _, q := range matrix() {
		// Presigned, only S3 leaves the body unsigned.
		if q.presign && q.service != "s3" && q.body != "" {
			q.method = "POST"
		}
		s, body, err := receive(q.wire(t), signedAt.Add(time.Second))
		if err != nil {
			t.Errorf("%v: %v\n%s", q, err, q.wire(t))
			continue
		}
		if string(body) != q.body || s.SessionToken != q.token || s.Presigned != q.presign || s.Service != q.service {
			t.Errorf("%v: got %+v with body %.20q", q, s, body)
		}
	}
}
