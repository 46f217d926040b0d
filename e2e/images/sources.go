package images

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// walk takes a folder whole. Devices and sockets have no place in an image.
func (l Layer) walk(entries map[string]entry) error {
	return filepath.WalkDir(l.Tree, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(l.Tree, file)
		if err != nil {
			return err
		}
		name := path.Join(l.Under, filepath.ToSlash(relative))
		if name == "." {
			return nil
		}
		if l.Skip != nil && l.Skip(name) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		e, ok, err := describe(file, name, d)
		if ok {
			entries[name] = e
		}
		return err
	})
}

func describe(file, name string, d fs.DirEntry) (entry, bool, error) {
	info, err := d.Info()
	if err != nil {
		return entry{}, false, err
	}
	h := tar.Header{Name: name, Mode: int64(info.Mode().Perm())}
	for bit, mode := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if info.Mode()&bit != 0 {
			h.Mode |= mode
		}
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		h.Uid, h.Gid = int(s.Uid), int(s.Gid)
	}
	switch {
	case info.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
		return entry{header: h}, true, nil
	case info.Mode()&fs.ModeSymlink != 0:
		h.Typeflag = tar.TypeSymlink
		h.Linkname, err = os.Readlink(file)
		return entry{header: h}, err == nil, err
	case info.Mode().IsRegular():
		h.Typeflag = tar.TypeReg
		return entry{header: h, from: file}, true, nil
	}
	return entry{}, false, nil
}

// unpack takes a tar of a root, without devices. Times stay, as Python compares
// those of sources with what it compiled of them.
func (l Layer) unpack(entries map[string]entry) error {
	f, err := os.Open(l.Archive)
	if err != nil {
		return err
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", l.Archive, err)
		}
		name := path.Clean(strings.TrimPrefix(h.Name, "/"))
		if name == "." || l.skips(name) {
			continue
		}
		e := entry{header: tar.Header{
			Name: name, Mode: h.Mode, Uid: h.Uid, Gid: h.Gid, Typeflag: h.Typeflag, Linkname: h.Linkname,
			ModTime: h.ModTime,
		}}
		switch h.Typeflag {
		case tar.TypeReg:
			if e.text, err = io.ReadAll(r); err != nil {
				return fmt.Errorf("reading %s: %w", l.Archive, err)
			}
		case tar.TypeDir:
			e.header.Name += "/"
		case tar.TypeLink:
			e.header.Linkname = path.Clean(strings.TrimPrefix(h.Linkname, "/"))
		case tar.TypeSymlink:
		default:
			continue
		}
		entries[name] = e
	}
}

// skips reports whether a path, or a folder above it, is left out.
func (l Layer) skips(name string) bool {
	if l.Skip == nil {
		return false
	}
	for ; name != "."; name = path.Dir(name) {
		if l.Skip(name) {
			return true
		}
	}
	return false
}
