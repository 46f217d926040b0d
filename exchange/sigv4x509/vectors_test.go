package sigv4x509

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A vector is one of testdata/v*.json.
type vector struct {
	Query, Body            string
	CanonicalRequest       string
	CanonicalRequestSHA256 string
	StringToSign           string
	Signature              string
	Authorization          string
}

// A replay stands for a key that was thrown away: it gives the signature that
// was recorded, and keeps the hash that it was asked to sign.
type replay struct {
	leaf      *x509.Certificate
	signature []byte
	hashed    *[]byte
}

func (p replay) Public() crypto.PublicKey { return p.leaf.PublicKey }

func (p replay) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	*p.hashed = digest
	return p.signature, nil
}

func TestVectorsAreSignedAsRecorded(t *testing.T) {
	leaf, ca := certificate(t, "deterministic-leaf.pem"), certificate(t, "deterministic-ca.pem")
	files, err := filepath.Glob("testdata/v*.json")
	if err != nil || len(files) != 3 {
		t.Fatalf("found vectors %v, %v; want three", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var v vector
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(data, &v); err != nil {
				t.Fatal(err)
			}
			var hashed []byte
			s := Signer{Leaf: leaf, Region: "us-east-1", Service: "rolesanywhere"}
			if strings.Contains(file, "chain") {
				s.Chain = []*x509.Certificate{ca}
			}
			signature, err := hex.DecodeString(v.Signature)
			if err != nil {
				t.Fatal(err)
			}
			s.Key = replay{leaf, signature, &hashed}
			r, err := http.NewRequest("POST", "https://rolesanywhere.us-east-1.amazonaws.com/sessions?"+v.Query, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("User-Agent", "not signed")
			if err := s.Sign(r, []byte(v.Body), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)); err != nil {
				t.Fatal(err)
			}
			canonical := canonicalRequest(r, signedHeaders(r), []byte(v.Body))
			if diff := cmp.Diff(v.CanonicalRequest, canonical); diff != "" {
				t.Errorf("canonical request (-want +got):\n%s", diff)
			}
			if got := hexSHA256([]byte(canonical)); got != v.CanonicalRequestSHA256 {
				t.Errorf("canonical request's hash is %s, want %s", got, v.CanonicalRequestSHA256)
			}
			if want := sha256.Sum256([]byte(v.StringToSign)); !bytes.Equal(hashed, want[:]) {
				t.Errorf("what was signed is not the string to sign %q", v.StringToSign)
			}
			if diff := cmp.Diff(v.Authorization, r.Header.Get("Authorization")); diff != "" {
				t.Errorf("Authorization (-want +got):\n%s", diff)
			}
			if !verifies(leaf, v.StringToSign, v.Signature) {
				t.Error("the recorded signature does not verify")
			}
		})
	}
}

// The captures of AWS's own client sign more headers than Sign does, so only
// the texts are compared, through their signatures.
func TestCapturesVerifyOverOurCanonicalRequest(t *testing.T) {
	files, err := filepath.Glob("testdata/*.http")
	if err != nil || len(files) != 2 {
		t.Fatalf("found captures %v, %v; want two", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			r, body := capture(t, file)
			leaf := headerCertificate(t, r)
			a := parseAuthorization(t, r.Header.Get("Authorization"))
			if serial, _, _ := strings.Cut(a.credential, "/"); serial != leaf.SerialNumber.String() {
				t.Errorf("credential %s is not of serial %s", a.credential, leaf.SerialNumber)
			}
			if !verifies(leaf, a.stringToSign(r, body), a.signature) {
				t.Error("the captured signature does not verify")
			}
			r.Header.Set("Amz-Sdk-Request", "attempt=2; max=3")
			if verifies(leaf, a.stringToSign(r, body), a.signature) {
				t.Error("the signature verifies after a signed header was changed")
			}
		})
	}
}

// verifies tells whether signature (hex) is leaf's over text.
func verifies(leaf *x509.Certificate, text, signature string) bool {
	sum := sha256.Sum256([]byte(text))
	raw, err := hex.DecodeString(signature)
	if err != nil {
		return false
	}
	switch public := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], raw) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(public, sum[:], raw)
	}
	return false
}

// An authorization is the header taken apart.
type authorization struct{ algorithm, credential, signed, signature string }

func parseAuthorization(t *testing.T, header string) authorization {
	t.Helper()
	algorithm, rest, _ := strings.Cut(header, " ")
	parts := strings.Split(rest, ", ")
	if len(parts) != 3 {
		t.Fatalf("Authorization %q has %d parts, want 3", header, len(parts))
	}
	a := authorization{algorithm: algorithm}
	for i, want := range []struct {
		name string
		to   *string
	}{{"Credential=", &a.credential}, {"SignedHeaders=", &a.signed}, {"Signature=", &a.signature}} {
		value, ok := strings.CutPrefix(parts[i], want.name)
		if !ok {
			t.Fatalf("Authorization's part %q does not begin with %s", parts[i], want.name)
		}
		*want.to = value
	}
	return a
}

func (a authorization) stringToSign(r *http.Request, body []byte) string {
	_, scope, _ := strings.Cut(a.credential, "/")
	canonical := canonicalRequest(r, strings.Split(a.signed, ";"), body)
	return stringToSign(a.algorithm, r.Header.Get("X-Amz-Date"), scope, canonical)
}

func capture(t *testing.T, file string) (*http.Request, []byte) {
	t.Helper()
	data, err := os.ReadFile(file)
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
	return r, body
}

func headerCertificate(t *testing.T, r *http.Request) *x509.Certificate {
	t.Helper()
	der, err := base64.StdEncoding.DecodeString(r.Header.Get("X-Amz-X509"))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

func certificate(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatalf("%s holds no PEM block", name)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
