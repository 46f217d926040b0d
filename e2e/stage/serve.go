package stage

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Served is a daypass serve that runs until its test ends.
type Served struct {
	// IMDS and Container are where it answers: a base URL, and one with a path.
	IMDS, Container string
	// TokenFile holds the authorization token of the container endpoint.
	TokenFile string
	// PID is its process.
	PID int
	log lockedBuffer
}

// Log is what it has written to standard error so far.
func (s *Served) Log() string { return s.log.String() }

// Await waits for its first credentials. It serves before it has any, and not
// every SDK asks twice.
func (s *Served) Await(t testing.TB) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !strings.Contains(s.Log(), "credentials renewed"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("daypass serve got no credentials")
		}
	}
}

// Ways are the endpoints with the environment by which SDKs find each.
func (s *Served) Ways() map[string][]string {
	return map[string][]string{
		"imds": {"AWS_EC2_METADATA_SERVICE_ENDPOINT=" + s.IMDS},
		"container": {
			"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + s.Container,
			"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=" + s.TokenFile,
		},
	}
}

// Serve runs daypass serve on a free port, for both protocols, and reads what
// it prints for SDKs. It must end well when it is interrupted.
func Serve(t testing.TB, daypass string, env []string, args ...string) *Served {
	t.Helper()
	s := &Served{TokenFile: filepath.Join(t.TempDir(), "token")}
	if err := os.WriteFile(s.TokenFile, []byte("token-of-the-test-0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(daypass, append([]string{"serve", "--listen", "127.0.0.1:0", "--authorization-token-file", s.TokenFile}, args...)...)
	cmd.Env, cmd.Stderr = env, &s.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.PID = cmd.Process.Pid
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("daypass serve: %v", err)
		}
		if t.Failed() {
			t.Logf("daypass serve said:\n%s", s.Log())
		}
	})
	exports := map[string]string{}
	for lines := bufio.NewScanner(out); exports["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] == "" && lines.Scan(); {
		name, value, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "=")
		exports[name] = value
	}
	s.IMDS, s.Container = exports["AWS_EC2_METADATA_SERVICE_ENDPOINT"], exports["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
	if s.IMDS == "" || s.Container == "" {
		t.Fatalf("daypass serve printed %q and said\n%s", exports, s.Log())
	}
	return s
}

// Memory is an empty folder in which daypass credential-process remembers; it
// would not below /tmp, where tests have theirs.
func Memory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "daypass-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// lockedBuffer takes what a process writes while a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
