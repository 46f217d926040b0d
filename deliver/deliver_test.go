package deliver

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass.dev"
)

const (
	roleARN = "arn:aws:iam::111122223333:role/team/reports"

	// Planted secrets: a test fails where one comes out of anything but a
	// document of credentials.
	secretKey   = "planted+secret/key"
	secretToken = "planted+session/token=="
	secretProof = "planted-authorization-token"
)

func good() daypass.Credentials {
	return daypass.Credentials{
		AccessKeyID:     "ASIAEXAMPLE",
		SecretAccessKey: secretKey,
		SessionToken:    secretToken,
		Issued:          time.Date(2026, 11, 21, 10, 0, 0, 123456789, time.UTC),
		Expires:         time.Date(2026, 11, 21, 12, 0, 0, 987654321, time.FixedZone("CET", 3600)),
		RoleARN:         roleARN,
		AccountID:       "111122223333",
	}
}

// source answers what it is asked for.
type source func(context.Context) (daypass.Credentials, error)

func (s source) Credentials(ctx context.Context) (daypass.Credentials, error) { return s(ctx) }

func always(c daypass.Credentials, err error) source {
	return func(context.Context) (daypass.Credentials, error) { return c, err }
}

// hangs is a source whose answer never comes.
func hangs(ctx context.Context) (daypass.Credentials, error) {
	<-ctx.Done()
	return daypass.Credentials{}, ctx.Err()
}

var refused = &daypass.Error{
	Op: "CreateSession", Code: "AccessDeniedException", Message: "Untrusted signing certificate", Status: 403,
}

// pretend is a listener whose connections say they are between other addresses.
type pretend struct {
	net.Listener
	local, remote string
}

func (l pretend) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return pretended{c, l}, err
}

type pretended struct {
	net.Conn
	as pretend
}

func (c pretended) LocalAddr() net.Addr  { return tcpAddr(c.as.local, c.Conn.LocalAddr()) }
func (c pretended) RemoteAddr() net.Addr { return tcpAddr(c.as.remote, c.Conn.RemoteAddr()) }

func tcpAddr(text string, otherwise net.Addr) net.Addr {
	if text == "" {
		return otherwise
	}
	a, err := net.ResolveTCPAddr("tcp", text)
	if err != nil {
		panic(err)
	}
	return a
}

// listening serves h as daypass does and returns its address.
func listening(t testing.TB, h http.Handler, log *slog.Logger, on string, as pretend) string {
	t.Helper()
	l, err := net.Listen("tcp", on)
	if err != nil {
		t.Fatal(err)
	}
	as.Listener = l
	server := Server(Guard(h, log), log)
	go func() { _ = server.Serve(as) }()
	t.Cleanup(func() { _ = server.Close() })
	return l.Addr().String()
}

// send writes one request as it stands, line ends apart, and reads the answer.
func send(t testing.TB, addr, request string) (*http.Response, string) {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(c, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	answer, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil && answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge { // sent by a server that reads no more
		t.Fatal(err)
	}
	return answer, string(body)
}

// journal keeps what a logger writes.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// logger writes all levels to the journal.
func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
