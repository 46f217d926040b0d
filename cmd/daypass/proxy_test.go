package main

import (
	"bufio"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/rogpeppe/go-internal/testscript"
)

// proxy starts a stand-in for a proxy that asks who calls, before the
// sandbox's own, and sets ASKING_PROXY to its HOST:PORT. It knows one
// name and password.
func (s *stage) proxy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: proxy NAME:PASSWORD")
	}
	next, err := url.Parse(s.aws.ProxyURL)
	ts.Check(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	s.t.Cleanup(func() { _ = l.Close() })
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(args[0]))
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go pass(c, next.Host, want)
		}
	}()
	ts.Setenv("ASKING_PROXY", l.Addr().String())
}

// pass lets one CONNECT through, if it shows what is wanted.
func pass(c net.Conn, next, want string) {
	defer c.Close()
	in := bufio.NewReader(c)
	r, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") != want {
		_, _ = io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n")
		return
	}
	to, err := net.Dial("tcp", next)
	if err != nil {
		return
	}
	defer to.Close()
	_, _ = io.WriteString(to, "CONNECT "+r.Host+" HTTP/1.1\r\nHost: "+r.Host+"\r\n\r\n")
	go func() { _, _ = io.Copy(to, in) }()
	_, _ = io.Copy(c, to)
}
