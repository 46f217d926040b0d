package faults

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"daypass.dev/e2e/stage"
)

// A crowd is a way to hold many connections of a serve without use. Each of
// hold's connections is begun once, and pushed on with more as long as it is
// open.
type crowd struct {
	name        string
	begin, more string
	reads       bool // the answers; else they are left where they are
}

func crowds() []crowd {
	get := "GET /v1/credentials HTTP/1.1\r\nHost: HOST\r\nAuthorization: PROOF\r\n\r\n"
	long := "X-Padding: " + strings.Repeat("x", 8<<10)
	short := func() string {
		var b strings.Builder
		for i := range 4000 {
			fmt.Fprintf(&b, "%x:\r\n", i)
		}
		return b.String()
	}()
	return []crowd{
		{"idle", get, "", true},
		{"nothing-sent", "", "", false},
		{"half-requests", "GET /v1/cred", "e", false},
		{"half-headers", "GET / HTTP/1.1\r\nHost: HOST\r\n", "a: b\r\n", false},
		{"long-headers", "GET / HTTP/1.1\r\nHost: HOST\r\n" + long + "\r\n" + long + "\r\n" + long + "\r\n", "a: b\r\n", false},
		{"many-headers", "GET / HTTP/1.1\r\nHost: HOST\r\n" + short, "a: b\r\n", false},
		{"headers-without-end", "GET / HTTP/1.1\r\n", long, false},
		{"slow-readers", strings.Repeat(get, 20), get, false},
		{"bodies-without-end", "PUT /latest/api/token HTTP/1.1\r\nHost: HOST\r\nContent-Length: 999999999\r\n\r\n", strings.Repeat("x", 4096), false},
		{"no-http", strings.Repeat("\x00\xff\n", 1000), "\n", false},
	}
}

// While many hold connections and send nothing good, whoever asks well gets
// credentials, and serve's memory stays within its bound.
func TestServeInACrowd(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("skipped: the memory of a process is read from /proc")
	}
	if most := fileLimit(t); most < 3*uint64(crowded) {
		t.Skipf("skipped: only %d files may be open", most)
	}
	s := stage.Start(t, 0, "ec-p256")
	for _, c := range crowds() {
		t.Run(c.name, func(t *testing.T) {
			served := stage.Serve(t, program(t, "daypass"), append(s.Reach(), s.Settings()...))
			asks := newCaller(t, served)
			if a := asks.both(); !a[0].good() || !a[1].good() {
				t.Fatalf("not even alone: %v", a)
			}
			end := c.hold(t, served.IMDS, asks.proof, crowded)
			defer end()
			asked := 0
			for until := time.Now().Add(crowdedFor); time.Now().Before(until) || asked < 5; time.Sleep(50 * time.Millisecond) {
				a := *asks // of which each question has a connection of its own
				a.client.CloseIdleConnections()
				for _, got := range a.both() {
					if !got.good() || got.came.Sub(got.sent) > tooLong {
						t.Fatalf("in a crowd, after %v: %v", got.came.Sub(got.sent), got)
					}
				}
				asked++
			}
			peak := memory(t, served.PID, "VmHWM")
			t.Logf("%d connections: %.1f MB resident at most", crowded, peak)
			if peak > crowdedMB {
				t.Errorf("serve took %.1f MB, more than %d", peak, crowdedMB)
			}
		})
	}
}

// hold opens n connections and keeps each, or one in its place, until end.
func (c crowd) hold(t *testing.T, base, proof string, n int) (end func()) {
	t.Helper()
	at, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("HOST", at.Host, "PROOF", strings.TrimSpace(proof))
	begin, more := []byte(fill.Replace(c.begin)), []byte(fill.Replace(c.more))
	done := make(chan struct{})
	var all, first sync.WaitGroup
	first.Add(n)
	for range n {
		all.Go(func() {
			opened := sync.OnceFunc(first.Done)
			defer opened()
			for {
				conn, err := net.Dial("tcp", at.Host)
				if err == nil {
					_, _ = conn.Write(begin)
					if c.reads {
						_, _ = io.CopyN(io.Discard, conn, 1)
					}
				}
				opened()
				for err == nil {
					select {
					case <-done:
						_ = conn.Close()
						return
					case <-time.After(500 * time.Millisecond):
						_, err = conn.Write(more)
						if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
							_ = conn.Close()
						}
					}
				}
				select {
				case <-done:
					return
				case <-time.After(100 * time.Millisecond):
				}
			}
		})
	}
	first.Wait()
	return func() { close(done); all.Wait() }
}

func fileLimit(t *testing.T) uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	return limit.Cur
}

// memory is a figure of a process in MB: VmRSS is now, VmHWM the most so far.
func memory(t *testing.T, pid int, which string) float64 {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte(which+":")); ok {
			kb, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
			if err != nil {
				t.Fatal(err)
			}
			return float64(kb) / 1000
		}
	}
	t.Fatalf("the kernel does not tell %s", which)
	return 0
}
