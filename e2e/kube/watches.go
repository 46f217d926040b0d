package kube

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// watches is how many inotify instances a cluster of two nodes opens (19 were
// counted), and some for the pods.
const watches = 30

// canWatch fails if this user cannot open n more inotify instances. The limit
// is the machine's for each user, whatever the namespace; a kubelet that meets
// it ends, or never becomes Ready.
func canWatch(n int) error {
	var open []int
	defer func() {
		for _, fd := range open {
			syscall.Close(fd)
		}
	}()
	for range n {
		fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
		if errors.Is(err, syscall.EMFILE) {
			limit, _ := os.ReadFile("/proc/sys/fs/inotify/max_user_instances")
			return fmt.Errorf("%d more inotify instances can be opened and a cluster needs %d (fs.inotify.max_user_instances is %s): end another cluster, or `sysctl fs.inotify.max_user_instances=1024`",
				len(open), n, strings.TrimSpace(string(limit)))
		}
		if err != nil {
			return fmt.Errorf("opening an inotify instance: %w", err)
		}
		open = append(open, fd)
	}
	return nil
}
