package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// mount puts memory under the volume, unless it is there.
func mount(target string) error {
	if err := os.MkdirAll(target, 0o750); err != nil {
		return err
	}
	if mounted(target) {
		return nil
	}
	if err := syscall.Mount("tmpfs", target, "tmpfs", syscall.MS_NODEV|syscall.MS_NOSUID|syscall.MS_NOEXEC, "size=1m,mode=0755"); err != nil {
		return fmt.Errorf("mounting memory at %s: %w", target, err)
	}
	return nil
}

// mounted reports whether a folder is on another device than the one above it.
func mounted(dir string) bool {
	var here, above syscall.Stat_t
	if syscall.Stat(dir, &here) != nil || syscall.Stat(filepath.Dir(dir), &above) != nil {
		return false
	}
	return here.Dev != above.Dev
}

// write changes all files of the volume at once: readers see the old set or the
// new one, as with the kubelet's own volumes. Files are for their group, which
// is root's unless the volume names one.
func write(target string, files map[string][]byte, group int) error {
	fresh, err := os.MkdirTemp(target, "..data-")
	if err != nil {
		return err
	}
	if err := os.Chmod(fresh, 0o550); err != nil {
		return err
	}
	if err := os.Chown(fresh, -1, group); err != nil {
		return err
	}
	for name, text := range files {
		file := filepath.Join(fresh, name)
		if err := os.WriteFile(file, text, 0o440); err != nil {
			return err
		}
		if err := os.Chown(file, -1, group); err != nil {
			return err
		}
		link := filepath.Join(target, name)
		if err := os.Symlink(filepath.Join("..data", name), link); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	data := filepath.Join(target, "..data")
	old, _ := os.Readlink(data) // none the first time
	if err := os.Symlink(filepath.Base(fresh), data+"-next"); err != nil {
		return err
	}
	if err := os.Rename(data+"-next", data); err != nil {
		return err
	}
	if old == "" {
		return nil
	}
	return os.RemoveAll(filepath.Join(target, old))
}
