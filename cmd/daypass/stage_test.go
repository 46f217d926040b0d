package main

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"daypass.dev/pki"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

// A stage is what one script plays on.
type stage struct {
	t   *testing.T
	aws *sandboxtest.Sandbox
	// token is the last IMDSv2 session token that http got.
	token string
	// issuer signs web identity tokens.
	issuer *signer
	// notified is where a service tells how it is.
	notified *net.UnixConn
}

// setup makes a CA and a leaf for the script, finds a free port, and lends it
// testdata/world.yaml if it has none of its own.
func (s *stage) setup(env *testscript.Env) (err error) {
	if s.issuer, err = newSigner(); err != nil {
		return err
	}
	caKey, err := pki.NewKey("ec-p256")
	if err != nil {
		return err
	}
	ca, err := pki.NewCA(caKey, pkix.Name{CommonName: "Test CA"}, 24*time.Hour, time.Now())
	if err != nil {
		return err
	}
	key, err := pki.NewKey("ec-p256")
	if err != nil {
		return err
	}
	leaf, err := ca.Issue(pki.Leaf{Subject: pkix.Name{CommonName: "reports"}, PublicKey: key.Public(), Lifetime: time.Hour}, time.Now())
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{
		"ca.pem":  pki.EncodeCertificate(ca.Certificate),
		"tls.crt": pki.EncodeCertificate(leaf),
		"tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	} {
		if err := os.WriteFile(filepath.Join(env.WorkDir, name), text, 0o600); err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(env.WorkDir, "world.yaml")); err != nil {
		text, err := os.ReadFile("testdata/world.yaml")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(env.WorkDir, "world.yaml"), text, 0o600); err != nil {
			return err
		}
	}
	for _, name := range []string{"PORT", "HEALTH"} {
		port, err := freePort()
		if err != nil {
			return err
		}
		env.Setenv(name, port)
	}
	env.Setenv("ANCHOR", "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/11111111-2222-4333-8444-555555555555")
	env.Setenv("PROFILE", "arn:aws:rolesanywhere:eu-west-1:111122223333:profile/66666666-7777-4888-8999-aaaaaaaaaaaa")
	// Nothing is remembered below /tmp, where the script itself is.
	memory, err := os.MkdirTemp("/dev/shm", "daypass-test-")
	if err != nil {
		return err
	}
	s.t.Cleanup(func() { _ = os.RemoveAll(memory) })
	env.Setenv("MEMORY", filepath.Join(memory, "daypass"))
	// No home and no /run/user: nothing is remembered but where a script says so.
	env.Setenv("XDG_RUNTIME_DIR", "")
	return nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

// sandbox starts a local AWS with the world in a file, and points daypass and
// SDKs at it.
func (s *stage) sandbox(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sandbox WORLD")
	}
	path := ts.MkAbs(args[0])
	w, err := world.Parse(path, []byte(ts.ReadFile(args[0])))
	ts.Check(err)
	s.aws = sandboxtest.Start(s.t, w)
	s.publish(ts)
	ts.Setenv("AWS_ENDPOINT_URL", s.aws.URL)
	ts.Setenv("ENDPOINT", s.aws.URL)
	ts.Setenv("ANYWHERE", strings.Replace(s.aws.URL, "127.0.0.1", "0.0.0.0", 1))
	ts.Setenv("AWS_CA_BUNDLE", s.aws.CAFile)
	ts.Setenv("AWS_REGION", w.Region)
	ts.Setenv("PROXY", s.aws.ProxyURL)
}

// calls checks how many calls of an operation AWS has seen, or with ! that it
// was another number.
func (s *stage) calls(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] calls OPERATION NUMBER")
	}
	n := 0
	for _, d := range s.aws.Decisions() {
		if d.Operation == args[0] {
			n++
		}
	}
	if (strconv.Itoa(n) == args[1]) == neg {
		ts.Fatalf("AWS has seen %d calls of %s", n, args[0])
	}
}

