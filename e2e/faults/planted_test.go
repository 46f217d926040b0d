package faults

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"daypass.dev/pki"
)

// planted are the secrets that a scene knows, by kind, in every form in which
// they might be printed.
type planted map[string][]string

func (p planted) add(t *testing.T, kind, secret string) {
	t.Helper()
	if len(secret) < 16 {
		t.Fatalf("%s: %d characters are too few to be found by", kind, len(secret))
	}
	forms := []string{
		secret, url.QueryEscape(secret), hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret)),
	}
	if len(secret) > 64 {
		forms = append(forms, secret[:32], secret[len(secret)-32:]) // as where a text is cut
	}
	p[kind] = append(p[kind], forms...)
}

// addBytes is add for what is no text.
func (p planted) addBytes(kind string, secret []byte) {
	p[kind] = append(p[kind], hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)),
		base64.RawStdEncoding.EncodeToString(secret), base64.RawURLEncoding.EncodeToString(secret), string(secret))
}

// addKey plants a private key: all of it, the numbers that make it, and the
// lines of its PEM, without those that hold nothing but the public key.
func (p planted) addKey(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		raw, err := base64.StdEncoding.DecodeString(line)
		if err == nil && len(raw) > 30 && !bytes.Contains(public, raw) {
			p["line of the private key"] = append(p["line of the private key"], line)
		}
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p.addBytes("private key", der)
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		scalar, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		p.addBytes("number of the private key", scalar)
	case *rsa.PrivateKey:
		p.addBytes("number of the private key", key.D.Bytes())
		p.addBytes("number of the private key", key.Primes[0].Bytes())
		p.addBytes("number of the private key", key.Primes[1].Bytes())
	default:
		t.Fatalf("a key of type %T", key)
	}
}

// answers finds the secrets in what a caller is meant to get.
var answers = regexp.MustCompile(`(?i)(secret_?access_?key|session_?token|authorization_token|"token)"?\s*[:=]\s*["']?([A-Za-z0-9+/=_-]{16,})`)

func (p planted) addAnswer(t *testing.T, from, text string) {
	t.Helper()
	found := answers.FindAllStringSubmatch(text, -1)
	if len(found) == 0 {
		t.Fatalf("%s: no secret in the answer:\n%s", from, text)
	}
	for _, m := range found {
		kind := strings.ToLower(strings.NewReplacer("_", "", `"`, "").Replace(m[1]))
		p.add(t, kind, m[2])
	}
}

// in returns the kinds of secrets that a text holds.
func (p planted) in(text string) (kinds []string) {
	for kind, forms := range p {
		if slices.ContainsFunc(forms, func(form string) bool { return strings.Contains(text, form) }) {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}

// sinks are the texts that must hold no secret, by where they went.
type sinks map[string]string

func (s sinks) add(where, text string) { s[where] += text + "\n" }

// search fails the test for each secret in each sink; and where a kind of
// secret was not planted, a sink is empty, or what holds secrets (the control)
// seems to hold none.
func search(t *testing.T, p planted, s sinks, must []string, control string) {
	t.Helper()
	for _, kind := range must {
		if len(p[kind]) == 0 {
			t.Errorf("no %s was planted", kind)
		}
	}
	if found := p.in(control); len(found) < 4 {
		t.Errorf("only %q are found where there are more", found)
	}
	for _, where := range slices.Sorted(maps.Keys(s)) {
		if strings.TrimSpace(s[where]) == "" {
			t.Errorf("%s: nothing was collected", where)
		}
		for _, kind := range p.in(s[where]) {
			t.Errorf("%s: holds a %s", where, kind)
		}
	}
	t.Logf("%d kinds of secrets were looked for in %d sinks", len(p), len(s))
}
