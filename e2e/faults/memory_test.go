package faults

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass.dev/e2e/stage"
)

// A document is what credential-process prints.
type document struct {
	Version                                    int
	AccessKeyId, SecretAccessKey, SessionToken string
	Expiration                                 time.Time
}

func (d document) whole() bool {
	return d.Version == 1 && d.AccessKeyId != "" && d.SecretAccessKey != "" && d.SessionToken != "" && d.Expiration.After(time.Now())
}

// process is a credential-process of a stage.
func process(t *testing.T, s *stage.Stage, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(program(t, "daypass"), append([]string{"credential-process"}, args...)...)
	cmd.Env = append(s.Reach(), s.Settings()...)
	return cmd
}

// atOnce runs n processes at the same time, and returns what each printed and
// what the last of them said beside.
func atOnce(t *testing.T, s *stage.Stage, n int, args ...string) (all []document, said string) {
	t.Helper()
	all = make([]document, n)
	errs := make([]error, n)
	texts := make([]string, n)
	var running sync.WaitGroup
	for i := range n {
		cmd := process(t, s, args...)
		running.Go(func() {
			var stderr strings.Builder
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			errs[i], texts[i] = errors.Join(err, json.Unmarshal(out, &all[i])), stderr.String()
		})
	}
	running.Wait()
	for i, d := range all {
		if errs[i] != nil || !d.whole() {
			t.Fatalf("process %d of %d: key %q, %v\n%s", i+1, n, d.AccessKeyId, errs[i], texts[i])
		}
	}
	return all, texts[n-1]
}

// sessions counts the calls of CreateSession.
func sessions(s *stage.Stage) (n int) {
	for _, d := range s.Decisions() {
		if d.Operation == "CreateSession" {
			n++
		}
	}
	return n
}

// As many processes as a build has jobs ask AWS once between them.
func TestManyProcessesAskOnce(t *testing.T) {
	const many = 100
	s := stage.Start(t, 0, "ec-p256")
	all, _ := atOnce(t, s, many, "--cache-dir", stage.Memory(t))
	if n := sessions(s); n != 1 {
		t.Errorf("%d processes made %d sessions", many, n)
	}
	for _, d := range all {
		if d != all[0] {
			t.Errorf("keys %s and %s", d.AccessKeyId, all[0].AccessKeyId)
		}
	}
}

// Where a folder is not safe, each process works without memory and leaves
// nothing there.
func TestProcessesWithoutMemory(t *testing.T) {
	const several = 8
	for _, c := range []struct {
		name, says string
		make       func(t *testing.T) (dir, real string)
	}{
		{"others may read it", "its mode is 0755", func(t *testing.T) (string, string) {
			dir := stage.Memory(t)
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			return dir, dir
		}},
		{"symbolic link", "it is a symbolic link", func(t *testing.T) (string, string) {
			real := stage.Memory(t)
			link := filepath.Join(stage.Memory(t), "link")
			if err := os.Symlink(real, link); err != nil {
				t.Fatal(err)
			}
			return link, real
		}},
		{"below tmp", "it is in /tmp", func(t *testing.T) (string, string) {
			dir, err := os.MkdirTemp("/tmp", "daypass-test-")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			return dir, dir
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := stage.Start(t, 0, "ec-p256")
			dir, real := c.make(t)
			all, said := atOnce(t, s, several, "--cache-dir", dir)
			keys := map[string]bool{}
			for _, d := range all {
				keys[d.AccessKeyId] = true
			}
			if n := sessions(s); n != several || len(keys) != several {
				t.Errorf("%d processes made %d sessions and printed %d keys", several, n, len(keys))
			}
			if !strings.Contains(said, c.says) {
				t.Errorf("said %q, not %q", said, c.says)
			}
			if left, err := os.ReadDir(real); err != nil || len(left) != 0 {
				t.Errorf("left in the folder: %v, %v", left, err)
			}
		})
	}
}

// remembered counts the documents in a memory; each must be whole.
func remembered(t *testing.T, dir string) (n int) {
	t.Helper()
	for _, name := range documents(t, dir, "*.json") {
		n++
		var d struct {
			Key, AccessKeyId, SecretAccessKey, SessionToken string
			Asked, Expires                                  time.Time
		}
		data, err := os.ReadFile(name)
		if err := errors.Join(err, json.Unmarshal(data, &d)); err != nil || d.Key == "" || d.AccessKeyId == "" ||
			d.SecretAccessKey == "" || d.SessionToken == "" || d.Asked.IsZero() || d.Expires.IsZero() {
			t.Errorf("%s is not whole: %d bytes, %v", name, len(data), err)
		}
		if info, err := os.Lstat(name); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	return n
}

// documents are the files of a memory whose names match, those that begin with
// a dot only where the pattern does.
func documents(t *testing.T, dir, pattern string) (names []string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if pattern[0] == '.' || filepath.Base(name)[0] != '.' {
			names = append(names, name)
		}
	}
	return names
}