func condition(name string) (bool, error) {
	if name != "ipv6" {
		return false, fmt.Errorf("no condition %q", name)
	}
	l, err := net.Listen("tcp", "[::1]:0")
	if err == nil {
		_ = l.Close()
	}
	return err == nil, nil
}

// exitCode is a command that runs a program and checks the code it ends with.
func exitCode(program string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 1 {
			ts.Fatalf("usage: exitcode CODE [ARG]...")
		}
		code := "0"
		err := ts.Exec(program, args[1:]...)
		if ended := (*exec.ExitError)(nil); errors.As(err, &ended) {
			code = strconv.Itoa(ended.ExitCode())
		} else if err != nil {
			ts.Fatalf("%s: %v", program, err)
		}
		if code != args[0] {
			ts.Fatalf("%s %s: exit code %s", program, strings.Join(args[1:], " "), code)
		}
	}
}

// signalAll sends a signal to what runs in the background.
func signalAll(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT}
	if neg || len(args) != 1 || signals[args[0]] == 0 {
		ts.Fatalf("usage: signal TERM|INT")
	}
	sent := 0
	for _, cmd := range ts.BackgroundCmds() {
		if cmd.Process.Signal(signals[args[0]]) == nil {
			sent++
		}
	}
	if sent != 1 {
		ts.Fatalf("%d commands run in the background", sent)
	}
}

// awaitFile waits until a file is there.
func awaitFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: awaitfile FILE")
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not come", args[0])
		}
	}
}

// await waits until something listens.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await HOST:PORT")
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", args[0])
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("nothing listens on %s: %v", args[0], err)
		}
	}
}

// http sends one request and prints status and body. TOKEN in a header is the
// body of the last PUT. Redirects are not followed.
func (s *stage) http(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: http METHOD URL [HEADER: VALUE]...")
	}
	r, err := http.NewRequest(args[0], args[1], nil)
	ts.Check(err)
	for _, h := range args[2:] {
		name, value, _ := strings.Cut(h, ": ")
		if value = strings.ReplaceAll(value, "TOKEN", s.token); strings.EqualFold(name, "Host") {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	ts.Check(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	ts.Check(err)
	if r.Method == http.MethodPut {
		s.token = string(body)
	}
	fmt.Fprintf(ts.Stdout(), "%d\n%s\n", answer.StatusCode, body)
}

// planted fails if a sink holds a secret: the private key, or what the files
// after it hold: documents of credentials, or a text of its own.
func (s *stage) planted(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: planted SINK FILE...")
	}
	sink := ts.ReadFile(args[0])
	secrets := []string{"sesame-sesame-sesame"}
	for _, line := range strings.Split(ts.ReadFile("tls.key"), "\n") {
		if line != "" && !strings.HasPrefix(line, "-----") {
			secrets = append(secrets, line)
		}
	}
	for _, name := range args[1:] {
		before := len(secrets)
		secrets = append(secrets, secretsIn(ts.ReadFile(name))...)
		if len(secrets) == before {
			ts.Fatalf("%s holds no secret", name)
		}
	}
	for _, secret := range secrets {
		if strings.Contains(sink, secret) {
			ts.Fatalf("%s holds a secret", args[0])
		}
	}
}

// secretsIn finds the secrets of a document of credentials, or takes a text
// that is none as one secret.
func secretsIn(text string) (secrets []string) {
	at := strings.IndexByte(text, '{')
	if at < 0 {
		lines := strings.Fields(text) // an answer's status stands before its body
		return lines[len(lines)-1:]
	}
	var document struct{ SecretAccessKey, SessionToken, Token string }
	if json.Unmarshal([]byte(text[at:]), &document) != nil {
		return nil
	}
	for _, secret := range []string{document.SecretAccessKey, document.SessionToken, document.Token} {
		if len(secret) > 16 {
			secrets = append(secrets, secret)
		}
	}
	return secrets
}
