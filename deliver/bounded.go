package deliver

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"sync"
)

// MostConnections is how many connections a serve holds at a time: more than
// any machine's workloads need, and few enough that all of them together,
// whatever they send, cost no more than some tens of megabytes.
const MostConnections = 1536

// maxLines is how many lines callers may send without reading an answer. An SDK
// sends about ten; a header of short lines takes many times its length.
const maxLines = 256

var errTooManyLines = errors.New("too many lines before an answer")

// Bounded is l with bounds on what its callers together can cost: at most so
// many connections at a time, at most so many of one address, and not many
// lines for each request. What is more is closed at once. It is for a Server,
// whose timeouts end what stays unused.
func Bounded(l net.Listener, most, mostOfOne int) net.Listener {
	return &bounded{Listener: l, most: most, mostOfOne: mostOfOne, open: map[netip.Addr]int{}}
}

type bounded struct {
	net.Listener
	most, mostOfOne int

	mu   sync.Mutex
	all  int
	open map[netip.Addr]int
}

func (b *bounded) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		var of netip.Addr
		if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
			of = tcp.AddrPort().Addr()
		}
		if b.take(of) {
			return &boundedConn{Conn: c, leave: sync.OnceFunc(func() { b.leave(of) })}, nil
		}
		_ = c.Close()
	}
}

func (b *bounded) take(of netip.Addr) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all >= b.most || b.open[of] >= b.mostOfOne {
		return false
	}
	b.all++
	b.open[of]++
	return true
}

func (b *bounded) leave(of netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all--
	if b.open[of]--; b.open[of] == 0 {
		delete(b.open, of)
	}
}

// A boundedConn is read by one goroutine at a time, but written by another.
type boundedConn struct {
	net.Conn
	leave func()

	mu    sync.Mutex
	lines int // read since the last write
}

func (c *boundedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines += bytes.Count(p[:n], []byte{'\n'})
	if c.lines > maxLines {
		return 0, errTooManyLines
	}
	return n, err
}

func (c *boundedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.lines = 0
	c.mu.Unlock()
	return c.Conn.Write(p)
}

func (c *boundedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
