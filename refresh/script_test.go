package refresh

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"daypass.dev"
)

const (
	plantedKey   = "planted/secret/access/key"
	plantedToken = "planted-session-token"
)

// A script is an upstream: it takes the time it is told, then answers what it
// is told, and keeps when it was called. The zero value gives credentials of
// one hour at once.
type script struct {
	mu    sync.Mutex
	begun []time.Time

	life time.Duration // of credentials; zero: an hour
	skew time.Duration // of the issuer's clock
	slow time.Duration
	err  error
}

func (s *script) Credentials(ctx context.Context) (daypass.Credentials, error) {
	s.mu.Lock()
	s.begun = append(s.begun, time.Now())
	n, slow := len(s.begun), s.slow
	s.mu.Unlock()
	if slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			return daypass.Credentials{}, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return daypass.Credentials{}, s.err
	}
	life := s.life
	if life == 0 {
		life = time.Hour
	}
	return credentials(n, time.Now().Add(s.skew), life), nil
}

// set changes the script while it runs.
func (s *script) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// calls returns when From was called so far.
func (s *script) calls() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.begun...)
}

func (s *script) expectCalls(t *testing.T, when string, want int) {
	t.Helper()
	if got := len(s.calls()); got != want {
		t.Errorf("%s: %d calls so far, want %d", when, got, want)
	}
}

func credentials(n int, issued time.Time, life time.Duration) daypass.Credentials {
	return daypass.Credentials{
		AccessKeyID: fmt.Sprintf("ASIA%d", n), SecretAccessKey: plantedKey, SessionToken: plantedToken,
		Issued: issued, Expires: issued.Add(life), RoleARN: "arn:aws:iam::123456789012:role/r",
	}
}

var (
	refusedErr   = &daypass.Error{Op: "CreateSession", Code: "AccessDeniedException", Status: 403, Hint: "look here"}
	throttledErr = &daypass.Error{Op: "CreateSession", Code: "ThrottlingException", Status: 429}
	errNetwork   = errors.New("connection refused")
)

func get(t *testing.T, s daypass.Source) daypass.Credentials {
	t.Helper()
	c, err := s.Credentials(context.Background())
	if err != nil {
		t.Fatalf("after %s: %v", time.Since(epoch), err)
	}
	if !c.Whole() {
		t.Fatalf("credentials %+v are not whole", c)
	}
	return c
}

func fails(t *testing.T, s daypass.Source, want error) {
	t.Helper()
	c, err := s.Credentials(context.Background())
	if !errors.Is(err, want) {
		t.Fatalf("after %s: got %v, want %v", time.Since(epoch), err, want)
	}
	if c != (daypass.Credentials{}) {
		t.Fatalf("credentials %+v came with an error", c)
	}
}

// epoch is when every synctest bubble begins.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
