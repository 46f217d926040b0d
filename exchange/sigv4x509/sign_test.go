package sigv4x509

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

var at = time.Date(2026, 11, 21, 20, 16, 33, 0, time.FixedZone("", 3600))

func TestEveryKindOfKeySigns(t *testing.T) {
	for name, c := range map[string]struct {
		key       crypto.Signer
		algorithm string
	}{
		"RSA 2048": {rsaKey(t), "AWS4-X509-RSA-SHA256"},
		"P-256":    {ecKey(t, elliptic.P256()), "AWS4-X509-ECDSA-SHA256"},
		"P-384":    {ecKey(t, elliptic.P384()), "AWS4-X509-ECDSA-SHA256"},
		"P-521":    {ecKey(t, elliptic.P521()), "AWS4-X509-ECDSA-SHA256"},
	} {
		t.Run(name, func(t *testing.T) {
			leaf := selfSigned(t, c.key)
			r, body := request(t), []byte(`{"durationSeconds":900}`)
			s := Signer{Key: c.key, Leaf: leaf, Region: "eu-west-1", Service: "rolesanywhere"}
			if err := s.Sign(r, body, at); err != nil {
				t.Fatal(err)
			}
			if got := r.Header.Get("X-Amz-Date"); got != "20261121T191633Z" {
				t.Errorf("X-Amz-Date is %s, not in UTC", got)
			}
			a := parseAuthorization(t, r.Header.Get("Authorization"))
			if a.algorithm != c.algorithm {
				t.Errorf("algorithm is %s, want %s", a.algorithm, c.algorithm)
			}
			if want := "1000000000000000000001/20261121/eu-west-1/rolesanywhere/aws4_request"; a.credential != want {
				t.Errorf("credential is %s, want %s", a.credential, want)
			}
			if want := "content-type;host;x-amz-date;x-amz-x509"; a.signed != want {
				t.Errorf("signed headers are %s, want %s", a.signed, want)
			}
			if !verifies(leaf, a.stringToSign(r, body), a.signature) {
				t.Error("the signature does not verify with the leaf's key")
			}
			if verifies(leaf, a.stringToSign(r, append(body, ' ')), a.signature) {
				t.Error("the signature verifies after the body was changed")
			}
		})
	}
}

// A request signed before, with a chain, leaves nothing behind when it is
// signed again without.
func TestSigningAgainStartsAnew(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	leaf := selfSigned(t, key)
	r := request(t)
	s := Signer{Key: key, Leaf: leaf, Chain: []*x509.Certificate{leaf, leaf}, Region: "eu-west-1", Service: "rolesanywhere"}
	if err := s.Sign(r, nil, at); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(r.Header.Get("X-Amz-X509-Chain"), ","); n != 1 {
		t.Errorf("the chain header has %d commas, want 1", n)
	}
	if signed := parseAuthorization(t, r.Header.Get("Authorization")).signed; !strings.HasSuffix(signed, ";x-amz-x509-chain") {
		t.Errorf("signed headers are %s, without the chain", signed)
	}
	s.Chain = nil
	if err := s.Sign(r, nil, at); err != nil {
		t.Fatal(err)
	}
	a := parseAuthorization(t, r.Header.Get("Authorization"))
	if !verifies(leaf, a.stringToSign(r, nil), a.signature) || r.Header.Get("X-Amz-X509-Chain") != "" {
		t.Errorf("the second signature covers %s and does not verify alone", a.signed)
	}
}

