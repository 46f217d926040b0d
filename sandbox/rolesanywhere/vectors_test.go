package rolesanywhere

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A vector is a signed request taken apart, so that one byte of one part can
// be changed before it goes through the HTTP parser again.
type vector struct {
	name                 string
	method, path, query  string
	headers              [][2]string // Authorization among them
	body                 string
	signed               []string
	signature, authStart string // of Authorization: all but the signature
	date                 time.Time
	ca                   string
}

func (v *vector) text() string {
	target := v.path
	if v.query != "" {
		target += "?" + v.query
	}
	var b strings.Builder
	b.WriteString(v.method + " " + target + " HTTP/1.1\r\n")
	for _, h := range v.headers {
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	b.WriteString("Authorization: " + v.authStart + v.signature + "\r\n\r\n")
	return b.String()
}

func (v *vector) request() (*http.Request, error) {
	return http.ReadRequest(bufio.NewReader(strings.NewReader(v.text())))
}

// fault sends the vector through the parser and the verification.
func (v *vector) fault() (*caller, *fault) {
	r, err := v.request()
	if err != nil {
		return nil, faultf("http", "%v", err)
	}
	return authenticate(r, []byte(v.body), "us-east-1", v.date)
}

func loadVectors(t testing.TB) []*vector {
	t.Helper()
	var all []*vector
	for _, p := range glob(t, "*.http") {
		all = append(all, captured(t, p))
	}
	for _, p := range glob(t, "*.json") {
		all = append(all, deterministic(t, p))
	}
	return all
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("testdata", "vectors", pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("no vectors %s: %v", pattern, err)
	}
	return found
}

// captured reads a request as AWS's helper sent it.
func captured(t testing.TB, path string) *vector {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(data)))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	v := &vector{name: filepath.Base(path), body: string(body), ca: "ca.pem"}
	v.take(t, r.Method, r.RequestURI, r.Header.Get("Authorization"))
	for name, values := range r.Header {
		if name != "Authorization" && name != "Content-Length" {
			v.headers = append(v.headers, [2]string{name, values[0]})
		}
	}
	v.headers = append(v.headers, [2]string{"Host", r.Host})
	v.dated(t)
	return v
}

// deterministic reads a request that was made with openssl.
func deterministic(t testing.TB, path string) *vector {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var in struct{ Name, Query, Body, CanonicalRequest, Authorization string }
	if err := json.Unmarshal(data, &in); err != nil {
		t.Fatal(err)
	}
	v := &vector{name: in.Name, body: in.Body, ca: "deterministic-ca.pem"}
	target := "/sessions"
	if in.Query != "" {
		target += "?" + in.Query
	}
	v.take(t, "POST", target, in.Authorization)
	for _, line := range strings.Split(in.CanonicalRequest, "\n") {
		name, value, ok := strings.Cut(line, ":")
		if ok && slices.Contains(v.signed, name) {
			v.headers = append(v.headers, [2]string{name, value})
		}
	}
	v.dated(t)
	return v
}

func (v *vector) take(t testing.TB, method, target, authorization string) {
	t.Helper()
	v.method = method
	v.path, v.query, _ = strings.Cut(target, "?")
	start, signature, ok := strings.Cut(authorization, "Signature=")
	_, list, signs := strings.Cut(start, "SignedHeaders=")
	if !ok || !signs {
		t.Fatalf("%s: Authorization is %q", v.name, authorization)
	}
	v.authStart, v.signature = start+"Signature=", signature
	v.signed = strings.Split(strings.TrimSuffix(strings.TrimSpace(list), ","), ";")
}

func (v *vector) dated(t testing.TB) {
	t.Helper()
	for _, h := range v.headers {
		if strings.EqualFold(h[0], "X-Amz-Date") {
			at, err := time.Parse(dateLayout, h[1])
			if err != nil {
				t.Fatal(err)
			}
			v.date = at
			return
		}
	}
	t.Fatalf("%s has no X-Amz-Date", v.name)
}

func (v *vector) anchors(t testing.TB) []*x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "vectors", v.ca))
	if err != nil {
		t.Fatal(err)
	}
	return pemCertificates(t, string(text))
}

