package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"daypass.dev/config"
	"daypass.dev/deliver"
	"daypass.dev/internal/cli"
	"daypass.dev/reason"
	"daypass.dev/refresh"
)

type serveFlags struct{ listen, tokenFile, health string }

func serve() *cobra.Command {
	flags := &serveFlags{listen: defaultListen}
	c := &cobra.Command{
		Use:   "serve",
		Short: "serve credentials to the SDKs on this machine",
		Long: `Serve renews credentials in the background and hands them to AWS SDKs over two
protocols on one port. It prints what to set for them:

  IMDSv2     AWS_EC2_METADATA_SERVICE_ENDPOINT; needs no secret, so it is there
             on loopback and link-local addresses only
  container  AWS_CONTAINER_CREDENTIALS_FULL_URI, with the authorization token in
             AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE; needs --authorization-token-file

Where AWS cannot be asked at first, it starts all the same and keeps trying.
Certificates and tokens that are renewed in their files are taken up.

The environment and the files of the sidecar in AWS's blog are understood, too:
TRUST_ANCHOR_ARN, PROFILE_ARN, ROLE_ARN, /iamra/tls.crt and /iamra/tls.key.`,
		Example: `  daypass serve --certificate tls.crt --private-key tls.key --role-arn …
  daypass serve --listen 127.0.0.1:0 --health-listen :9912
  (umask 077; head -c 32 /dev/urandom | base64 >token)
  daypass serve --authorization-token-file token`,
	}
	o := newServeOptions(c,
		cli.Setting{Flag: "listen", Arg: "HOST:PORT", Into: &flags.listen,
			Help: "IP address and port; localhost is 127.0.0.1 and ::1; port 0 takes any that is free"},
		cli.Setting{Flag: "authorization-token-file", Arg: "FILE", Into: &flags.tokenFile,
			Help: "file with the token that callers of the container endpoint must show"},
		cli.Setting{Flag: "health-listen", Arg: "HOST:PORT", Into: &flags.health,
			Help: "also answer /healthz, /readyz and /metrics there"})
	c.RunE = func(c *cobra.Command, _ []string) error {
		o.UseSidecarFiles(config.SidecarDir)
		o.NameSession = true
		log, err := o.logger(c.ErrOrStderr(), slog.LevelInfo)
		if err != nil {
			return err
		}
		return serving(c.Context(), o, flags, c.OutOrStdout(), log)
	}
	return c
}

func serving(ctx context.Context, o *options, flags *serveFlags, stdout io.Writer, log *slog.Logger) error {
	addrs, err := addresses(flags.listen)
	if err != nil {
		return err
	}
	if routable(addrs) && flags.tokenFile == "" {
		why, _ := reason.Lookup("listen-routable")
		return cli.Usagef(why.Mend, "--listen %s: other machines may reach this address, and nothing would ask them for a token", flags.listen)
	}
	call, shows, err := o.exchange(log)
	if err != nil {
		return err
	}
	open, err := listen(addrs, log)
	if err != nil {
		return err
	}
	src := &refresh.Source{From: call, Changed: shows.changed, Log: log}
	defer src.Close()
	go func() {
		_, _ = src.Credentials(ctx) // starts renewal, which logs what comes of it
		debug.FreeOSMemory()        // reading the system's roots left 2 MB behind
	}()

	imds := &deliver.IMDS{Source: src, RoleARN: o.RoleARN, Region: o.ServedRegion(), Log: log}
	container := &deliver.Container{Source: src, TokenFile: flags.tokenFile, Log: log}
	var all servers
	for _, l := range open {
		all = append(all, served{deliver.Server(deliver.Guard(byPath(imds, container), log), log), l})
	}
	if flags.health != "" {
		l, err := net.Listen("tcp", flags.health)
		if err != nil {
			all.close()
			return fmt.Errorf("listening for health checks: %w", err)
		}
		all = append(all, served{deliver.Server(health(shows, src), log), l})
		log.Info("answering health checks", "address", l.Addr().String())
	}
	announce(stdout, open, flags.tokenFile, !routable(addrs))
	log.Info("serving credentials", "role", o.RoleARN, "address", open[0].Addr().String())
	return all.serve(ctx)
}

// byPath tells the two protocols apart.
func byPath(imds, container http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(strings.TrimLeft(r.URL.Path, "/"), "v1/") {
			container.ServeHTTP(w, r)
			return
		}
		imds.ServeHTTP(w, r)
	})
}

// announce prints how to point SDKs at us. It writes no slash at the end:
// Java's SDK adds one of its own.
func announce(w io.Writer, open []net.Listener, tokenFile string, imds bool) {
	base := "http://" + here(open[0].Addr().(*net.TCPAddr).AddrPort()).String()
	if imds {
		fmt.Fprintf(w, "export AWS_EC2_METADATA_SERVICE_ENDPOINT=%s\n", base)
	}
	if tokenFile != "" {
		fmt.Fprintf(w, "export AWS_CONTAINER_CREDENTIALS_FULL_URI=%s%s\n", base, deliver.ContainerPath)
		fmt.Fprintf(w, "export AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE='%s'\n", strings.ReplaceAll(tokenFile, "'", `'\''`))
	}
}

func health(shows shown, src *refresh.Source) *deliver.Health {
	return &deliver.Health{
		Ready: shows.whole,
		Metrics: func() []deliver.Metric {
			status := src.Status()
			return append(shows.ends(context.Background()), []deliver.Metric{
				{Name: "daypass_credentials_remaining_seconds", Value: status.Remaining.Seconds(),
					Help: "Life left in the credentials held; 0 if there are none."},
				{Name: "daypass_exchange_calls_total", Counter: true, Value: float64(status.Calls),
					Help: "Calls to AWS for credentials."},
				{Name: "daypass_exchange_failures_total", Counter: true, Value: float64(status.Failures),
					Help: "Calls to AWS that gave no credentials."},
			}...)
		},
	}
}
