package node

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// table knows the node's programs by their process ids. The first process of a
// namespace inherits every orphan in it, so it waits for whatever ends, and
// nothing else may wait for a process by its id.
type table struct {
	mu       sync.Mutex // held from the start of a program until it has its name
	names    map[int]string
	progress io.Writer
}

func (t *table) start(c *Config, p Program) error {
	log, err := os.OpenFile(filepath.Join(c.Logs, p.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	program, err := find(p.Args[0], c.Path)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	process, err := os.StartProcess(program, p.Args, &os.ProcAttr{
		// They live for minutes: memory is cheaper than collecting it.
		Dir: "/", Env: []string{"PATH=" + c.Path, "HOME=/root", "GOGC=400"}, Files: []*os.File{null, log, log},
	})
	if err != nil {
		return err
	}
	t.names[process.Pid] = p.Name
	return nil
}

// reap waits for every process that ends and says so when it was a program.
func (t *table) reap() {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		if err != nil {
			time.Sleep(100 * time.Millisecond) // no child at the moment
			continue
		}
		t.mu.Lock()
		name, ok := t.names[pid]
		delete(t.names, pid)
		t.mu.Unlock()
		if ok {
			fmt.Fprintf(t.progress, "%s ended: %s\n", name, how(status))
		}
	}
}

func how(status unix.WaitStatus) string {
	if status.Signaled() {
		return "signal " + status.Signal().String()
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}

// find is exec.LookPath in a PATH that is not the environment's.
func find(program, path string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, program)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("%s is not in %s", program, path)
}
