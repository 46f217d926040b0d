package config

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"

	"daypass.dev/exchange"
	"daypass.dev/internal/cli"
)

// maxBundle bounds the CA bundle; Debian's whole list of public roots has 220 KB.
const maxBundle = 4 << 20

// HTTPClient makes calls to AWS through HTTPS_PROXY, trusting the CA bundle alone
// where one is given. Redirects and the time that one call may take are the
// exchange's business: it has no timeouts, each of which would wake a thread.
func (s *Settings) HTTPClient() (*http.Client, error) {
	roots, err := s.roots()
	if err != nil {
		return nil, err
	}
	proxy := http.ProxyFromEnvironment
	if s.WithoutProxy {
		proxy = nil
	}
	return &http.Client{Transport: &http.Transport{
		Proxy: proxy,
		OnProxyConnectResponse: func(_ context.Context, proxy *url.URL, _ *http.Request, answer *http.Response) error {
			if answer.StatusCode != http.StatusOK {
				return &exchange.ProxyError{Proxy: proxy.Host, Status: answer.StatusCode}
			}
			return nil
		},
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, InsecureSkipVerify: s.Unverified},
		// The next call comes in half a credential's life.
		DisableKeepAlives: true,
	}}, nil
}

func (s *Settings) roots() (*x509.CertPool, error) {
	if s.CABundle == "" {
		return nil, nil
	}
	const hint = "name a readable PEM file with --ca-bundle, DAYPASS_CA_BUNDLE or AWS_CA_BUNDLE"
	text, err := readFile("CA bundle", s.CABundle, maxBundle, hint)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, cli.Usagef(hint, "reading CA bundle %s: no certificate in it", s.CABundle)
	}
	return roots, nil
}

// readFile reads a file that a setting names, up to a limit. Errors are of
// wrong usage.
func readFile(what, path string, limit int64, hint string) ([]byte, error) {
	text, err := cli.ReadFile(path, limit)
	if err != nil {
		return nil, cli.Usagef(hint, "reading %s: %w", what, err)
	}
	return text, nil
}
