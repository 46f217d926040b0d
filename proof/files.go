package proof

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"daypass.dev"
)

// KeyFiles is a KeySource that reads files and takes up what is renewed there.
// Each of them is PEM, or PKCS#12 with whatever ending. It is safe for
// concurrent use and must not be copied after use.
type KeyFiles struct {
	// Certificate is the file of the leaf, with or without its chain. The leaf
	// is the certificate that belongs to the key, wherever in the file it
	// stands; of several the one that expires last.
	Certificate string
	// PrivateKey is the file of the key, in PKCS#1, SEC 1 or PKCS#8, encrypted
	// or not. Empty: the key stands in the file Certificate.
	PrivateKey string
	// Intermediates is a file of further certificates for the chain. Empty: none.
	Intermediates string
	// Password yields the password of the file at path; it is asked only where
	// something is encrypted, PKCS#12 with an empty password aside, and anew
	// when files have changed. Nil: there is none.
	Password func(ctx context.Context, path string) (daypass.Secret, error)
	// Wrong is told that the password was wrong: who typed it may be asked anew.
	// Nil: nobody is.
	Wrong func()
	// Log is told when a renewed key cannot be taken up. Nil: silent.
	Log *slog.Logger

	turn  turn // to use the rest
	key   *Key // the last one that was whole
	seen  snapshot
	tried stamps // the files when they were last looked at in vain
}

// Files that change while they are read, or that were written a moment ago and
// do not fit together, are read again for a second where there is nothing else
// to give: who renews a key writes its files one after the other.
const (
	attempts = 20
	pause    = 50 * time.Millisecond
	// chainPatience is how long a chain may come after its leaf.
	chainPatience = time.Minute
)

// Key returns the key in the files; as long as no file has changed, the one
// that was read before. While the files are missing or do not fit together it
// returns the last key that was whole, if there was one, even one that has
// expired. Errors are *FileError, or ctx's.
func (f *KeyFiles) Key(ctx context.Context) (*Key, error) {
	if err := f.turn.take(ctx); err != nil {
		return nil, err
	}
	defer f.turn.end()
	if f.key != nil && f.seen.current() {
		return f.key, nil
	}
	f.tried = f.stamps()
	key, seen, err := f.load(ctx)
	if err == nil && f.lags(key, seen) {
		err = errLags
	}
	if errors.Is(err, errPassword) && f.Wrong != nil {
		f.Wrong()
	}
	switch {
	case err == nil:
		f.key, f.seen, f.tried = key, seen, nil
		return key, nil
	case f.key != nil:
		if f.Log != nil {
			f.Log.Warn("keeping the old key: the new one is not whole",
				"error", err.Error(), "notAfter", f.key.Leaf.NotAfter)
		}
		return f.key, nil
	}
	return nil, err
}

// Changed tells whether it is worth while to ask Key again: since it failed, or
// kept an old key, a file has changed.
func (f *KeyFiles) Changed() bool {
	if !f.turn.free() {
		return false // somebody is asking right now
	}
	defer f.turn.end()
	if f.tried == nil {
		return f.key != nil && !f.seen.same()
	}
	return !f.tried.same(f.stamps())
}

// lags tells whether the chain is still that of an older leaf: it led from leaf
// to root before and does not now, for at most a minute.
func (f *KeyFiles) lags(key *Key, seen snapshot) bool {
	return f.key != nil && seen.written(chainPatience) && time.Now().Before(f.key.Leaf.NotAfter) &&
		f.key.complete() && !key.complete()
}

// load reads the files until they fit together; once only where an old key can
// stand in.
func (f *KeyFiles) load(ctx context.Context) (*Key, snapshot, error) {
	wait := f.key == nil || !time.Now().Before(f.key.Leaf.NotAfter)
	for attempt := 1; ; attempt++ {
		seen, err := f.read()
		var key *Key
		if err == nil {
			key, err = f.parse(ctx, seen)
		}
		if err != nil && ctx.Err() != nil {
			return nil, snapshot{}, ctx.Err() // whoever was asked for a password left
		}
		settled := seen.current()
		last := !wait || attempt == attempts
		if err == nil && settled && (last || !seen.written(grain) || key.complete()) {
			seen.forget()
			return key, seen, nil
		}
		if last {
			if err == nil {
				err = &FileError{What: certificateFile, Path: f.Certificate,
					Err: errChanging, Hint: "whatever writes the files must replace them whole and rarely"}
			}
			return nil, snapshot{}, err
		}
		if err != nil && settled && (!seen.written(grain) || errors.Is(err, errPassword)) {
			return nil, snapshot{}, err
		}
		select {
		case <-ctx.Done():
			return nil, snapshot{}, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// read takes one snapshot of all files; on an error, of those before it.
func (f *KeyFiles) read() (snapshot, error) {
	s := snapshot{at: time.Now()}
	for _, part := range []struct{ what, path string }{
		{certificateFile, f.Certificate}, {keyFile, f.PrivateKey}, {intermediatesFile, f.Intermediates},
	} {
		if part.path == "" && part.what != certificateFile {
			continue
		}
		one, err := readPart(part.what, part.path)
		if err != nil {
			return s, err
		}
		s.parts = append(s.parts, one)
	}
	return s, nil
}

// A FileError says what is wrong with one of the files that were named. It
// never quotes what stands in a file.
type FileError struct {
	// What is the file's part: "certificate", "private key", "intermediates" or
	// "web identity token".
	What string
	// Path is the file; empty where the setting was no path at all.
	Path string
	Err  error
	// Hint tells how to mend it, in one line; empty if nothing is known.
	Hint string
}

const (
	certificateFile   = "certificate"
	keyFile           = "private key"
	intermediatesFile = "intermediates"
)

func (e *FileError) Error() string {
	s := "reading " + e.What
	if e.Path != "" {
		s += " " + e.Path
	}
	return s + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// Advice returns the hint.
func (e *FileError) Advice() string { return e.Hint }
