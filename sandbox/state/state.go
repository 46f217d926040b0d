// Package state keeps a sandbox's world in a folder, so that what has been
// acknowledged is there after a restart, however the process ended. A call's
// changes are on disk before its answer is sent; what a call costs depends on
// what it changed, not on the size of the world. Decisions, and how often a
// fault has struck, are not kept.
package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"daypass.dev/sandbox/world"
)

const (
	fileName = "world.db"
	// patience is how long a process that is just ending is waited for.
	patience = time.Second
	// gather is how long a write waits for others to share its fsync.
	gather = time.Millisecond
)

var (
	// ErrInUse says that another process has the folder's state open.
	ErrInUse = errors.New("in use by another sandbox")
	// ErrOpenToOthers says that others than its owner can enter the folder.
	ErrOpenToOthers = errors.New("open to others than its owner")
)

// pieces is the database's bucket of all things :: kind, account, name and key,
// with a zero byte after each of the first three → Piece.
func pieces() []byte { return []byte("pieces 1") }

// A Store is the state in one folder, open in this process alone.
type Store struct{ db *bbolt.DB }

// Open opens the state in a folder, and makes the folder (mode 0700) and the
// file in it (0600) if they are not there. Errors are ErrInUse and
// ErrOpenToOthers, wrapped, and those of the file system.
func Open(folder string) (s *Store, err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	info, err := os.Stat(folder)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s is %w", folder, ErrOpenToOthers)
	}
	defer damaged(&err)
	db, err := bbolt.Open(filepath.Join(folder, fileName), 0o600, &bbolt.Options{Timeout: patience})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("%s is %w", folder, ErrInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", filepath.Join(folder, fileName), err)
	}
	db.MaxBatchDelay = gather
	return &Store{db: db}, nil
}

// damaged makes an error of the panics with which bbolt meets a file that is
// none of its own.
func damaged(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the state is damaged: %v", p)
	}
}

// Close ends the use of the folder.
func (s *Store) Close() error { return s.db.Close() }

// Empty reports whether nothing is kept yet.
func (s *Store) Empty() (bool, error) {
	empty := true
	err := s.db.View(func(tx *bbolt.Tx) error {
		empty = tx.Bucket(pieces()) == nil
		return nil
	})
	return empty, err
}

// Restore puts all that is kept into a new world.
func (s *Store) Restore(w *world.World) (err error) {
	defer damaged(&err)
	return s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(pieces())
		if b == nil {
			return nil
		}
		// First the world itself, by whose clock sessions end. Then, in the order
		// of keys, a bucket comes before its objects.
		first := world.Thing{Kind: "world"}
		if settings := b.Get(key(first)); settings != nil {
			if err := w.Restore(first, settings); err != nil {
				return err
			}
		}
		return b.ForEach(func(k, v []byte) error {
			if string(k) == string(key(first)) {
				return nil
			}
			p := strings.SplitN(string(k), "\x00", 4)
			if len(p) != 4 {
				return fmt.Errorf("the state is damaged: it has a key %.50q", k)
			}
			return w.Restore(world.Thing{Kind: p[0], Account: p[1], Name: p[2], Key: p[3]}, v)
		})
	})
}

// Keep writes the whole world down and from then on, before each call is
// answered, what the call has changed. The store must stay open as long as the
// world is served.
func (s *Store) Keep(w *world.World) error {
	all := w.Things()
	known := map[string]bool{}
	for _, t := range all {
		known[string(key(t))] = true
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(pieces())
		if err != nil {
			return err
		}
		var gone [][]byte // as sessions that have ended
		_ = b.ForEach(func(k, _ []byte) error {
			if !known[string(k)] {
				gone = append(gone, k)
			}
			return nil
		})
		for _, k := range gone {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
		return write(b, w, all)
	})
	if err != nil {
		return err
	}
	w.SetKeeper(func(changed []world.Thing) error {
		if kept, err := s.kept(w, changed); kept || err != nil {
			return err
		}
		return s.db.Batch(func(tx *bbolt.Tx) error { return write(tx.Bucket(pieces()), w, changed) })
	})
	return nil
}

// kept reports whether things are on disk as they are in the world, so that
// calls that only read write nothing.
func (s *Store) kept(w *world.World, things []world.Thing) (kept bool, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(pieces())
		for _, t := range things {
			piece, err := w.Piece(t)
			if err != nil || !bytes.Equal(piece, b.Get(key(t))) {
				return err
			}
		}
		kept = true
		return nil
	})
	return kept, err
}

// write writes things as they are now: as transactions follow one another, what
// is written last is the latest.
func write(b *bbolt.Bucket, w *world.World, things []world.Thing) error {
	for _, t := range things {
		piece, err := w.Piece(t)
		switch {
		case err != nil:
			return err
		case piece == nil:
			err = b.Delete(key(t))
		case !bytes.Equal(piece, b.Get(key(t))):
			err = b.Put(key(t), piece)
		}
		if err != nil {
			return fmt.Errorf("writing the %s %s: %w", t.Kind, t.Name, err)
		}
	}
	return nil
}

func key(t world.Thing) []byte {
	return []byte(strings.Join([]string{t.Kind, t.Account, t.Name, t.Key}, "\x00"))
}
