package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"daypass.dev/deliver"
)

// A Program holds the addresses and listens on them, and comes back to what it
// could not do. It must not be copied after use.
type Program struct {
	Link    *Link
	Handler http.Handler
	Log     *slog.Logger // nil: silent

	mu      sync.Mutex
	servers map[netip.Addr]*http.Server // nil: it has not begun
	trouble error
}

// look is how often the addresses and the packet filter are looked after.
const look = 10 * time.Second

// Connections that each address holds at a time: so many that a node's pods all
// together do not need more, and so many of one pod, or of all those on the
// node's own network, that no pod takes the others' place.
const (
	mostConnections = 2048
	mostOfOne       = 256
)

// Run serves until ctx ends, and then ends what is under way. It fails for
// nothing: what is in its way Ready tells, and it tries again.
func (p *Program) Run(ctx context.Context) {
	for {
		p.keepUp()
		select {
		case <-ctx.Done():
			p.end()
			return
		case <-time.After(look):
		}
	}
}

// Ready is nil while the agent listens on all addresses that this machine has.
func (p *Program) Ready() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.servers == nil && p.trouble == nil {
		return errors.New("the agent has not begun")
	}
	return p.trouble
}

func (p *Program) keepUp() {
	addresses, err := p.Link.Up()
	for _, a := range addresses {
		if err == nil {
			err = p.listen(a)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil && p.Log != nil && (p.trouble == nil || p.trouble.Error() != err.Error()) {
		p.Log.Error("pods cannot reach the agent", "error", err.Error())
	}
	p.trouble = err
}

// listen serves on an address, unless it does. The agent that comes after this
// one may listen beside it: then no request is lost between them.
func (p *Program) listen(a netip.Addr) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.servers[a] != nil {
		return nil
	}
	if p.servers == nil {
		p.servers = map[netip.Addr]*http.Server{}
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		}), err)
	}}
	l, err := config.Listen(context.Background(), "tcp", netip.AddrPortFrom(a, 80).String())
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return &Trouble{"agent-port", fmt.Errorf("listening: %w", err)}
	case err != nil:
		return &Trouble{"agent-address", fmt.Errorf("listening: %w", err)}
	}
	s := deliver.Server(p.Handler, p.Log)
	p.servers[a] = s
	go func() {
		err := s.Serve(deliver.Bounded(l, mostConnections, mostOfOne))
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.servers[a] == s && !errors.Is(err, http.ErrServerClosed) {
			delete(p.servers, a) // keepUp listens anew
			p.trouble = fmt.Errorf("serving on %s: %w", a, err)
		}
	}()
	if p.Log != nil {
		p.Log.Info("serving pods", "address", l.Addr().String())
	}
	return nil
}

// end lets requests that are under way end.
func (p *Program) end() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	p.mu.Lock()
	servers := p.servers
	p.servers = map[netip.Addr]*http.Server{}
	p.trouble = errors.New("the agent is ending")
	p.mu.Unlock()
	for _, s := range servers {
		_ = s.Shutdown(ctx)
	}
}
