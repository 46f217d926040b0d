package proof

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// maxFile is far above any bundle that AWS would take.
const maxFile = 1 << 20

var (
	errChanging = errors.New("the files change faster than they can be read")
	errLags     = errors.New("the chain does not belong to the certificate yet")
)

// A part is one file as it was read.
type part struct {
	what, path string
	data       []byte
	info       fs.FileInfo
	opened     []*pem.Block // what data amounts to; nil until it is asked for
}

// A snapshot is all files as they were read, one after the other from at on.
type snapshot struct {
	parts []part
	at    time.Time
}

// find returns the part of that name; nil if it was not asked for.
func (s snapshot) find(what string) *part {
	for i := range s.parts {
		if s.parts[i].what == what {
			return &s.parts[i]
		}
	}
	return nil
}

// current tells whether the files are still those that were read. A file that
// was written within a clock's grain of its reading could have been written
// again without a trace, so that it counts as changed later on.
func (s snapshot) current() bool {
	return s.same() && !(s.written(grain) && time.Since(s.at) >= grain)
}

// same tells whether the files look like those that were read.
func (s snapshot) same() bool {
	for _, p := range s.parts {
		if !sameFile(look(p.path), p.info) {
			return false
		}
	}
	return true
}

// stamps are what files look like from outside, nil for one that is missing.
type stamps []fs.FileInfo

func (f *KeyFiles) stamps() stamps {
	return stamps{look(f.Certificate), look(f.PrivateKey), look(f.Intermediates)}
}

func (s stamps) same(now stamps) bool {
	return slices.EqualFunc(s, now, sameFile)
}

func look(path string) fs.FileInfo {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	return info
}

func sameFile(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// forget drops what stood in the files.
func (s snapshot) forget() {
	for i := range s.parts {
		s.parts[i].data, s.parts[i].opened = nil, nil
	}
}

const grain = 2 * time.Second

// written tells whether a file was written within so short a time before it was
// read that its fellows may still be on their way.
func (s snapshot) written(within time.Duration) bool {
	for _, p := range s.parts {
		if s.at.Sub(p.info.ModTime()).Abs() < within {
			return true
		}
	}
	return false
}

func readPart(what, path string) (part, error) {
	fail := func(err error, hint string) (part, error) {
		return part{}, &FileError{What: what, Path: path, Err: err, Hint: hint}
	}
	if reason, hint := notAPath(path); reason != "" {
		path = "" // it may be a key
		return fail(errors.New(reason), hint)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fail(bare(err), fileHint(err))
	case info.IsDir():
		return fail(errors.New("it is a directory"), "name the file in it")
	case !info.Mode().IsRegular():
		return fail(errors.New("it is no regular file"), "pipes and devices cannot be read again when the certificate is renewed; name a file")
	}
	f, err := os.Open(path)
	if err != nil {
		return fail(bare(err), fileHint(err))
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return fail(bare(err), "")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return fail(bare(err), "")
	}
	if len(data) > maxFile {
		return fail(fmt.Errorf("it is larger than %d bytes", maxFile), "")
	}
	return part{what: what, path: path, data: data, info: info}, nil
}

// notAPath tells what a setting is that cannot be a path, without quoting it.
func notAPath(path string) (reason, hint string) {
	switch {
	case path == "":
		return "no file is named", ""
	case strings.Contains(path, "-----BEGIN"), strings.Contains(path, "LS0tLS1CRUdJTi"): // the same in base64
		return "the setting holds the file's content, not its path", "write the content to a file of mode 0600 and name that"
	case strings.HasPrefix(path, "pkcs11:"), strings.HasPrefix(path, "handle:"):
		return "keys in tokens and TPMs are not supported yet", "name a PEM file"
	case len(path) > 4096, strings.ContainsAny(path, "\n\r\x00"):
		return "the setting is no path", "name a PEM file"
	}
	return "", ""
}

// bare drops the path that os puts before its errors.
func bare(err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func fileHint(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "check the path, and that what holds the file is mounted"
	case errors.Is(err, fs.ErrPermission):
		return "run as the file's owner, or let this user read it"
	}
	return ""
}
