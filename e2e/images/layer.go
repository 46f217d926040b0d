package images

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// A Layer is a set of files. Later layers cover earlier ones.
type Layer struct {
	Files []File
	// Tree is a folder that is taken whole, with its owners and modes; Under
	// is where in the image it goes.
	Tree  string
	Under string
	// Archive is a tar of a whole root, instead of Tree.
	Archive string
	// Skip leaves paths of Tree or Archive (as in the image, without a leading
	// slash) out, with all below them.
	Skip func(path string) bool
}

// A File is one file of an image, owned by root.
type File struct {
	Path string // in the image, without a leading slash
	// Exactly one of these says what it holds.
	From string // a file on this machine
	Text []byte
	Link string // the target of a symbolic link
	// Mode; 0 means 0755, as most files here are programs.
	Mode int64
}

// entry is a member of a layer's tar, with what follows its header.
type entry struct {
	header tar.Header
	from   string
	text   []byte
}

// tar makes the layer's archive.
func (l Layer) tar() ([]byte, error) {
	entries := map[string]entry{}
	if l.Tree != "" {
		if err := l.walk(entries); err != nil {
			return nil, err
		}
	}
	if l.Archive != "" {
		if err := l.unpack(entries); err != nil {
			return nil, err
		}
	}
	for _, f := range l.Files {
		if f.Path != path.Clean(f.Path) || path.IsAbs(f.Path) || strings.HasPrefix(f.Path, "..") {
			return nil, fmt.Errorf("path %q must be clean and relative", f.Path)
		}
		e := entry{header: tar.Header{Name: f.Path, Mode: f.Mode, Typeflag: tar.TypeReg}, from: f.From, text: f.Text}
		if e.header.Mode == 0 {
			e.header.Mode = 0o755
		}
		if f.Link != "" {
			e.header.Typeflag, e.header.Linkname, e.header.Mode = tar.TypeSymlink, f.Link, 0o777
		}
		entries[f.Path] = e
	}
	parents(entries)
	return archive(entries)
}

// parents adds the folders that nobody has described.
func parents(entries map[string]entry) {
	for name := range entries {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, ok := entries[dir]; !ok {
				entries[dir] = entry{header: tar.Header{Name: dir + "/", Mode: 0o755, Typeflag: tar.TypeDir}}
			}
		}
	}
}

func hard(e entry) int {
	if e.header.Typeflag == tar.TypeLink {
		return 1
	}
	return 0
}

func archive(entries map[string]entry) ([]byte, error) {
	var names []string
	for name := range entries {
		names = append(names, name)
	}
	// A folder sorts before what is in it; hard links come last, after what
	// they are links to.
	slices.SortFunc(names, func(a, b string) int {
		if links := hard(entries[a]) - hard(entries[b]); links != 0 {
			return links
		}
		return strings.Compare(a, b)
	})
	var out bytes.Buffer
	room := 0
	for _, e := range entries {
		const around = 3 << 9 // headers, and the last block's rest
		room += len(e.text) + around
		if e.from == "" {
			continue
		}
		if info, err := os.Stat(e.from); err == nil {
			room += int(info.Size())
		}
	}
	out.Grow(room)
	w := tar.NewWriter(&out)
	for _, name := range names {
		e := entries[name]
		if e.from != "" {
			text, err := os.ReadFile(e.from)
			if err != nil {
				return nil, err
			}
			e.text = text
		}
		e.header.Size = int64(len(e.text))
		if e.header.ModTime.IsZero() {
			e.header.ModTime = time.Unix(0, 0)
		}
		e.header.Format = tar.FormatPAX
		if err := w.WriteHeader(&e.header); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.text); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

func opener(text []byte) tarball.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
}
