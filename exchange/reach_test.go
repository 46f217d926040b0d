package exchange

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"daypass.dev"
	"daypass.dev/reason"
)

// answering is a TLS server whose root and certificate are valid until then.
func answering(t *testing.T, name string, rootEnds, leafEnds time.Time) (*httptest.Server, *x509.CertPool) {
	t.Helper()
	issue := func(serial int64, ca bool, ends time.Time, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "of the test"}, IsCA: ca,
			BasicConstraintsValid: true, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: ends, DNSNames: []string{name}}
		if ip := net.ParseIP(name); ip != nil {
			c.IPAddresses = []net.IP{ip}
		}
		if parent == nil {
			parent, by = c, key
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), by)
		if err != nil {
			t.Fatal(err)
		}
		c, err = x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c, key
	}
	root, rootKey := issue(1, true, rootEnds, nil, nil)
	leaf, key := issue(2, false, leafEnds, root, rootKey)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = nil
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(root)
	return server, roots
}

// Names of a certificate that nobody has verified come from whoever is on the
// way. The terminal is told them and does not obey them.
func TestAStrangersNamesDoNotSteerTheTerminal(t *testing.T) {
	soon := time.Now().Add(time.Hour)
	server, roots := answering(t, "a\x1b[2J\r\nhint", soon, soon)
	r := source(t, nil)
	r.Endpoint = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	r.Client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	_, err := r.Credentials(t.Context())
	if err == nil || !strings.Contains(err.Error(), "a [2J  hint") || strings.ContainsAny(err.Error(), "\x1b\r\n") {
		t.Errorf("got %q", err)
	}
	if row, _ := reason.Lookup("live-connection"); daypass.Advice(err) != row.Mend {
		t.Errorf("the cause is not told any more: %q", daypass.Advice(err))
	}
}

// Each way of not being answered that people can mend says how, by the row of
// the catalogue.
func TestAdviceOnTheWay(t *testing.T) {
	soon, over := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	tried := map[string]bool{}
	try := func(name, slug, endpoint string, roots *x509.CertPool, transport *http.Transport) {
		t.Run(name, func(t *testing.T) {
			if transport == nil {
				transport = &http.Transport{}
			}
			transport.TLSClientConfig = &tls.Config{RootCAs: roots}
			r := source(t, nil)
			r.Endpoint, r.Client = endpoint, &http.Client{Transport: transport}
			_, err := r.Credentials(t.Context())
			if err == nil {
				t.Fatal("somebody answered")
			}
			row, ok := reason.Lookup(slug)
			if slug != "" && !ok {
				t.Fatalf("the catalogue has no %s", slug)
			}
			if got := daypass.Advice(err); got != row.Mend {
				t.Errorf("%v: %q, want %q", err, got, row.Mend)
			}
			tried[slug] = true
		})
	}
	try("no such name", "live-name", "https://no-such-name.invalid", nil, nil)
	server, roots := answering(t, "127.0.0.1", over, soon)
	try("the root has expired", "live-expired", server.URL, roots, nil)
	server, roots = answering(t, "127.0.0.1", soon, over)
	try("the certificate has expired", "live-expired", server.URL, roots, nil)
	server, _ = answering(t, "127.0.0.1", soon, soon)
	try("another root", "live-connection", server.URL, roots, nil)
	server, roots = answering(t, "127.0.0.9", soon, soon)
	try("another name", "live-connection", server.URL, roots, nil)
	for slug, status := range map[string]int{"live-proxy-authentication": http.StatusProxyAuthRequired, "live-proxy": http.StatusForbidden} {
		err := &ReachError{Op: op, Host: "h", Err: &ProxyError{Proxy: "proxy:3128", Status: status}}
		if row, _ := reason.Lookup(slug); daypass.Advice(err) != row.Mend || row.Mend == "" {
			t.Errorf("%v: %q", err, daypass.Advice(err))
		}
		if !strings.Contains(err.Error(), "proxy:3128") {
			t.Error(err)
		}
	}
	try("nobody listens", "", "https://127.0.0.1:1", nil, nil)
	if len(tried) != 4 {
		t.Errorf("tried %v", tried)
	}
}
