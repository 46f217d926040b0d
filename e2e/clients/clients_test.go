// Package clients tries every delivery with AWS's own clients, over several
// lives of a credential.
package clients

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass.dev/e2e/peers"
	"daypass.dev/e2e/stage"
)

// A life must be so long that the slowest client gets from its credentials to
// its request within what is left after a renewal: at least half of it.
const (
	life  = 16 * time.Second
	lives = 3
)

// A client reads the object; a long one in one process until its input ends,
// the others once per process.
type client struct {
	name    string
	long    bool
	command func(t *testing.T, bucket, key string) *exec.Cmd
}

func clients() []client {
	return []client{
		{"go", true, func(t *testing.T, bucket, key string) *exec.Cmd {
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			return exec.Command(self, "go-reader", bucket, key)
		}},
		{"javascript", true, func(t *testing.T, bucket, key string) *exec.Cmd {
			node, dir, err := peers.JavaScript(t.Context())
			peers.Need(t, "javascript", err)
			script := filepath.Join(dir, "reader.mjs") // beside its node_modules
			text, err := os.ReadFile("testdata/reader.mjs")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(script, text, 0o600); err != nil {
				t.Fatal(err)
			}
			return exec.Command(node, script, bucket, key)
		}},
		{"boto3", false, func(t *testing.T, bucket, key string) *exec.Cmd {
			python, err := peers.Python(t.Context())
			peers.Need(t, "boto3", err)
			return exec.Command(python, "testdata/reader.py", bucket, key)
		}},
		{"aws-cli", false, func(t *testing.T, bucket, key string) *exec.Cmd {
			cli, err := peers.AWSCLI(t.Context())
			peers.Need(t, "aws-cli", err)
			return exec.Command(cli, "s3", "cp", "s3://"+bucket+"/"+key, "-")
		}},
	}
}

// A delivery makes the environment by which a client gets its credentials.
type delivery struct {
	name string
	env  func(*served) []string
}

func deliveries() []delivery {
	return []delivery{
		{"credential-process", func(s *served) []string { return []string{"AWS_CONFIG_FILE=" + s.config} }},
		{"imds", func(s *served) []string { return []string{"AWS_EC2_METADATA_SERVICE_ENDPOINT=" + s.imds} }},
		{"container", func(s *served) []string {
			return []string{
				"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + s.container,
				"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=" + s.tokenFile,
			}
		}},
	}
}

// served is one daypass serve, and an SDK configuration that asks daypass
// credential-process.
type served struct {
	config, imds, container, tokenFile string
}

func serve(t *testing.T, s *stage.Stage) *served {
	t.Helper()
	daypass := stage.Binary(t, "daypass")
	out := &served{config: s.File("aws-config"), tokenFile: s.File("token")}
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(out.tokenFile, "token-of-the-test-0123456789")
	memory := s.File("memory")
	if err := os.Mkdir(memory, 0o700); err != nil {
		t.Fatal(err)
	}
	write(out.config, fmt.Sprintf("[default]\ncredential_process = %s credential-process --cache-dir %s\n", daypass, memory))
	cmd := exec.Command(daypass, "serve", "--listen", "127.0.0.1:0", "--authorization-token-file", out.tokenFile)
	cmd.Env = append(s.Reach(), s.Settings()...)
	log := &lockedBuffer{}
	cmd.Stderr = log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("daypass serve: %v", err)
		}
		if t.Failed() {
			t.Logf("daypass serve said:\n%s", log)
		}
	})
	exports := make(chan [2]string, 8)
	go func() {
		text, _ := io.ReadAll(io.LimitReader(&untilExports{r: stdout}, 4096))
		for _, line := range strings.Split(string(text), "\n") {
			name, value, _ := strings.Cut(strings.TrimPrefix(line, "export "), "=")
			exports <- [2]string{name, strings.Trim(value, "'")}
		}
		close(exports)
	}()
	for e := range exports {
		switch e[0] {
		case "AWS_EC2_METADATA_SERVICE_ENDPOINT":
			out.imds = e[1]
		case "AWS_CONTAINER_CREDENTIALS_FULL_URI":
			out.container = e[1]
		}
	}
	for _, address := range []string{out.imds, out.container} {
		if u, err := url.Parse(address); err != nil || u.Host == "" {
			t.Fatalf("daypass serve printed no address: %+v\n%s", out, log)
		}
	}
	return out
}

// untilExports ends the text that serve prints at its last export line.
type untilExports struct {
	r    io.Reader
	seen strings.Builder
}

func (u *untilExports) Read(b []byte) (int, error) {
	if text := u.seen.String(); strings.Contains(text, "TOKEN_FILE=") && strings.HasSuffix(text, "\n") {
		return 0, io.EOF
	}
	n, err := u.r.Read(b)
	u.seen.Write(b[:n])
	return n, err
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
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

// Every client, through every delivery, reads an object over three lives of
// its credentials: the sandbox has seen it with three access keys.
func TestEveryClientThroughEveryDelivery(t *testing.T) {
	if testing.Short() {
		t.Skip("takes three lives of a credential")
	}
	s := stage.Start(t, life, "ec-p256")
	from := serve(t, s)
	for _, d := range deliveries() {
		for _, c := range clients() {
			t.Run(d.name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				key := d.name + "-" + c.name
				put(s, key)
				env := append(append(s.Reach(), s.Settings()...), d.env(from)...)
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
				defer cancel()
				if c.long {
					readInOneProcess(ctx, t, s, c, key, env)
				} else {
					readOncePerProcess(ctx, t, s, c, key, env)
				}
				if got := len(accessKeys(s, key)); got < lives {
					t.Errorf("the sandbox saw %d access keys, want %d", got, lives)
				}
			})
		}
	}
}

// put places an object of the pair's own, so that the records tell pairs
// apart.
func put(s *stage.Stage, key string) {
	s.World.Lock()
	defer s.World.Unlock()
	_, b := s.World.Bucket(stage.Bucket)
	b.Objects[key] = b.Objects[stage.Object]
}

// accessKeys are those with which an object was read.
func accessKeys(s *stage.Stage, key string) map[string]bool {
	seen := map[string]bool{}
	for _, d := range s.Decisions() {
		for _, c := range d.Checks {
			if d.Operation == "GetObject" && d.Allowed && strings.HasSuffix(c.Resource, "/"+key) {
				seen[d.AccessKey] = true
			}
		}
	}
	return seen
}

func readInOneProcess(ctx context.Context, t *testing.T, s *stage.Stage, c client, key string, env []string) {
	cmd := c.command(t, stage.Bucket, key)
	cmd.Env = env
	out := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for len(accessKeys(s, key)) < lives {
		select {
		case err := <-done:
			t.Fatalf("%s ended: %v\n%s", c.name, err, out)
		case <-ctx.Done():
			_ = cmd.Process.Kill()
			t.Fatalf("%s: %v\n%s", c.name, ctx.Err(), out)
		case <-time.After(200 * time.Millisecond):
		}
	}
	_ = in.Close()
	if err := <-done; err != nil {
		t.Errorf("%s: %v\n%s", c.name, err, out)
	}
	if !strings.Contains(out.String(), "read "+stage.Text) {
		t.Errorf("%s did not read the object:\n%s", c.name, out)
	}
}

func readOncePerProcess(ctx context.Context, t *testing.T, s *stage.Stage, c client, key string, env []string) {
	for len(accessKeys(s, key)) < lives {
		cmd := c.command(t, stage.Bucket, key)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), stage.Text) {
			t.Fatalf("%s: %v\n%s", c.name, err, out)
		}
		select {
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		case <-time.After(life / 3):
		}
	}
}
