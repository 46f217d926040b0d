package kube

import (
	"strings"
	"syscall"
	"testing"
)

func TestTheLackOfInotifyInstancesIsNamed(t *testing.T) {
	if err := canWatch(1); err != nil {
		t.Fatal(err)
	}
	// The machine's limit is everybody's; the process's gives the same EMFILE.
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old)
	if err := canWatch(100); err == nil || !strings.Contains(err.Error(), "sysctl fs.inotify.max_user_instances=") {
		t.Errorf("more than may be open: %v", err)
	}
}
