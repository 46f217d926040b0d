//go:build linux

package doctor

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// unreadable has the workload be a user who may not read the file. Since root
// may read everything, the test's own thread gives that up until it ends.
func (s *scene) unreadable(name string) {
	s.Helper()
	if err := os.Chmod(s.file(name), 0); err != nil {
		s.Fatal(err)
	}
	if os.Geteuid() != 0 {
		return
	}
	runtime.LockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var before [2]unix.CapUserData
	if err := unix.Capget(&header, &before[0]); err != nil {
		s.Fatal(err)
	}
	after := before
	after[0].Effective &^= 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH
	if err := unix.Capset(&header, &after[0]); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if unix.Capset(&header, &before[0]) == nil {
			runtime.UnlockOSThread()
		} // else the thread ends with its goroutine
	})
}
