package privateca

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
	arn := s.PrivateCA(t, mode)
	f.broken, f.every = broken, every
	return s, arn
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
