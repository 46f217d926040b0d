package exchange

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"daypass.dev"
	"daypass.dev/proof"
)

const (
	roleARN    = "arn:aws:iam::123456789012:role/team-a/reader"
	anchorARN  = "arn:aws:rolesanywhere:eu-west-1:123456789012:trust-anchor/11111111-1111-4111-8111-111111111111"
	profileARN = "arn:aws:rolesanywhere:eu-west-1:123456789012:profile/22222222-2222-4222-8222-222222222222"

	plantedKey   = "planted/secret/access/key"
	plantedToken = "planted-session-token"
)

// fixed is a key that never changes.
type fixed proof.Key

func (k *fixed) Key(context.Context) (*proof.Key, error) { return (*proof.Key)(k), nil }

func newKey(t testing.TB) *fixed {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "app"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &fixed{Signer: key, Leaf: leaf}
}

// A fake is AWS as a transport: it answers in memory, so that clocks can be
// faked, too. Now is its clock; respond answers in place of a success.
type fake struct {
	calls   atomic.Int64
	now     func() time.Time
	respond func(r *http.Request) *http.Response
}

func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	f.calls.Add(1)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var answer *http.Response
	if f.respond != nil {
		answer = f.respond(r)
	}
	if answer == nil {
		answer = reply(201, success(f.clock().Add(time.Hour)))
	}
	if _, set := answer.Header["Date"]; !set {
		answer.Header.Set("Date", f.clock().UTC().Format(http.TimeFormat))
	}
	return answer, nil
}

func (f *fake) clock() time.Time {
	if f.now == nil {
		return time.Now()
	}
	return f.now()
}

func reply(status int, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}, "X-Amzn-Requestid": {"2f1c-9"}}
	for i := 0; i < len(header); i += 2 {
		h[header[i]] = []string{header[i+1]}
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

func success(expires time.Time) string {
	return fmt.Sprintf(`{"credentialSet":[{"assumedRoleUser":{"arn":"arn:aws:sts::123456789012:assumed-role/reader/s","assumedRoleId":"AROA:s"},
"credentials":{"accessKeyId":"ASIAEXAMPLE","secretAccessKey":%q,"sessionToken":%q,"expiration":%q},
"packedPolicySize":10,"roleArn":%q,"sourceIdentity":"CN=app"}],"subjectArn":"arn:aws:rolesanywhere:eu-west-1:123456789012:subject/1"}`,
		plantedKey, plantedToken, expires.UTC().Format(time.RFC3339), roleARN)
}

func source(t testing.TB, f *fake) *RolesAnywhere {
	return &RolesAnywhere{
		Key: newKey(t), RoleARN: roleARN, TrustAnchorARN: anchorARN, ProfileARN: profileARN,
		Client: &http.Client{Transport: f},
	}
}

// through is a client that calls by way of a proxy; none where that is empty.
func through(proxy string) *http.Client {
	t := &http.Transport{}
	if proxy != "" {
		t.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: proxy})
	}
	return &http.Client{Transport: t}
}

// refused returns the *daypass.Error that a call ends in.
func refused(t *testing.T, r *RolesAnywhere) *daypass.Error {
	t.Helper()
	c, err := r.Credentials(context.Background())
	de := (*daypass.Error)(nil)
	if !errors.As(err, &de) {
		t.Fatalf("got %v, want a daypass.Error", err)
	}
	if c != (daypass.Credentials{}) {
		t.Errorf("credentials %v came with error %v", c, err)
	}
	for _, secret := range []string{plantedKey, plantedToken} {
		if strings.Contains(err.Error()+de.Hint, secret) {
			t.Errorf("error %q holds a secret", err)
		}
	}
	return de
}

// signedBy checks a request's signature by the specification, apart from the
// code that made it.
func signedBy(t *testing.T, r *http.Request, leaf *x509.Certificate, body string) {
	t.Helper()
	date := r.Header.Get("X-Amz-Date")
	scope := date[:8] + "/eu-west-1/rolesanywhere/aws4_request"
	const signed = "content-type;host;x-amz-date;x-amz-x509"
	begin := "AWS4-X509-ECDSA-SHA256 Credential=" + leaf.SerialNumber.String() + "/" + scope + ", SignedHeaders=" + signed + ", Signature="
	signature, ok := strings.CutPrefix(r.Header.Get("Authorization"), begin)
	if !ok {
		t.Fatalf("Authorization is %q, want %q…", r.Header.Get("Authorization"), begin)
	}
	canonical := strings.Join([]string{
		"POST", "/sessions", r.URL.RawQuery,
		"content-type:application/json", "host:" + r.Host, "x-amz-date:" + date,
		"x-amz-x509:" + base64.StdEncoding.EncodeToString(leaf.Raw), "", signed, hash(body),
	}, "\n")
	digest := sha256.Sum256([]byte("AWS4-X509-ECDSA-SHA256\n" + date + "\n" + scope + "\n" + hash(canonical)))
	raw, err := hex.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	if !ecdsa.VerifyASN1(leaf.PublicKey.(*ecdsa.PublicKey), digest[:], raw) {
		t.Error("the signature does not verify")
	}
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
