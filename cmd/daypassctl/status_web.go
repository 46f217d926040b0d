package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"daypass.dev/internal/cli"
	"daypass.dev/kube/page"
	"daypass.dev/kube/survey"
)

// statusWeb serves the page until ctx ends.
func statusWeb(ctx context.Context, stdout io.Writer, addr string, read func(context.Context) (*survey.Status, error)) error {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return cli.Usagef("give an address and a port, as 127.0.0.1:0", "--addr: %w", err)
	}
	if !at.Addr().IsLoopback() {
		return cli.Usagef("give 127.0.0.1:PORT or [::1]:PORT, and come from elsewhere by ssh -L",
			"--addr %s: other machines may reach this address, and the page shows what you may read", addr)
	}
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	p := page.New(read)
	server := &http.Server{Handler: p, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	fmt.Fprintf(stdout, "http://%s%s\n", l.Addr(), p.Path())
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
