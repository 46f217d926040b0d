package oidc

import (
	"context"
	"strings"
	"sync"
	"time"

	"daypass.dev/sandbox/world"
)

// A Source is where one issuer's keys come from.
type Source struct {
	// Issuer is the token's iss, with https://.
	Issuer string
	// At is where the world says that they are; zero: where Issuer leads.
	At world.Issuer
	// Thumbprints are those of the account's provider.
	Thumbprints []string
}

func (s Source) base() string {
	if s.At.URL != "" {
		return s.At.URL
	}
	return strings.TrimSuffix(s.Issuer, "/")
}

func (s Source) name() string {
	return s.Issuer + "\n" + s.At.URL + "\n" + strings.Join(s.Thumbprints, " ")
}

// Issuers fetches the keys of issuers and keeps them for as long as they allow
// by Cache-Control, an hour at most, and for five minutes if they say nothing.
// A key that is not among those kept is looked for once more. Its zero value is
// ready.
type Issuers struct {
	mu   sync.Mutex
	kept map[string]*flight // :: Source.name
}

// A flight is one fetch and what came of it.
type flight struct {
	done    chan struct{} // closed when the rest is set
	keys    *Keys
	err     error
	begun   time.Time
	expires time.Time
}

// maxIssuers bounds how many are kept.
const maxIssuers = 1000

// Keys returns an issuer's keys, by which a token is to be verified. now is the
// world's time. Calls for one issuer at a time share one fetch.
func (i *Issuers) Keys(ctx context.Context, s Source, t *Token, now time.Time) (*Keys, error) {
	if s.At.JWKS != nil {
		return parseKeys(s.At.JWKS)
	}
	f, mine := i.flight(s, t.kid, now)
	if mine {
		i.fly(context.WithoutCancel(ctx), s, f) // others wait for it
	}
	select {
	case <-f.done:
		return f.keys, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (i *Issuers) fly(ctx context.Context, s Source, f *flight) {
	defer close(f.done)
	var age time.Duration
	f.keys, age, f.err = s.fetch(ctx)
	f.expires = f.begun.Add(age)
}

// flight returns the fetch to wait for, and whether the caller must do it.
func (i *Issuers) flight(s Source, kid string, now time.Time) (f *flight, mine bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	name := s.name()
	if f := i.kept[name]; f != nil && f.serves(kid, now) {
		return f, false
	}
	if i.kept == nil || len(i.kept) >= maxIssuers {
		i.kept = map[string]*flight{}
	}
	f = &flight{done: make(chan struct{}), begun: now}
	i.kept[name] = f
	return f, true
}

// serves reports whether a fetch that is under way or was made answers for a
// key at a time.
func (f *flight) serves(kid string, now time.Time) bool {
	select {
	case <-f.done:
	default:
		return true
	}
	return f.err == nil && !now.Before(f.begun) && now.Before(f.expires) && f.keys.has(kid)
}
