package sandbox

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A Server serves a sandbox on one port: HTTPS with a CA made for this run,
// plain HTTP, and as a forward proxy that answers CONNECT for AWS's host names
// itself and refuses every other.
type Server struct {
	authority *authority
	listener  net.Listener
	http      *http.Server
	conns     chan net.Conn
	done      chan struct{}
	close     sync.Once
}

// handshakeTime bounds how long a new connection may say nothing.
const handshakeTime = 10 * time.Second

// Listen starts to serve h at a TCP address, whose port may be 0. Close ends
// it.
func Listen(address string, h http.Handler) (*Server, error) {
	a, err := newAuthority()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := &Server{authority: a, listener: l, conns: make(chan net.Conn), done: make(chan struct{})}
	s.http = &http.Server{
		Handler:           s.proxy(h),
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // clients that go away
	}
	go s.accept()
	go func() { _ = s.http.Serve(acceptor{s}) }()
	return s, nil
}

// Address is where the server listens: host and port.
func (s *Server) Address() string { return s.listener.Addr().String() }

// URL is the server's own address, https. As a proxy it takes plain HTTP.
func (s *Server) URL() string { return "https://" + s.Address() }

// ProxyURL is for HTTPS_PROXY and HTTP_PROXY.
func (s *Server) ProxyURL() string { return "http://" + s.Address() }

// CA is the certificate of the CA in PEM.
func (s *Server) CA() []byte { return s.authority.pem }

// Close stops at once: calls in flight are broken off.
func (s *Server) Close() error {
	s.close.Do(func() { close(s.done) })
	return errors.Join(s.listener.Close(), s.http.Close())
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			s.close.Do(func() { close(s.done) })
			return
		}
		if err != nil { // out of descriptors, say: others may be closed soon
			time.Sleep(10 * time.Millisecond)
			continue
		}
		go s.receive(conn, hostOnly(conn.LocalAddr().String()))
	}
}

// receive looks whether a connection begins with TLS, and hands it on.
func (s *Server) receive(conn net.Conn, host string) {
	p := &peeked{Conn: conn, r: bufio.NewReader(conn)}
	_ = conn.SetReadDeadline(time.Now().Add(handshakeTime))
	first, err := p.r.Peek(1)
	if err != nil {
		_ = conn.Close()
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	var ready net.Conn = p
	if first[0] == 22 { // a TLS handshake record
		ready = tls.Server(p, s.authority.config(host))
	}
	select {
	case s.conns <- ready:
	case <-s.done:
		_ = conn.Close()
	}
}

// proxy answers CONNECT and absolute requests for AWS's names, and refuses
// them for all others; everything else is h's.
func (s *Server) proxy(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect {
			s.connect(w, r)
			return
		}
		if r.URL.IsAbs() {
			if !standsFor(r.URL.Hostname()) {
				http.Error(w, "the sandbox is a proxy to AWS's host names only", http.StatusForbidden)
				return
			}
			// What was signed is the request as a server sees it.
			_, rest, _ := strings.Cut(r.RequestURI, "://")
			if i := strings.IndexAny(rest, "/?"); i >= 0 {
				r.RequestURI = rest[i:]
			} else {
				r.RequestURI = "/"
			}
		}
		h.ServeHTTP(w, r)
	})
}

func (s *Server) connect(w http.ResponseWriter, r *http.Request) {
	host := hostOnly(r.Host)
	if !standsFor(host) {
		http.Error(w, "the sandbox is a proxy to AWS's host names only", http.StatusForbidden)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "this connection cannot be taken over", http.StatusInternalServerError)
		return
	}
	if buffered.Reader.Buffered() > 0 {
		conn = &peeked{Conn: conn, r: buffered.Reader}
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		_ = conn.Close()
		return
	}
	_ = conn.SetDeadline(time.Time{})
	s.receive(conn, host)
}

// peeked is a connection of which something has been read ahead.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p *peeked) Read(b []byte) (int, error) { return p.r.Read(b) }

// NetConn is the connection below.
func (p *peeked) NetConn() net.Conn { return p.Conn }

// acceptor gives the HTTP server the connections that receive made ready.
type acceptor struct{ s *Server }

func (a acceptor) Accept() (net.Conn, error) {
	select {
	case c := <-a.s.conns:
		return c, nil
	case <-a.s.done:
		return nil, net.ErrClosed
	}
}

func (a acceptor) Close() error   { return nil }
func (a acceptor) Addr() net.Addr { return a.s.listener.Addr() }
