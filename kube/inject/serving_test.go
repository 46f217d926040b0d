package inject

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const dnsName = "daypass-webhook.daypass.svc"

func authority(t testing.TB, now time.Time) (Authority, []byte) {
	t.Helper()
	a, err := NewAuthority([]string{dnsName}, now)
	if err != nil {
		t.Fatal(err)
	}
	text, err := a.PEM()
	if err != nil {
		t.Fatal(err)
	}
	return a, text
}

// replace puts text into path as Kubernetes does: whole, by a rename.
func replace(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func pool(bundle []byte) *x509.CertPool {
	p := x509.NewCertPool()
	p.AppendCertsFromPEM(bundle)
	return p
}

func verify(c *tls.Certificate, bundle []byte, at time.Time) error {
	_, err := c.Leaf.Verify(x509.VerifyOptions{DNSName: dnsName, Roots: pool(bundle), CurrentTime: at})
	return err
}

func TestServingCertificates(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	file := filepath.Join(t.TempDir(), "authority.pem")
	var log bytes.Buffer
	s := &Serving{File: file, Log: slog.New(slog.NewTextHandler(&log, nil)), now: func() time.Time { return now }}
	get := func(after time.Duration) (*tls.Certificate, error) {
		now = now.Add(after)
		return s.GetCertificate(nil)
	}
	must := func(after time.Duration) *tls.Certificate {
		t.Helper()
		c, err := get(after)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if _, err := get(0); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("no file: %v", err)
	}
	old, text := authority(t, now)
	replace(t, file, text)
	first := must(look)
	if err := verify(first, old.public(), now); err != nil {
		t.Error(err)
	}
	if must(time.Hour) != first || must(10*time.Hour) != first {
		t.Error("made anew before half its life")
	}
	second := must(time.Hour)
	if second == first || verify(second, old.public(), now) != nil {
		t.Error("not renewed at half its life")
	}

	// Another authority, and a bundle for both.
	next, text := authority(t, now)
	bundle := next.Trust(old.public(), now)
	replace(t, file, text)
	if must(look/2) != second {
		t.Error("the file is read again too soon")
	}
	third := must(look)
	if verify(third, bundle, now) != nil || verify(second, bundle, now) != nil || verify(third, old.public(), now) == nil {
		t.Error("the new authority does not sign, or the bundle does not hold both")
	}

	// What cannot be read changes nothing, while the certificate lasts.
	for name, broken := range map[string][]byte{
		"empty": {}, "half": text[:len(text)/2], "no key": next.public(), "a leaf": pairPEM(t, third), "huge": make([]byte, maxAuthority+1),
	} {
		replace(t, file, broken)
		if c, err := get(look); err != nil || c != third {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !strings.Contains(log.String(), "not renewed") || strings.Contains(log.String(), "PRIVATE") {
		t.Errorf("the log is %q", log.String())
	}
	if c, err := get(servingLife); err == nil {
		t.Errorf("an ended certificate is served: %v", c.Leaf.NotAfter)
	}
	replace(t, file, text)
	if c := must(look); verify(c, bundle, now) != nil {
		t.Error("does not recover")
	}
	// An authority that has ended signs nothing more.
	if _, err := get(authorityLife); err == nil || !strings.Contains(err.Error(), "the authority ended on") {
		t.Errorf("%v", err)
	}
}

func pairPEM(t *testing.T, c *tls.Certificate) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Leaf.Raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
}

// A stolen authority vouches for the webhook's names only.
func TestAuthorityIsBound(t *testing.T) {
	now := time.Now()
	a, _ := authority(t, now)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dnsName, "kubernetes.default.svc"} {
		leaf := template("x", now, time.Hour)
		leaf.DNSNames, leaf.ExtKeyUsage = []string{name}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		der, err := x509.CreateCertificate(rand.Reader, leaf, a.Certificate, key.Public(), a.key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Verify(x509.VerifyOptions{DNSName: name, Roots: pool(a.public())})
		if (err == nil) != (name == dnsName) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewAuthority(nil, now); err == nil {
		t.Error("an authority for any name")
	}
}

func TestTrustKeepsOneBefore(t *testing.T) {
	now := time.Now()
	a, _ := authority(t, now)
	b, text := authority(t, now)
	c, _ := authority(t, now)
	gone, _ := authority(t, now.Add(-2*authorityLife))
	for name, test := range map[string]struct{ before, want []byte }{
		"nothing":  {nil, c.public()},
		"one":      {a.public(), append(c.public(), a.public()...)},
		"two":      {append(b.public(), a.public()...), append(c.public(), b.public()...)},
		"itself":   {c.public(), c.public()},
		"ended":    {append(gone.public(), a.public()...), append(c.public(), a.public()...)},
		"no PEM":   {[]byte("Cg=="), c.public()},
		"with key": {text, append(c.public(), b.public()...)},
	} {
		if got := c.Trust(test.before, now); !bytes.Equal(got, test.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
	again, err := ParseAuthority(text)
	if err != nil || !again.Certificate.Equal(b.Certificate) {
		t.Errorf("%v", err)
	}
}

// Authorities change, and change back, under reviews that never stop, on
// connections that last and on new ones. None fails.
func TestRotationUnderReviews(t *testing.T) {
	const rounds = 6
	g := readGolden(t, "testdata/cluster-token.txtar")
	file := filepath.Join(t.TempDir(), "authority.pem")
	old, text := authority(t, time.Now())
	replace(t, file, text)
	var ahead atomic.Int64
	s := &Serving{File: file, now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }}
	server := httptest.NewUnstartedServer(g.webhook())
	server.TLS = &tls.Config{GetCertificate: s.GetCertificate}
	server.StartTLS()
	defer server.Close()

	client := func(bundle []byte, keep bool) *http.Client {
		return &http.Client{Transport: &http.Transport{DisableKeepAlives: !keep,
			TLSClientConfig: &tls.Config{RootCAs: pool(bundle), ServerName: dnsName}}}
	}
	type clients struct{ lasting, fresh *http.Client }
	var using atomic.Pointer[clients]
	bundle := old.Trust(nil, time.Now())
	using.Store(&clients{client(bundle, true), client(bundle, false)})

	body := review(g.pod)
	stop := make(chan struct{})
	var done sync.WaitGroup
	var asked, failed atomic.Int64
	for i := range 4 {
		done.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c := using.Load().lasting
				if i%2 == 0 {
					c = using.Load().fresh
				}
				asked.Add(1)
				answer, err := c.Post(server.URL, "application/json", bytes.NewReader(body))
				if err != nil {
					failed.Add(1)
					t.Error(err)
					return
				}
				answer.Body.Close()
				if answer.StatusCode != http.StatusOK {
					failed.Add(1)
					t.Errorf("status %d", answer.StatusCode)
				}
			}
		})
	}
	serials := map[string]bool{}
	for range rounds {
		next, text := authority(t, time.Now())
		bundle = next.Trust(bundle, time.Now()) // first what the API server trusts
		using.Store(&clients{client(bundle, true), client(bundle, false)})
		before := asked.Load()
		waitFor(t, func() bool { return asked.Load() > before+50 })
		replace(t, file, text) // then what the webhook signs with
		ahead.Add(int64(look))
		before = asked.Load()
		waitFor(t, func() bool { return asked.Load() > before+50 })
		c, err := s.GetCertificate(nil)
		if err != nil || verify(c, next.public(), time.Now()) != nil {
			t.Fatalf("the new authority does not sign: %v", err)
		}
		serials[c.Leaf.SerialNumber.String()] = true
	}
	close(stop)
	done.Wait()
	if len(serials) != rounds || failed.Load() > 0 {
		t.Errorf("%d certificates in %d rounds, %d of %d reviews failed", len(serials), rounds, failed.Load(), asked.Load())
	}
}

func waitFor(t *testing.T, what func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !what(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing more is asked")
		}
	}
}
