//go:build unix

package refresh

import (
	"io/fs"
	"syscall"
)

// private: files have an owner and a mode that keep others out.
const private = true

// noFollow opens neither a symbolic link nor a pipe that would wait.
const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// owner is a user id; -1 if it is not known.
func owner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}
