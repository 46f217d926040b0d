// Package sandboxtest starts a sandbox inside a test: a real listener on
// loopback, a world of the test's own, an administrator's key, and clients
// that trust it. When the test ends, it fails if any refusal had no row in the
// catalogue of reasons.
package sandboxtest

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"

	"daypass.dev/internal/sdk"
	"daypass.dev/policy"
	"daypass.dev/reason"
	"daypass.dev/sandbox"
	"daypass.dev/sandbox/world"
)

// A Sandbox is one that runs until its test ends.
type Sandbox struct {
	// URL is its HTTPS address, ProxyURL that for HTTPS_PROXY and HTTP_PROXY.
	URL, ProxyURL string
	// CAFile holds the certificate of its CA in PEM.
	CAFile string
	// Admin may do everything in the world's home account.
	Admin world.AccessKey
	World *world.World

	roots *x509.CertPool
}

// Start runs a sandbox of a world, or of one that is described in YAML; an
// empty text is a world with one empty account.
func Start[W string | *world.World](t testing.TB, from W) *Sandbox {
	t.Helper()
	w := load(t, from)
	return StartHandler(t, w, sandbox.New(w))
}

// StartHandler is Start for a handler of the caller's own around the world, as
// one that counts or changes calls on their way to sandbox.New.
func StartHandler(t testing.TB, w *world.World, h http.Handler) *Sandbox {
	t.Helper()
	server, err := sandbox.Listen("127.0.0.1:0", h)
	if err != nil {
		t.Fatal(err)
	}
	s := &Sandbox{
		URL: server.URL(), ProxyURL: server.ProxyURL(), World: w,
		CAFile: filepath.Join(t.TempDir(), "sandbox-ca.pem"),
		Admin:  w.Administrator(w.Home), roots: x509.NewCertPool(),
	}
	s.roots.AppendCertsFromPEM(server.CA())
	if err := os.WriteFile(s.CAFile, server.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("closing the sandbox: %v", err)
		}
		CheckReasons(t, w.Decisions())
	})
	return s
}

func load(t testing.TB, from any) *world.World {
	t.Helper()
	w, ok := from.(*world.World)
	if ok {
		return w
	}
	w, err := world.Parse("world.yaml", []byte(from.(string)))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// CheckReasons fails the test for each refusal without a reason that the
// catalogue has, and for each panic.
func CheckReasons(t testing.TB, decisions []world.Decision) {
	t.Helper()
	for _, d := range decisions {
		if d.Code == "" {
			continue
		}
		if strings.HasPrefix(d.Detail, "panic: ") {
			t.Errorf("%s %s: %s", d.Service, d.Operation, d.Detail)
		}
		if _, ok := reason.Lookup(d.Reason); !ok {
			t.Errorf("%s %s was refused with %s for reason %q, which is not in the catalogue", d.Service, d.Operation, d.Code, d.Reason)
		}
	}
}

// Decisions are the records of all calls so far, the oldest first.
func (s *Sandbox) Decisions() []world.Decision { return s.World.Decisions() }

// Last is the latest decision about an operation; it fails the test if there
// is none.
func (s *Sandbox) Last(t testing.TB, operation string) world.Decision {
	t.Helper()
	all := s.Decisions()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Operation == operation {
			return all[i]
		}
	}
	t.Fatalf("no call of %s was recorded", operation)
	return world.Decision{}
}

// Env are the variables, as NAME=value, by which SDKs and the AWS CLI find the
// sandbox and sign as its administrator.
func (s *Sandbox) Env() []string {
	return sandbox.Environment(s.URL, s.CAFile, s.World.Region, s.Admin)
}

// Client is an HTTP client that trusts the sandbox.
func (s *Sandbox) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: s.tls()}}
}

// ProxyClient is an HTTP client that trusts the sandbox and reaches every host
// name through it.
func (s *Sandbox) ProxyClient() *http.Client {
	u, err := url.Parse(s.ProxyURL)
	if err != nil {
		panic(err) // made from a listener's address
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: s.tls(), Proxy: http.ProxyURL(u)}}
}

func (s *Sandbox) tls() *tls.Config {
	return &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}
}

// Config is for clients of the AWS SDK that sign as the administrator.
func (s *Sandbox) Config() aws.Config { return s.ConfigFor(s.Admin.ID, s.Admin.Secret, "") }

// User makes a user of an account, which is made if need be, and is a
// configuration for clients that sign as that user. The document is its only
// policy, as JSON; empty, it may do nothing.
func (s *Sandbox) User(t testing.TB, account, name, document string) aws.Config {
	t.Helper()
	key := world.AccessKey{ID: world.NewAccessKeyID("AKIA", account), Secret: world.NewSecret()}
	s.World.Lock()
	defer s.World.Unlock()
	u := s.World.AddAccount(account).AddUser(name, "/")
	u.Keys = []world.AccessKey{key}
	if document != "" {
		doc, err := policy.Parse(policy.Identity, document)
		if err != nil {
			t.Fatalf("%v in %s", err, document)
		}
		u.Inline["own"] = doc
	}
	return s.ConfigFor(key.ID, key.Secret, "")
}

// Query sends a form of the query protocol as whoever the configuration is of,
// for calls that no SDK would make, and returns status and answer.
func (s *Sandbox) Query(t testing.TB, as aws.Config, service, form string) (int, []byte) {
	t.Helper()
	keys, err := as.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sum := sha256.Sum256([]byte(form))
	if err := v4.NewSigner().SignHTTP(t.Context(), keys, r, hex.EncodeToString(sum[:]), service, as.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	answer, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, text
}

// ConfigFor is for clients of the AWS SDK that sign with the given keys; an
// empty session token is that of a long-term key.
func (s *Sandbox) ConfigFor(accessKeyID, secret, sessionToken string) aws.Config {
	return aws.Config{
		Region: s.World.Region, BaseEndpoint: aws.String(s.URL), HTTPClient: sdk.Patient{HTTPClient: s.Client()},
		Credentials: credentials.NewStaticCredentialsProvider(accessKeyID, secret, sessionToken),
	}
}

// AtOnce makes n calls at the same time and returns what went wrong with each:
// AWS's code, or the error's text where it has none; empty: nothing.
func AtOnce(n int, call func(i int) error) []string {
	wrong := make([]string, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			err := call(i)
			var api smithy.APIError
			switch {
			case errors.As(err, &api):
				wrong[i] = api.ErrorCode()
			case err != nil:
				wrong[i] = err.Error()
			}
		})
	}
	all.Wait()
	return wrong
}
