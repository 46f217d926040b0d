package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"daypass.dev/internal/cli"
)

// serveHealth answers on the socket, and on the port once it is free: while an
// agent is exchanged, the one before has it.
func (f *nodeFlags) serveHealth(ctx context.Context, s *http.Server, log *slog.Logger) error {
	if f.socket != "" {
		_ = os.Remove(f.socket) // of a process that was killed
		l, err := net.Listen("unix", f.socket)
		if err != nil {
			return cli.Usagef("name a file in a directory that is there", "listening for health checks: %w", err)
		}
		go func() { _ = s.Serve(l) }()
	}
	go func() {
		for first := true; ctx.Err() == nil; first = false {
			l, err := net.Listen("tcp", f.health)
			if err == nil {
				_ = s.Serve(l)
				return
			}
			if first {
				log.Warn("listening for health checks", "error", err.Error(), "again", "until it is free")
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}()
	return nil
}

func nodeReady() *cobra.Command {
	socket := ""
	c := &cobra.Command{
		Use:   "ready",
		Short: "tell whether the agent in this container serves",
		Long: `Ready asks the agent of its own container, for a readiness probe: 0 if it
serves pods and AWS answers it, 3 with the reason if not. A probe of the port
would not do while two agents are there, as in an upgrade without a gap.`,
		Args: cobra.NoArgs,
	}
	cli.Bind(c, cli.Setting{Flag: "health-socket", Arg: "FILE", Into: &socket, Help: "where the agent answers"})
	c.RunE = func(c *cobra.Command, _ []string) error {
		if socket == "" {
			return cli.Usagef("give --health-socket (or DAYPASS_HEALTH_SOCKET)", "--health-socket is missing")
		}
		return askReady(c.Context(), socket)
	}
	return c
}

func askReady(ctx context.Context, socket string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://agent/readyz", nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("asking the agent: %w", err)
	}
	defer answer.Body.Close()
	why, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("asking the agent: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return cli.Nof("", "not ready: %s", strings.TrimSpace(string(why)))
	}
	return nil
}
