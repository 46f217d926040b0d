package privateca

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acmpca"
	"github.com/aws/aws-sdk-go-v2/service/acmpca/types"

	"daypass.dev/sandbox"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

// failing is a Private CA behind what goes wrong on the way to it.
type failing struct {
	to http.Handler
	// every is the shortest time between two calls of IssueCertificate that are
	// not throttled; 0: no throttling.
	every time.Duration
	// broken is how many of 100 calls go wrong, in one of four ways.
	broken int

	seen                       atomic.Int64 // calls of Private CA
	mu                         sync.Mutex
	next                       time.Time
	throttled, failed, unheard int
}

func (f *failing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	if !strings.HasPrefix(target, "ACMPrivateCA.") {
		f.to.ServeHTTP(w, r)
		return
	}
	f.seen.Add(1)
	if strings.HasSuffix(target, ".IssueCertificate") && f.tooSoon() {
		say(w, 400, "ThrottlingException")
		return
	}
	if rand.IntN(100) >= f.broken {
		f.to.ServeHTTP(w, r)
		return
	}
	switch rand.IntN(4) {
	case 0:
		f.count(&f.failed)
		say(w, 500, "InternalServerError")
	case 1:
		f.count(&f.throttled)
		say(w, 429, "TooManyRequestsException")
	case 2: // accepted, and the answer is lost
		f.to.ServeHTTP(httptest.NewRecorder(), r)
		f.count(&f.unheard)
		panic(http.ErrAbortHandler)
	case 3: // accepted, and the answer comes after the caller's patience
		f.to.ServeHTTP(httptest.NewRecorder(), r)
		f.count(&f.unheard)
		select {
		case <-r.Context().Done():
		case <-time.After(25 * time.Second):
		}
		panic(http.ErrAbortHandler)
	}
}

func (f *failing) tooSoon() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if now.Before(f.next) {
		f.throttled++
		return true
	}
	f.next = now.Add(f.every)
	return false
}

func (f *failing) count(n *int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*n++
}

func say(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"__type":"` + code + `","message":"for the test"}`))
}

// newCA starts a sandbox behind f and makes a private CA in it.
func newCA(t *testing.T, f *failing, mode types.CertificateAuthorityUsageMode) (*sandboxtest.Sandbox, string) {
	t.Helper()
	w := world.New()
	f.to = sandbox.New(w)
	broken, every := f.broken, f.every
	f.broken, f.every = 0, 0
	s := sandboxtest.StartHandler(t, w, f)
	arn := makeCA(t, acmpca.NewFromConfig(s.Config()), mode)
	f.broken, f.every = broken, every
	return s, arn
}

// makeCA makes an active root CA.
func makeCA(t *testing.T, c *acmpca.Client, mode types.CertificateAuthorityUsageMode) string {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	made, err := c.CreateCertificateAuthority(ctx, &acmpca.CreateCertificateAuthorityInput{
		CertificateAuthorityType: types.CertificateAuthorityTypeRoot, UsageMode: mode,
		CertificateAuthorityConfiguration: &types.CertificateAuthorityConfiguration{
			KeyAlgorithm: types.KeyAlgorithmEcPrime256v1, SigningAlgorithm: types.SigningAlgorithmSha256withecdsa,
			Subject: &types.ASN1Subject{Organization: aws.String("Example"), CommonName: aws.String("Private CA")},
		},
	})
	must(err)
	ca := made.CertificateAuthorityArn
	csr := &acmpca.GetCertificateAuthorityCsrInput{CertificateAuthorityArn: ca}
	must(acmpca.NewCertificateAuthorityCSRCreatedWaiter(c).Wait(ctx, csr, time.Minute))
	request, err := c.GetCertificateAuthorityCsr(ctx, csr)
	must(err)
	issued, err := c.IssueCertificate(ctx, &acmpca.IssueCertificateInput{
		CertificateAuthorityArn: ca, Csr: []byte(*request.Csr), SigningAlgorithm: types.SigningAlgorithmSha256withecdsa,
		TemplateArn: aws.String("arn:aws:acm-pca:::template/RootCACertificate/V1"),
		Validity:    &types.Validity{Type: types.ValidityPeriodTypeYears, Value: aws.Int64(10)},
	})
	must(err)
	get := &acmpca.GetCertificateInput{CertificateAuthorityArn: ca, CertificateArn: issued.CertificateArn}
	must(acmpca.NewCertificateIssuedWaiter(c).Wait(ctx, get, time.Minute))
	got, err := c.GetCertificate(ctx, get)
	must(err)
	_, err = c.ImportCertificateAuthorityCertificate(ctx, &acmpca.ImportCertificateAuthorityCertificateInput{
		CertificateAuthorityArn: ca, Certificate: bytes.TrimSpace([]byte(*got.Certificate)),
	})
	must(err)
	return *ca
}

// issued counts the leaves that the CA has really made.
func issued(s *sandboxtest.Sandbox, ca string) int {
	s.World.RLock()
	defer s.World.RUnlock()
	n := 0
	for _, a := range s.World.Accounts {
		for _, c := range a.PrivateCertificates {
			if c.CA == ca && !strings.Contains(c.Template, "RootCACertificate") {
				n++
			}
		}
	}
	return n
}