func TestWhatAWSDoesNotTakeIsNotSigned(t *testing.T) {
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := ecKey(t, elliptic.P256())
	leaf := selfSigned(t, good)
	for name, s := range map[string]Signer{
		"no key":       {Leaf: leaf},
		"P-224":        {Key: ecKey(t, elliptic.P224()), Leaf: leaf},
		"Ed25519":      {Key: edwards, Leaf: leaf},
		"chain of six": {Key: good, Leaf: leaf, Chain: []*x509.Certificate{leaf, leaf, leaf, leaf, leaf, leaf}},
	} {
		r := request(t)
		if err := s.Sign(r, nil, at); err == nil {
			t.Errorf("%s: signed", name)
		}
		if a := r.Header.Get("Authorization"); a != "" {
			t.Errorf("%s: Authorization is %s", name, a)
		}
	}
	r := request(t)
	r.URL.RawQuery = "a=1;b=2"
	if err := (Signer{Key: good, Leaf: leaf}).Sign(r, nil, at); err == nil {
		t.Error("a query that servers read in two ways was signed")
	}
}

func TestCanonicalQuery(t *testing.T) {
	for raw, want := range map[string]string{
		"":                          "",
		"b=2&a=1":                   "a=1&b=2",
		"a=2&a=1":                   "a=1&a=2",
		"a":                         "a=",
		"a=x+y":                     "a=x%20y",
		"a=%7e%2f%3A":               "a=~%2F%3A",
		"a-b=1&a=2":                 "a=2&a-b=1",
		"%C3%A9=%20":                "%C3%A9=%20",
		"arn=arn:aws:iam::1:role/x": "arn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx",
	} {
		if got, err := canonicalQuery(raw); err != nil || got != want {
			t.Errorf("canonicalQuery(%q) = %q, %v; want %q", raw, got, err, want)
		}
	}
}

func TestCanonicalValue(t *testing.T) {
	for want, values := range map[string][]string{
		"":          {},
		"a b \tc d": {"  a   b \tc     d\t"},
		"a,b":       {"a ", " b"},
	} {
		if got := canonicalValue(values); got != want {
			t.Errorf("canonicalValue(%q) = %q, want %q", values, got, want)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	f.Add("profileArn=arn%3Aaws%3Arolesanywhere&roleArn=arn:aws:iam::123456789012:role/team-a/reader", "application/json", []byte(`{"durationSeconds":3600}`))
	f.Add("b=2&a=1&a=%zz", " a  b ", []byte(nil))
	f.Add("a=b=c&&=&+", "\t", []byte("\x00"))
	f.Fuzz(func(t *testing.T, query, value string, body []byte) {
		canonical, err := canonicalQuery(query)
		if err != nil {
			return
		}
		again, err := canonicalQuery(canonical)
		if err != nil || again != canonical {
			t.Fatalf("%q becomes %q, then %q (%v)", query, canonical, again, err)
		}
		before, _ := url.ParseQuery(query)
		after, err := url.ParseQuery(canonical)
		if err != nil || len(before) != len(after) {
			t.Fatalf("%q means %v, %q means %v (%v)", query, before, canonical, after, err)
		}
		for name := range before {
			if len(before[name]) != len(after[name]) {
				t.Fatalf("%q means %v, %q means %v", query, before, canonical, after)
			}
		}
		if strings.ContainsAny(value, "\r\n") {
			return // net/http sends no such header
		}
		r := request(t)
		r.URL.RawQuery = canonical
		r.Header.Set("X-Amz-Fuzz", value)
		text := canonicalRequest(r, signedHeaders(r), body)
		if lines := strings.Count(text, "\n"); lines != 8 {
			t.Fatalf("the canonical request has %d line ends, want 8:\n%s", lines, text)
		}
		if changed := canonicalRequest(r, signedHeaders(r), append(bytes.Clone(body), 1)); changed == text {
			t.Fatal("the body does not show in the canonical request")
		}
	})
}

func request(t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequest("POST", "https://rolesanywhere.eu-west-1.amazonaws.com/sessions?b=2&a=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	return r
}

func rsaKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ecKey(t *testing.T, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// selfSigned has a serial number that does not fit in 64 bits.
func selfSigned(t *testing.T, key crypto.Signer) *x509.Certificate {
	t.Helper()
	serial, _ := new(big.Int).SetString("1000000000000000000001", 10)
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "leaf"}, NotAfter: at.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}
