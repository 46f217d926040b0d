package atomicfile

import (
	"io/fs"
	"os"
)

// Replace is Write for a file that is there, as old describes it, and stays
// its owner's. That takes root where the owner is another user; anybody else
// gets fs.ErrPermission, and nothing has changed. Where a file has no owner
// that can be told, as on Windows, it is Write.
func Replace(path string, data []byte, perm os.FileMode, old fs.FileInfo) error {
	return write(path, data, perm, func(f *os.File) error { return keepOwner(f, old) }, os.Rename)
}
