package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"daypass.dev/internal/cli"
)

// defaultListen is where SDKs are told to look; the port is the one that
// aws_signing_helper has.
const defaultListen = "localhost:9911"

// addresses reads HOST:PORT. Host is an IP address, localhost (loopback of
// IPv4 and of IPv6) or empty (every address). No name is looked up, because
// who may reach us must be known before we listen.
func addresses(listen string) ([]netip.AddrPort, error) {
	const hint = "give an address as 127.0.0.1:9911 or [::1]:9911; port 0 takes any that is free"
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, cli.Usagef(hint, "--listen: %w", err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, cli.Usagef(hint, "--listen %s: %q is not a port", listen, port)
	}
	if strings.EqualFold(host, "localhost") {
		return []netip.AddrPort{
			netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(n)),
			netip.AddrPortFrom(netip.IPv6Loopback(), uint16(n)),
		}, nil
	}
	if host == "" {
		host = "::"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return nil, cli.Usagef(hint, "--listen %s: the host is neither an IP address nor localhost", listen)
	}
	return []netip.AddrPort{netip.AddrPortFrom(ip.Unmap(), uint16(n))}, nil
}

// routable reports whether another machine may reach any of the addresses and
// would be answered: at link-local ones deliver.IMDS answers this one alone, and
// deliver.Container nobody without a token.
func routable(addrs []netip.AddrPort) bool {
	for _, a := range addrs {
		if !a.Addr().IsLoopback() && !a.Addr().IsLinkLocalUnicast() {
			return true
		}
	}
	return false
}

// listen opens the addresses. Those after the first take its port, and are
// left out where the machine does not have them, as without IPv6.
func listen(addrs []netip.AddrPort, log *slog.Logger) (open []net.Listener, err error) {
	defer func() {
		if err != nil {
			for _, l := range open {
				_ = l.Close()
			}
		}
	}()
	port := addrs[0].Port()
	for i, a := range addrs {
		network := "tcp"
		if a.Addr().Is4() {
			network = "tcp4" // else 0.0.0.0 is all of IPv6, too
		}
		l, err := net.Listen(network, netip.AddrPortFrom(a.Addr(), port).String())
		if i > 0 && (errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)) {
			log.Debug("not listening on an address that this machine does not have", "address", a.Addr())
			continue
		}
		if err != nil {
			return open, fmt.Errorf("listening: %w", err)
		}
		port = uint16(l.Addr().(*net.TCPAddr).Port)
		open = append(open, l)
	}
	return open, nil
}

// A server has the listener it is for.
type server struct {
	http     *http.Server
	listener net.Listener
}

// servers live and end together.
type servers []server

// serve returns nil once ctx is done, or the error of the first server that
// ends before. Calls under way are given a moment to end.
func (all servers) serve(ctx context.Context) (err error) {
	ended := make(chan error, len(all))
	for _, s := range all {
		go func() { ended <- s.http.Serve(s.listener) }()
	}
	select {
	case <-ctx.Done():
	case err = <-ended:
	}
	last, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for _, s := range all {
		_ = s.http.Shutdown(last)
	}
	all.close()
	return err
}

func (all servers) close() {
	for _, s := range all {
		_ = s.http.Close()
		_ = s.listener.Close()
	}
}
