package doctor

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// A wire is a request that the signer of AWS's SDK signs for the administrator.
type wire struct {
	method, target, service, body string
	host                          string            // of AWS's; empty: the sandbox's own address
	region                        string            // empty: us-east-1
	header                        map[string]string // that is signed
	hash                          string            // X-Amz-Content-Sha256; empty: the body's
	unsigned                      bool              // for Google
	link                          bool              // signed in its query, for a minute
	chunks                        []string          // a body in signed chunks, in place of body
	trailer                       string            // behind them, and signed
}

// send sends it, changed after it was signed; the error is what is answered.
func (c *caller) send(w wire, change func(*http.Request)) error {
	c.Helper()
	client, base := c.box.Client(), c.box.URL
	if w.host != "" {
		client, base = c.box.ProxyClient(), "https://"+w.host
	}
	client.Transport.(*http.Transport).ExpectContinueTimeout = time.Minute
	r, err := http.NewRequestWithContext(c.Context(), w.method, base+w.target, strings.NewReader(w.body))
	c.must(nil, err)
	for name, value := range w.header {
		r.Header.Set(name, value)
	}
	if w.hash == "" {
		sum := sha256.Sum256([]byte(w.body))
		w.hash = hex.EncodeToString(sum[:])
	}
	if w.service == "s3" && !w.link {
		r.Header.Set("X-Amz-Content-Sha256", w.hash)
	}
	if w.region == "" {
		w.region = "us-east-1"
	}
	w.sign(c, r)
	if change != nil {
		change(r)
	}
	return answered(c, client, r)
}

// answered sends a request as it is.
func answered(t testing.TB, client *http.Client, r *http.Request) error {
	t.Helper()
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode < 300 {
		return nil
	}
	return errors.New(answer.Status + ": " + string(text))
}

// sign has the SDK sign at the world's time.
func (w wire) sign(c *caller, r *http.Request) {
	c.Helper()
	if w.unsigned {
		return
	}
	keys, err := c.admin.Credentials.Retrieve(c.Context())
	c.must(nil, err)
	signer, now := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = w.service == "s3" }), c.box.World.Now()
	if w.link {
		r.URL.RawQuery = strings.TrimPrefix(r.URL.RawQuery+"&X-Amz-Expires=60", "&")
		target, _, err := signer.PresignHTTP(c.Context(), keys, r, "UNSIGNED-PAYLOAD", w.service, w.region, now)
		c.must(nil, err)
		r.URL, err = r.URL.Parse(target)
		c.must(nil, err)
		return
	}
	c.must(nil, signer.SignHTTP(c.Context(), keys, r, w.hash, w.service, w.region, now))
	if w.chunks != nil {
		setBody(r, w.signedChunks(r, keys))
	}
}

func setBody(r *http.Request, text string) {
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
}

// signedChunks is the body that AWS's pages on chunks of the API of S3 describe,
// whose first signature is the request's.
func (w wire) signedChunks(r *http.Request, keys aws.Credentials) string {
	mac := func(key, text string) string {
		m := hmac.New(sha256.New, []byte(key))
		m.Write([]byte(text))
		return string(m.Sum(nil))
	}
	digest := func(text string) string { sum := sha256.Sum256([]byte(text)); return hex.EncodeToString(sum[:]) }
	at := r.Header.Get("X-Amz-Date")
	scope := at[:8] + "/" + w.region + "/s3/aws4_request"
	key := "AWS4" + keys.SecretAccessKey
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	_, last, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	next := func(kind, hashes string) string {
		last = hex.EncodeToString([]byte(mac(key, kind+"\n"+at+"\n"+scope+"\n"+last+"\n"+hashes)))
		return last
	}
	var b strings.Builder
	for _, chunk := range append(w.chunks, "") {
		fmt.Fprintf(&b, "%x;chunk-signature=%s\r\n%s", len(chunk), next("AWS4-HMAC-SHA256-PAYLOAD", digest("")+"\n"+digest(chunk)), chunk)
		if chunk != "" {
			b.WriteString("\r\n")
		}
	}
	if w.trailer != "" {
		fmt.Fprintf(&b, "%s\r\nx-amz-trailer-signature:%s\r\n", w.trailer, next("AWS4-HMAC-SHA256-TRAILER", digest(w.trailer+"\n")))
	}
	return b.String() + "\r\n"
}

// The changes of a request that was signed.

func authorization(from, to string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
	}
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Del(name)
		if value != "" {
			r.Header.Set(name, value)
		}
	}
}

func query(from, to string) func(*http.Request) {
	return func(r *http.Request) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, from, to, 1) }
}

// altered is refused for what happened to it after it was signed; the mend of
// each is the request as the SDK signed it.
func altered(slug string, w wire, change func(*http.Request)) refusal {
	return refusal{slug: slug,
		call:    func(c *caller) error { return c.send(w, change) },
		instead: sends(w)}
}

// written is refused for how it is written, and right is what the mend has it be.
func written(slug string, wrong, right wire) refusal {
	return refusal{slug: slug,
		call: sends(wrong), instead: sends(right)}
}
