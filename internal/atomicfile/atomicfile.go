// Package atomicfile writes a file whole or not at all.
package atomicfile

import (
	"os"
	"path/filepath"
)

// Write replaces path with data: readers see the old content or the new,
// never a part, even when the process is killed. The file gets exactly mode
// perm, whatever the umask. Its folder must exist. Where path is a symbolic
// link, the link itself is replaced.
func Write(path string, data []byte, perm os.FileMode) error {
	return write(path, data, perm, nobodys, os.Rename)
}

// Create is Write for a file that must not be there yet: where path exists,
// whatever it is, the error is fs.ErrExist and nothing has changed. It needs a
// file system with hard links.
func Create(path string, data []byte, perm os.FileMode) error {
	return write(path, data, perm, nobodys, func(temp, path string) error {
		if err := os.Link(temp, path); err != nil {
			return err
		}
		return os.Remove(temp)
	})
}

// nobodys leaves a file to whoever writes it.
func nobodys(*os.File) error { return nil }

// write writes a file beside path, has give say whose it is, and place put it
// there. give has the file and no name: the folder may be another user's, who
// can put a link to any file under that name at any moment.
func write(path string, data []byte, perm os.FileMode, give func(*os.File) error, place func(temp, path string) error) (err error) {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	f, err := os.CreateTemp(dir, "."+name+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err = f.Chmod(perm); err != nil {
		return err
	}
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = give(f); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return place(f.Name(), path)
}
