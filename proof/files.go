package proof

import (
	"context"
	"errors"
	"log/slog"
)

// KeyFiles is a KeySource that reads PEM files and takes up what is renewed
// there. It is safe for concurrent use and must not be copied after use.
type KeyFiles struct {
	// Certificate is the file of the leaf, with or without its chain.
	Certificate string
	// PrivateKey is the file of the key, in PKCS#1, SEC 1 or PKCS#8, not
	// encrypted. Empty: the key stands in the file Certificate.
	PrivateKey string
	// Intermediates is a file of further certificates for the chain. Empty: none.
	Intermediates string
	// Log is told when a renewed key cannot be taken up. Nil: silent.
	Log *slog.Logger
}

// Key returns the key in the files; as long as no file has changed, the one
// that was read before. Errors are *FileError, or ctx's.
func (f *KeyFiles) Key(ctx context.Context) (*Key, error) {
	return nil, errors.New("not there yet")
}

// A FileError says what is wrong with one of the files that were named. It
// never quotes what stands in a file.
type FileError struct {
	// What is the file's part: "certificate", "private key" or "intermediates".
	What string
	// Path is the file; empty where the setting was no path at all.
	Path string
	Err  error
	// Hint tells how to mend it, in one line; empty if nothing is known.
	Hint string
}

func (e *FileError) Error() string {
	s := "reading " + e.What
	if e.Path != "" {
		s += " " + e.Path
	}
	return s + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }
