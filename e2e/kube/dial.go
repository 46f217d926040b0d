package kube

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// AWSAddress is where the cluster's DNS sends AWS's host names: the Service of
// the sandbox.
const AWSAddress = "10.96.0.100"

// Dial connects to an address of the cluster's network, as a program on its
// first node would; the address must be numeric.
func (c *Cluster) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return within(c, 1, func() (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	})
}

// Listen listens on a numeric TCP address as a program on the node of that
// number (1, 2) would.
func (c *Cluster) Listen(ctx context.Context, node int, address string) (net.Listener, error) {
	return within(c, node, func() (net.Listener, error) {
		var l net.ListenConfig
		return l.Listen(ctx, "tcp", address)
	})
}

// within makes a socket in a node's network.
func within[Socket any](c *Cluster, node int, open func() (Socket, error)) (Socket, error) {
	var none Socket
	pid, err := c.pid(c.node(node))
	if err != nil {
		return none, err
	}
	space, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return none, err
	}
	defer space.Close()
	type opened struct {
		socket Socket
		err    error
	}
	done := make(chan opened)
	go func() {
		// A socket belongs to the namespace of the thread that made it. The
		// thread is never unlocked, and so it ends with this goroutine.
		runtime.LockOSThread()
		if err := unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- opened{none, fmt.Errorf("entering the cluster's network: %w", err)}
			return
		}
		socket, err := open()
		done <- opened{socket, err}
	}()
	d := <-done
	return d.socket, d.err
}
