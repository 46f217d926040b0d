package atomicfile

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Sweep takes away what writers of path left behind that were killed: files of
// theirs that nobody has touched for that long. Zero is for who alone writes.
func Sweep(path string, untouched time.Duration) {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	all, _ := os.ReadDir(dir)
	for _, e := range all {
		digits, ours := strings.CutPrefix(e.Name(), "."+name+".")
		if !ours || digits == "" || strings.Trim(digits, "0123456789") != "" {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) >= untouched {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
