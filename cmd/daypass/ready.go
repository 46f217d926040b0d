package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"daypass.dev/config"
	"daypass.dev/deliver"
	"daypass.dev/internal/cli"
)

func ready() *cobra.Command {
	at := defaultListen
	c := &cobra.Command{
		Use:   "ready",
		Short: "probe whether serve is up and its certificate or token is whole",
		Long: `Ready is an exec probe for a container that runs serve. It ends with 0 if the
endpoint answers and certificate, chain and key can be read and fit together,
or the token's file holds a token. It does not ask whether AWS is up: a workload
that waits for that would be restarted by every outage. Settings are read as
serve reads them.`,
		Example: `  readinessProbe: {exec: {command: [daypass, ready]}}`,
	}
	o := &options{}
	o.bind(c, o.ProofTable(), []cli.Setting{{Flag: "listen", Arg: "HOST:PORT", Into: &at, Help: "where serve listens"}})
	c.RunE = func(c *cobra.Command, _ []string) error {
		o.UseSidecarFiles(config.SidecarDir)
		log, err := o.logger(c.ErrOrStderr(), slog.LevelWarn)
		if err != nil {
			return err
		}
		addrs, err := addresses(at)
		if err != nil {
			return err
		}
		p, err := o.Proof(log)
		if err != nil {
			return said(err)
		}
		if p.Keys != nil && o.Certificate == "" {
			return cli.Usagef("give --certificate (or DAYPASS_CERTIFICATE), or a token", "--certificate is missing")
		}
		ctx, cancel := context.WithTimeout(c.Context(), 5*time.Second)
		defer cancel()
		if err := (shown{p}).whole(ctx); err != nil {
			return said(err)
		}
		return answers(ctx, addrs[0])
	}
	return c
}

// here is addr, or loopback where addr is every address.
func here(addr netip.AddrPort) netip.AddrPort {
	switch addr.Addr() {
	case netip.IPv4Unspecified(), netip.IPv6Unspecified():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), addr.Port())
	}
	return addr
}

// answers reports whether an endpoint answers at addr. It asks for nothing that
// is there, so that the probe leaves no refusals in serve's log.
func answers(ctx context.Context, addr netip.AddrPort) error {
	if addr.Port() == 0 {
		return cli.Usagef("give serve and ready the same port", "--listen: port 0 cannot be probed")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+here(addr).String()+"/v1/", nil)
	if err != nil {
		return err
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true}, // and no proxy
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("asking the endpoint: %w", err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusNotFound || answer.Header.Get("Server") != deliver.ServerName {
		return fmt.Errorf("asking the endpoint: status %d, and this is not daypass serve", answer.StatusCode)
	}
	return nil
}
