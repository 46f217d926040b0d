//go:build !unix

package refresh

import "io/fs"

// private: files have no owner and mode that would keep others out, so that
// nothing is remembered.
const private = false

const noFollow = 0

func owner(fs.FileInfo) int { return -1 }
