package kube

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// first finds the process ids of nodes' first processes, as this process sees
// them, by the mark that they were started with. A file that keeps a process id
// would be wrong after a starter was killed or the id used again.
func first(mark string) ([]int, error) {
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, dir := range processes {
		line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil {
			continue // it has ended
		}
		args := bytes.Split(bytes.TrimRight(line, "\x00"), []byte{0})
		if len(args) != 3 || string(args[1]) != NodeCommand || string(args[2]) != mark {
			continue
		}
		if !firstOfNamespace(filepath.Join(dir, "status")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		found = append(found, pid)
	}
	return found, nil
}

// firstOfNamespace reports whether a process is number 1 in a process
// namespace below ours.
func firstOfNamespace(status string) bool {
	text, err := os.ReadFile(status)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if ids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(ids)
			return len(fields) > 1 && fields[len(fields)-1] == "1"
		}
	}
	return false
}

// Process is the number, as this process sees it, of a container's first process.
// The container is named as in a pod's status: containerd://ID.
func Process(container string) (int, error) {
	_, id, ok := strings.Cut(container, "://")
	if !ok || id == "" {
		return 0, fmt.Errorf("%q is no container", container)
	}
	groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return 0, err
	}
	for _, file := range groups {
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), id) || !firstOfNamespace(filepath.Join(filepath.Dir(file), "status")) {
			continue
		}
		return strconv.Atoi(filepath.Base(filepath.Dir(file)))
	}
	return 0, fmt.Errorf("no process of container %s", id)
}

// kill ends a node at once, with all that runs in it, and waits until it is
// gone.
func kill(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("killing process %d: %w", pid, err)
	}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if gone(pid) {
			return nil
		}
	}
	return fmt.Errorf("process %d is still there 30 s after it was killed", pid)
}

// gone reports whether a process has ended, be it that its parent has not
// asked for its status yet.
func gone(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, ok := strings.Cut(string(text), ") ")
	return ok && strings.HasPrefix(rest, "Z")
}
