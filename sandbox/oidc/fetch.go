package oidc

import (
	"context"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"daypass.dev/sandbox/world"
)

const (
	// fetchTime bounds discovery and keys together. STS's own patience is not
	// known.
	fetchTime = 5 * time.Second
	// maxAnswer bounds each document, in bytes.
	maxAnswer    = 1 << 20
	maxRedirects = 3
)

// errRedirect is why a redirect was not followed.
var errRedirect = errors.New("redirected to another scheme, or too often")

// fetch reads an issuer's discovery document and its keys, and says for how
// long they may be kept.
func (s Source) fetch(ctx context.Context) (*Keys, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	client := s.client()
	defer client.CloseIdleConnections()
	data, discoveryAge, err := get(ctx, client, s.base()+"/.well-known/openid-configuration")
	if err != nil {
		return nil, 0, err
	}
	uri, err := s.keysURL(data)
	if err != nil {
		return nil, 0, err
	}
	data, keysAge, err := get(ctx, client, uri)
	if err != nil {
		return nil, 0, err
	}
	keys, err := parseKeys(data)
	return keys, min(discoveryAge, keysAge), err
}

// keysURL reads jwks_uri out of a discovery document.
func (s Source) keysURL(data []byte) (string, error) {
	var doc struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return "", invalid("issuer-discovery", noKey, "the discovery document of %s is no JSON object", s.Issuer)
	}
	if doc.Issuer != s.Issuer {
		return "", invalid("issuer-mismatch", noKey, "the discovery document of %s is that of the issuer %q", s.Issuer, short(doc.Issuer))
	}
	uri := doc.JWKSURI
	if rest, own := strings.CutPrefix(uri, s.Issuer+"/"); own && s.At.URL != "" {
		uri = s.At.URL + "/" + rest
	}
	u, err := url.Parse(uri)
	allowed := err == nil && u.Hostname() != "" && (u.Scheme == "https" || u.Scheme == "http" && strings.HasPrefix(s.At.URL, "http://"))
	if !allowed {
		return "", invalid("issuer-discovery", noKey, "the jwks_uri of %s is %q, which is no https URL", s.Issuer, short(uri))
	}
	return uri, nil
}

// client trusts what the machine trusts and, failing that, the certificates
// whose thumbprints the provider lists, as AWS does. It stays with the scheme
// that it was sent to, and knows no proxy.
func (s Source) client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{DialTLSContext: s.dial, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects || r.URL.Scheme != via[0].URL.Scheme {
				return errRedirect
			}
			return nil
		},
	}
}

func (s Source) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	d := tls.Dialer{Config: &tls.Config{
		ServerName: host, MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: true, // for VerifyConnection, which is told no address
		VerifyConnection:   func(c tls.ConnectionState) error { return verify(host, c.PeerCertificates, s.Thumbprints) },
	}}
	return d.DialContext(ctx, network, address)
}

// verify holds a server's certificate to the machine's roots and, if that
// fails, to the last of the chain that the server sends, where its thumbprint
// is listed. Names and times count in both cases.
func verify(host string, chain []*x509.Certificate, thumbprints []string) error {
	options := x509.VerifyOptions{Intermediates: x509.NewCertPool()}
	for _, cert := range chain[1:] {
		options.Intermediates.AddCert(cert)
	}
	_, err := chain[0].Verify(options)
	if last := chain[len(chain)-1]; err != nil && slices.Contains(thumbprints, thumbprint(last)) {
		options.Roots = x509.NewCertPool()
		options.Roots.AddCert(last)
		_, err = chain[0].Verify(options)
	}
	if err == nil {
		err = chain[0].VerifyHostname(host)
	}
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	return nil
}

func thumbprint(cert *x509.Certificate) string {
	sum := sha1.Sum(cert.Raw)
	return hex.EncodeToString(sum[:])
}

// Thumbprint asks an issuer's server for the thumbprint of the last certificate
// of its chain, by which IAM fills in what CreateOpenIDConnectProvider leaves
// out. url is the issuer's without https://.
func Thumbprint(ctx context.Context, url string) (string, error) {
	host, _, _ := strings.Cut(url, "/")
	print, err := lastThumbprint(ctx, net.JoinHostPort(host, "443"))
	if err != nil {
		return "", &world.Refusal{
			Slug: "provider-unreachable", Code: "OpenIdIdpCommunicationError", Status: http.StatusBadRequest,
			Message: "Could not connect to https://" + url, Detail: "connecting to " + host + ": " + err.Error(),
		}
	}
	return print, nil
}

func lastThumbprint(ctx context.Context, address string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}} // nothing is sent
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	chain := conn.(*tls.Conn).ConnectionState().PeerCertificates
	return thumbprint(chain[len(chain)-1]), nil
}

// get reads one document, and for how long it may be kept.
func get(ctx context.Context, client *http.Client, at string) ([]byte, time.Duration, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, 0, invalid("issuer-discovery", noKey, "%s is no URL", short(at))
	}
	// Of two types: an API server of Kubernetes gives its keys only to who takes
	// the second.
	r.Header.Set("Accept", "application/json, application/jwk-set+json")
	answer, err := client.Do(r)
	if err != nil {
		return nil, 0, unreachable(at, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, 0, invalid("issuer-status", noKey, "%s answers %s", at, short(answer.Status))
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return nil, 0, unreachable(at, err)
	}
	if len(data) > maxAnswer {
		return nil, 0, invalid("issuer-too-large", noKey, "%s answers more than %d bytes", at, maxAnswer)
	}
	return data, lifetime(answer.Header), nil
}

// unreachable tells apart why nothing came.
func unreachable(at string, err error) error {
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, errRedirect):
		return invalid("issuer-redirect", noKey, "%s %v", at, errRedirect)
	case errors.As(err, &certificate):
		return invalid("issuer-certificate", noKey, "the certificate of %s is not to be trusted: %v", at, certificate.Err)
	case errors.Is(err, context.DeadlineExceeded):
		return invalid("issuer-slow", noKey, "%s has not answered within %v", at, fetchTime)
	}
	return invalid("issuer-unreachable", noKey, "reading %s: %v", at, err)
}

const (
	// unsaid is for how long a document is kept that says nothing of it. STS's
	// own choice is not known; it keeps none that forbids it (recorded).
	unsaid  = 5 * time.Minute
	longest = time.Hour
)

// lifetime reads Cache-Control.
func lifetime(h http.Header) time.Duration {
	age := unsaid
	for _, word := range strings.Split(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(word)), "=")
		switch name {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			if n, err := strconv.Atoi(value); err == nil {
				age = min(longest, time.Duration(max(n, 0))*time.Second)
			}
		}
	}
	return age
}
