package doctor

import (
	"bytes"
	"crypto/x509"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"daypass.dev/exchange/sigv4x509"
)

// A sessionCall is CreateSession as the signer of package sigv4x509 signs it for
// the scene's certificate.
type sessionCall struct {
	query, body string // query: of what is sent beside the three ARNs, or in place of one
	chain       bool   // the CA is sent beside the leaf
	region      string // that it is signed for; empty: us-east-1
}

// session sends it, changed after it was signed; the error is what is answered.
func (s *scene) createSession(w sessionCall, change func(*http.Request)) error {
	s.Helper()
	arns := url.Values{"roleArn": {roleARN}, "profileArn": {profileARN}, "trustAnchorArn": {anchorARN}}
	own, err := url.ParseQuery(w.query)
	if err != nil {
		s.Fatal(err)
	}
	for name, value := range own {
		arns[name] = append(arns[name], value...)
	}
	body := []byte(w.body)
	r, err := http.NewRequestWithContext(s.Context(), http.MethodPost, "https://rolesanywhere.us-east-1.amazonaws.com/sessions?"+arns.Encode(), bytes.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if w.region == "" {
		w.region = "us-east-1"
	}
	signer := sigv4x509.Signer{Key: s.leaf.key, Leaf: s.leaf.cert, Region: w.region, Service: "rolesanywhere"}
	if w.chain {
		signer.Chain = []*x509.Certificate{s.ca.cert}
	}
	if err := signer.Sign(r, body, s.box.World.Now()); err != nil {
		s.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	return answered(s, s.box.ProxyClient(), r)
}

func newBearer(t *testing.T) *caller {
	t.Helper()
	s := newScene(t)
	return &caller{scene: s, admin: quiet(s.box.Config())}
}

func anywhereRefusals() []refusal { return append(bearerRefusals(), deskRefusals()...) }

// bearerRefusals: CreateSession, as no client of ours sends it.
func bearerRefusals() []refusal {
	const ecdsa = "AWS4-X509-ECDSA-SHA256"
	sound := sessionCall{body: "{}"}
	sent := func(slug string, w sessionCall, change func(*http.Request)) refusal {
		return refusal{slug: slug,
			call: func(c *caller) error { return c.createSession(w, change) }, instead: func(c *caller) error { return c.createSession(sound, nil) }}
	}
	changed := func(slug string, change func(*http.Request)) refusal { return sent(slug, sound, change) }
	written := func(slug, query, body string) refusal {
		return sent(slug, sessionCall{query: query, body: body}, nil)
	}
	return []refusal{
		changed("x509-authorization", authorization("Signature=", "Sign=")),
		changed("x509-algorithm", authorization(ecdsa, "AWS4-X509-RSA-SHA256")),
		changed("x509-mldsa", authorization(ecdsa, "AWS4-X509-MLDSA")),
		changed("x509-header", header("X-Amz-X509", "-----BEGIN CERTIFICATE-----")),
		sent("x509-chain-header", sessionCall{body: "{}", chain: true}, header("X-Amz-X509-Chain", ",")),
		changed("x509-unsigned-header", authorization(";x-amz-x509", "")),
		changed("x509-date", header("X-Amz-Date", "2026-03-04T05:06:07Z")),
		sent("x509-scope", sessionCall{body: "{}", region: "eu-west-1"}, nil),
		changed("x509-serial", authorization("Credential=", "Credential=1")),
		changed("x509-signature", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("[]")) }),
		written("session-body", "", "[]"),
		written("session-parameter", "roleArn="+url.QueryEscape(roleARN+"s"), "{}"),
		written("session-properties", "", `{"instanceProperties":{"rack":""}}`),
	}
}