func TestVectorsAreAcceptedAtTheirDate(t *testing.T) {
	vectors := loadVectors(t)
	if len(vectors) != 5 {
		t.Fatalf("there are %d vectors, want 5", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			who, f := v.fault()
			if f != nil {
				t.Fatal(f)
			}
			f = leafFault(who.leaf, v.date)
			if v.ca == "deterministic-ca.pem" {
				// These were signed for a date before their certificates were
				// made, under a CA without keyUsage.
				if f == nil || f.slug != "leaf-not-yet-valid" {
					t.Errorf("the leaf's fault is %v", f)
				}
				if _, f := findPath(who.leaf, who.chain, v.anchors(t), v.date); f == nil || f.slug != "ca-key-usage" {
					t.Errorf("the path's fault is %v", f)
				}
				return
			}
			if f != nil {
				t.Error(f)
			}
			if _, f := findPath(who.leaf, who.chain, v.anchors(t), v.date); f != nil {
				t.Error(f)
			}
		})
	}
}

// TestVectorsAreRefusedAfterOneByte walks every byte of everything that is
// signed and puts others in its place: one for each bit, and a few that HTTP or
// people take for the same. In long parts it is one byte in turn, and with
// everyChange three; the short parts of the EC capture then get every other
// byte there is.
func TestVectorsAreRefusedAfterOneByte(t *testing.T) {
	for _, v := range loadVectors(t) {
		t.Run(v.name, func(t *testing.T) {
			parts := map[string]*string{"method": &v.method, "path": &v.path, "query": &v.query, "body": &v.body, "signature": &v.signature}
			for i, h := range v.headers {
				if slices.Contains(v.signed, strings.ToLower(h[0])) {
					parts[h[0]] = &v.headers[i][1]
				}
			}
			if want := 5 + len(v.signed); len(parts) != want {
				t.Fatalf("%d parts are signed, want %d", len(parts), want)
			}
			tried := 0
			for name, part := range parts {
				tried += v.walk(t, name, part)
			}
			if _, f := v.fault(); f != nil {
				t.Fatalf("the walk broke the vector: %v", f)
			}
			t.Logf("%d changes refused", tried)
		})
	}
}

func (v *vector) walk(t *testing.T, name string, part *string) (tried int) {
	whole := *part
	defer func() { *part = whole }()
	for i := range len(whole) {
		for _, b := range v.replacements(whole, i) {
			*part = whole[:i] + string([]byte{b}) + whole[i+1:]
			if _, f := v.fault(); f == nil {
				t.Errorf("%s: accepted with %q for %q at byte %d", name, b, whole[i], i)
			}
			tried++
		}
	}
	return tried
}

func (v *vector) replacements(whole string, i int) []byte {
	var all []byte
	switch {
	case len(whole) > 64:
		all = []byte{whole[i] ^ 0x01, whole[i] ^ 0x20, whole[i] ^ 0x80}
		if !everyChange {
			all = all[i%3 : i%3+1]
		}
	case everyChange && v.name == "helper-1.8.0-p256.http":
		for b := range 256 {
			all = append(all, byte(b))
		}
	default:
		for bit := range 8 {
			all = append(all, whole[i]^1<<bit)
		}
		all = append(all, ' ', '\t', '+', '0')
	}
	return slices.DeleteFunc(all, func(b byte) bool { return b == whole[i] })
}

func TestVectorsAreRefusedAfterOneCertificateByte(t *testing.T) {
	for _, v := range loadVectors(t) {
		t.Run(v.name, func(t *testing.T) {
			for i, h := range v.headers {
				if !strings.HasPrefix(strings.ToLower(h[0]), "x-amz-x509") {
					continue
				}
				whole := h[1]
				der, err := base64.StdEncoding.DecodeString(whole)
				if err != nil {
					t.Fatal(err)
				}
				for at := range der {
					der[at] ^= 1
					v.headers[i][1] = base64.StdEncoding.EncodeToString(der)
					if _, f := v.fault(); f == nil {
						t.Errorf("%s: accepted with byte %d of the certificate changed", h[0], at)
					}
					der[at] ^= 1
				}
				v.headers[i][1] = whole
			}
		})
	}
}

func TestVectorsAreRefusedAtAnotherTime(t *testing.T) {
	for _, v := range loadVectors(t) {
		at := v.date
		for _, skew := range []time.Duration{maxSkew, -maxSkew} {
			v.date = at.Add(skew)
			if _, f := v.fault(); f != nil {
				t.Errorf("%s, %v off: %v", v.name, skew, f)
			}
			v.date = at.Add(skew + skew/900)
			if _, f := v.fault(); f == nil || f.slug != "x509-clock" {
				t.Errorf("%s, %v off: %v, want x509-clock", v.name, v.date.Sub(at), f)
			}
		}
		v.date = at
	}
}

func pemCertificates(t testing.TB, text string) []*x509.Certificate {
	t.Helper()
	var all []*x509.Certificate
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		t.Fatal("no certificate in PEM")
	}
	return all
}
