package kube

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Dial connects to an address of the cluster's network, as a program on its
// first node would; the address must be numeric.
func (c *Cluster) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	pid, err := c.pid(c.node(1))
	if err != nil {
		return nil, err
	}
	space, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, err
	}
	defer space.Close()
	type dialed struct {
		conn net.Conn
		err  error
	}
	done := make(chan dialed)
	go func() {
		// A socket belongs to the namespace of the thread that made it. The
		// thread is never unlocked, and so it ends with this goroutine.
		runtime.LockOSThread()
		if err := unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- dialed{nil, fmt.Errorf("entering the cluster's network: %w", err)}
			return
		}
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, address)
		done <- dialed{conn, err}
	}()
	d := <-done
	return d.conn, d.err
}

// AWSAddress is where the cluster's DNS sends AWS's host names: the Service of
// the sandbox.
const AWSAddress = "10.96.0.100"
