package sandbox

import (
	"errors"
	"net"
	"testing"
)

// failing is a listener whose first Accept fails, as when descriptors run out.
type failing struct {
	net.Listener
	failed bool
}

func (f *failing) Accept() (net.Conn, error) {
	if !f.failed {
		f.failed = true
		return nil, errors.New("too many open files")
	}
	return f.Listener.Accept()
}

func TestAFailedAcceptEndsNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{listener: &failing{Listener: l}, conns: make(chan net.Conn), done: make(chan struct{})}
	go s.accept()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	select {
	case c := <-s.conns:
		_ = c.Close()
	case <-s.done:
		t.Fatal("the server ended")
	}
	_ = l.Close()
	<-s.done
}
