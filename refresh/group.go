package refresh

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"daypass.dev"
)

// A Group keeps the credentials of many fresh, each under a key of its own:
// one Source for each key, whose calls take turns. It is safe for concurrent
// use and must not be copied after use; its fields must not change then.
type Group struct {
	// Rate is how many calls begin in a second at most, over all keys, evenly
	// spaced. The next is made for the key whose credentials end soonest, and
	// before all for one that has none. Zero: as many as want to.
	Rate float64
	// Dir remembers credentials for the process that follows this one, in a
	// directory of our own with mode 0700, which is best one of memory (tmpfs).
	// Empty, or one that does not fit: nothing is remembered.
	Dir string
	// Log is told of renewals and failures, and of a Dir that does not fit. Nil:
	// silent.
	Log *slog.Logger

	turns turns

	mu      sync.Mutex
	sources map[string]*Source
	dir     string // that fits; empty before the first look, and if none does
	looked  bool
	closed  bool
}

// Source returns the key's source, and makes it, by from, if there is none.
// From must not be an error's or a memory's, as in Source; changed may be nil.
// The key shapes the credentials as in Disk, and holds no secret.
func (g *Group) Source(key string, from func() (daypass.Source, func() bool)) *Source {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.sources[key]; s != nil {
		return s
	}
	s := &Source{Log: g.Log}
	s.From, s.Changed = from()
	if g.Rate > 0 {
		if g.turns.every == 0 { // once, before anybody waits for a turn
			g.turns.every = time.Duration(float64(time.Second) / g.Rate)
		}
		s.turn = g.turns.wait
	}
	if m := g.memory(key); m != nil {
		s.legacy = &legacy{in: m}
		s.recall(m.read(), time.Now())
	}
	if g.closed {
		s.end()
		return s
	}
	if g.sources == nil {
		g.sources = map[string]*Source{}
	}
	g.sources[key] = s
	return s
}

// memory is where a key's credentials are remembered; nil: nowhere. mu is held.
func (g *Group) memory(key string) *memory {
	if g.Dir != "" && !g.looked {
		g.looked = true
		if err := fits(g.Dir, nil); err == nil {
			g.dir = g.Dir
		} else if g.Log != nil {
			g.Log.Warn("not remembering credentials here", "directory", g.Dir, "error", err.Error())
		}
	}
	if g.dir == "" {
		return nil
	}
	return &memory{key: key, path: filepath.Join(g.dir, fileName(key)), log: g.Log}
}

// Drop ends and forgets the sources of all keys that keep does not want.
func (g *Group) Drop(keep func(key string) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for key, s := range g.sources {
		if keep(key) {
			continue
		}
		delete(g.sources, key)
		s.end()
		if s.legacy != nil {
			s.legacy.remove()
		}
	}
}

// A legacy is left to the process that follows this one, unless the source is
// dropped; a call that was under way then adds nothing to it.
type legacy struct {
	in *memory

	mu   sync.Mutex
	gone bool
}

func (l *legacy) write(asked time.Time, c daypass.Credentials) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone {
		return
	}
	if err := l.in.write(newDocument(l.in.key, asked, c)); err != nil {
		l.in.warn("remembering credentials", err)
	}
}

func (l *legacy) remove() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
	_ = os.Remove(l.in.path + docEnding)
}

// Statuses are those of all sources, by their keys.
func (g *Group) Statuses() map[string]Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make(map[string]Status, len(g.sources))
	for key, s := range g.sources {
		all[key] = s.Status()
	}
	return all
}

// Close ends all renewal. What is remembered stays.
func (g *Group) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, s := range g.sources {
		s.end()
	}
	return nil
}

// recall begins with what a former process was given, if it lives.
func (s *Source) recall(doc document, now time.Time) {
	if !doc.alive(now) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := now.Add(-now.Round(0).Sub(doc.Asked)) // by both clocks
	h := hold(doc.credentials(), asked, 0.4+0.1*rand.Float64())
	s.held.Store(h)
	s.wakeAfter(max(min(h.due.Sub(now), look), 0))
}

// takeTurn waits until a call may begin.
func (s *Source) takeTurn(ctx context.Context) error {
	if s.turn == nil {
		return nil
	}
	var ends time.Time
	if h := s.held.Load(); h != nil {
		ends = h.got.Add(h.life)
	}
	return s.turn(ctx, ends)
}
