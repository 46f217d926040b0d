package cli

import (
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Small is more than certificates, keys, tokens and policies have, in bytes.
const Small = 1 << 20

// ReadFile reads a file that a setting names, which may be anything: a device,
// or a file without end. One of more than limit bytes is an error, which like
// all errors here names the path.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("more than %d bytes", limit)}
	}
	return data, err
}
