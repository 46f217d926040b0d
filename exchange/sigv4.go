package exchange

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"daypass.dev"
)

// signPost signs a POST with temporary credentials, by Signature Version 4. The
// request has a path in which nothing is escaped, no query, and the headers
// that are set here, which all are signed.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func signPost(r *http.Request, contentType, body, service, region string, by daypass.Credentials, at time.Time) {
	const signed = "content-type;host;x-amz-date;x-amz-security-token"
	date := at.UTC().Format("20060102T150405Z")
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("X-Amz-Date", date)
	r.Header.Set("X-Amz-Security-Token", by.SessionToken.Reveal())
	canonical := strings.Join([]string{
		"POST", r.URL.Path, "", "content-type:" + contentType, "host:" + r.URL.Host, "x-amz-date:" + date,
		"x-amz-security-token:" + by.SessionToken.Reveal(), "", signed, sha256Hex(body),
	}, "\n")
	scope := strings.Join([]string{date[:8], region, service, "aws4_request"}, "/")
	text := strings.Join([]string{"AWS4-HMAC-SHA256", date, scope, sha256Hex(canonical)}, "\n")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+by.AccessKeyID+"/"+scope+
		", SignedHeaders="+signed+", Signature="+hex.EncodeToString(mac(signingKey(by.SecretAccessKey, scope), text)))
}

// signingKey is the secret access key narrowed down to a scope.
func signingKey(secret daypass.Secret, scope string) []byte {
	key := []byte("AWS4" + secret.Reveal())
	for _, part := range strings.Split(scope, "/") {
		key = mac(key, part)
	}
	return key
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func sha256Hex(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
