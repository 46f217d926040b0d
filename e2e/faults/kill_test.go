package faults

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"daypass.dev/e2e/stage"
)

// Kill -9 at any moment: what is remembered is whole or absent, and whoever
// comes next gets credentials. Half of the processes find nothing remembered,
// the others what has grown old; half are killed when they begin to write, the
// others at random.
func TestKilledProcesses(t *testing.T) {
	const rounds = 20
	s := stage.Start(t, 0, "ec-p256")
	dir := stage.Memory(t)
	usual := timed(func() { atOnce(t, s, 1, "--cache-dir", dir) })
	killed, torn := 0, 0
	for i := range rounds {
		if i%2 == 0 {
			forget(t, dir)
		} else {
			age(t, dir)
		}
		cmd := process(t, s, "--cache-dir", dir)
		if kill(t, cmd, dir, i%4 < 2, time.Duration(rand.Int64N(int64(usual)))) {
			killed++
		}
		torn += halves(t, dir)
		if n := remembered(t, dir); n < i%2 {
			t.Error("what was remembered is lost")
		}
		usual = min(usual, timed(func() { atOnce(t, s, 1, "--cache-dir", dir) }))
		if n := remembered(t, dir); n != 1 {
			t.Errorf("%d documents are remembered after all", n)
		}
	}
	t.Logf("of %d processes %d were killed alive; %d files were left half written", rounds, killed, torn)
	if killed == 0 {
		t.Error("no process was killed alive")
	}
}

func timed(f func()) time.Duration {
	begin := time.Now()
	f()
	return time.Since(begin)
}

// kill runs a process and kills it when it begins to write in a memory, or
// after a time; false if it had ended.
func kill(t *testing.T, cmd *exec.Cmd, dir string, writing bool, after time.Duration) bool {
	t.Helper()
	watch, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	if err := errors.Join(watch.Add(dir), cmd.Start()); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	if writing {
		awaitWrite(watch, ended)
	} else {
		time.Sleep(after)
	}
	_ = cmd.Process.Kill()
	<-ended
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// awaitWrite waits until a document is begun.
func awaitWrite(watch *fsnotify.Watcher, ended chan struct{}) {
	for {
		select {
		case e := <-watch.Events:
			if strings.Contains(e.Name, ".json") && (e.Has(fsnotify.Create) || e.Has(fsnotify.Write)) {
				return
			}
		case <-ended:
			return
		}
	}
}

// A write that fails in its middle, here at the first kilobyte, is a failure to
// remember and no more.
func TestWriteThatFails(t *testing.T) {
	s := stage.Start(t, 0, "ec-p256")
	dir := stage.Memory(t)
	cmd := process(t, s, "--cache-dir", dir)
	limited := exec.Command("sh", append([]string{"-c", `ulimit -f 1; exec "$0" "$@"`}, cmd.Args...)...)
	var said strings.Builder
	limited.Env, limited.Stderr = cmd.Env, &said
	out, err := limited.Output()
	var d document
	if err := errors.Join(err, json.Unmarshal(out, &d)); err != nil || !d.whole() {
		t.Errorf("key %q, %v", d.AccessKeyId, err)
	}
	if !strings.Contains(said.String(), "file too large") {
		t.Errorf("the write did not fail: %s", said.String())
	}
	if n, torn := remembered(t, dir), halves(t, dir); n != 0 || torn != 0 {
		t.Errorf("%d documents are remembered, %d half written", n, torn)
	}
	atOnce(t, s, 1, "--cache-dir", dir)
	if n := remembered(t, dir); n != 1 {
		t.Errorf("%d documents are remembered then", n)
	}
}

// halves counts the files that somebody began to write, and removes them.
func halves(t *testing.T, dir string) (n int) {
	t.Helper()
	for _, name := range documents(t, dir, ".*.json.*") {
		n++
		_ = os.Remove(name)
	}
	return n
}

func forget(t *testing.T, dir string) {
	t.Helper()
	for _, name := range documents(t, dir, "*.json") {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// age makes what is remembered 50 minutes old, of an hour: still of use, and
// due to be renewed.
func age(t *testing.T, dir string) {
	t.Helper()
	for _, name := range documents(t, dir, "*.json") {
		fields := map[string]any{}
		data, err := os.ReadFile(name)
		if err := errors.Join(err, json.Unmarshal(data, &fields)); err != nil {
			t.Fatal(err)
		}
		fields["asked"] = time.Now().Add(-50 * time.Minute)
		data, err = json.Marshal(fields)
		if err := errors.Join(err, os.WriteFile(name, data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}
