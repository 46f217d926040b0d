package deliver

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// closed tells whether the other end closes c without a word.
func closed(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
}

func TestConnectionsBeyondTheBoundAreClosed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := Server(http.NotFoundHandler(), nil)
	go func() { _ = server.Serve(Bounded(l, 3, 2)) }()
	t.Cleanup(func() { _ = server.Close() })
	dial := func(from string) net.Conn {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Skipf("skipped: no second address on loopback: %v", err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	answered := func(c net.Conn) bool {
		_ = c.SetDeadline(time.Now().Add(30 * time.Second))
		_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		n, readErr := c.Read(make([]byte, 1))
		return err == nil && readErr == nil && n == 1
	}
	first, second := dial("127.0.0.1"), dial("127.0.0.1")
	if !answered(first) || !answered(second) {
		t.Fatal("two of one address are not answered")
	}
	if !closed(dial("127.0.0.1")) {
		t.Error("a third of one address is held")
	}
	if !answered(dial("127.0.0.2")) {
		t.Error("another address is not answered")
	}
	if !closed(dial("127.0.0.3")) {
		t.Error("a fourth in all is held")
	}
	_ = first.Close()
	for end := time.Now().Add(30 * time.Second); !answered(dial("127.0.0.1")); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a place that was left is not given to another")
		}
	}
}

func TestLinesBeyondTheBoundEndTheConnection(t *testing.T) {
	for lines, status := range map[int]string{maxLines - 10: "404", maxLines + 1: "400"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := Server(http.NotFoundHandler(), nil)
		go func() { _ = server.Serve(Bounded(l, 9, 9)) }()
		t.Cleanup(func() { _ = server.Close() })
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		for range 2 { // because an answer makes room for more
			_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n"+strings.Repeat("a: b\r\n", lines)+"\r\n")
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || !strings.HasPrefix(answer.Status, status) {
				t.Errorf("%d lines: %v, %v", lines, answer, err)
			}
			if status == "400" {
				if !closed(conn) {
					t.Error("the connection is held")
				}
				break
			}
		}
	}
}
