package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"daypass.dev/config"
	"daypass.dev/deliver"
	"daypass.dev/internal/cli"
	"daypass.dev/reason"
)

// mostProbes is how many connections of probes are held at a time.
const mostProbes = 64

type serveFlags struct {
	listen, tokenFile, health, audit string
	roles                            roles
}

func serve() *cobra.Command {
	flags := &serveFlags{listen: defaultListen}
	c := &cobra.Command{
		Use:   "serve",
		Short: "serve credentials to the SDKs on this machine",
		Long: `Serve renews credentials in the background and hands them to AWS SDKs over two
protocols on one port. It prints what to set for them:

  IMDSv2     AWS_EC2_METADATA_SERVICE_ENDPOINT; needs no secret, so it is there
             on loopback and link-local addresses only, for this machine
  container  AWS_CONTAINER_CREDENTIALS_FULL_URI, with the authorization token in
             AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE; needs --authorization-token-file

Where AWS cannot be asked at first, it starts all the same and keeps trying.
Certificates and tokens that are renewed in their files are taken up.

With --role, given once for each, it serves several roles by one certificate or
token, each on a path of its own of the container endpoint; not over IMDSv2,
which knows one role a machine. Who may ask for one may ask for all of them:
what must be kept apart gets a serve, and a user, of its own.

The audit log has a line of JSON for every caller that asked for credentials:
when, from which process, which role, what came of it. See docs/operate-hosts.md.

The environment and the files of the sidecar in AWS's blog are understood, too:
TRUST_ANCHOR_ARN, PROFILE_ARN, ROLE_ARN, /iamra/tls.crt and /iamra/tls.key.`,
		Example: `  daypass serve --certificate tls.crt --private-key tls.key --role-arn …
  daypass serve --listen 127.0.0.1:0 --health-listen :9912
  (umask 077; head -c 32 /dev/urandom | base64 | tr -d '\n' >token)
  daypass serve --authorization-token-file token --audit-log /var/log/daypass.jsonl \
    --role reports=arn:aws:iam::111122223333:role/reports \
    --role backup=arn:aws:iam::111122223333:role/backup`,
	}
	o := newServeOptions(c,
		cli.Setting{Flag: "listen", Arg: "HOST:PORT", Into: &flags.listen,
			Help: "IP address and port; localhost is 127.0.0.1 and ::1; port 0 takes any that is free"},
		cli.Setting{Flag: "authorization-token-file", Arg: "FILE", Into: &flags.tokenFile,
			Help: "file with the token that callers of the container endpoint must show"},
		cli.Setting{Flag: "health-listen", Arg: "HOST:PORT", Into: &flags.health,
			Help: "also answer /healthz, /readyz and /metrics there"},
		cli.Setting{Flag: "role", Arg: "NAME=ARN", Into: &flags.roles,
			Help: "in place of --role-arn: serve this role at /role/NAME/v1/credentials; several with spaces, or by giving it again"},
		cli.Setting{Flag: "audit-log", Arg: "FILE", Into: &flags.audit,
			Help: "append a line for every caller that asks for credentials; - is standard error"})
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
	if len(flags.roles) > 0 && flags.tokenFile == "" {
		return cli.Usagef("give --authorization-token-file (or DAYPASS_AUTHORIZATION_TOKEN_FILE)",
			"--role: several roles are served by the container endpoint, which needs a token")
	}
	served, shows, err := o.rolesServed(flags.roles, log)
	if err != nil {
		return err
	}
	audit, err := auditTo(flags.audit, os.Stderr)
	if err != nil {
		return err
	}
	open, err := listen(addrs, log)
	if err != nil {
		return err
	}
	defer served.close()
	answers := deliver.Guard(served.answer(o, flags.tokenFile, log), log)
	if audit != nil {
		answers = deliver.Audit(answers, audit, log)
	}
	var all servers
	for _, l := range open {
		all = append(all, server{deliver.Server(answers, log), deliver.Bounded(l, deliver.MostConnections, deliver.MostConnections)})
	}
	if flags.health != "" {
		l, err := net.Listen("tcp", flags.health)
		if err != nil {
			all.close()
			return fmt.Errorf("listening for health checks: %w", err)
		}
		all = append(all, server{deliver.Server(served.health(shows), log), deliver.Bounded(l, mostProbes, mostProbes)})
		log.Info("answering health checks", "address", l.Addr().String())
	}
	limitMemory()
	served.begin(ctx)
	announce(stdout, open, served, flags.tokenFile, !routable(addrs))
	for _, r := range served {
		log.Info("serving credentials", "role", r.arn, "address", open[0].Addr().String()+r.path())
	}
	if err := notify("READY=1"); err != nil {
		log.Warn("telling systemd that this serves", "error", err.Error())
	}
	return all.serve(ctx)
}

// limitMemory has garbage cleared away sooner once a crowd of callers makes
// much of it. GOMEMLIMIT comes before.
func limitMemory() {
	const soft = 48 << 20
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(soft)
	}
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
func announce(w io.Writer, open []net.Listener, all rolesServed, tokenFile string, imds bool) {
	base := "http://" + here(open[0].Addr().(*net.TCPAddr).AddrPort()).String()
	for _, r := range all {
		if r.name != "" {
			fmt.Fprintf(w, "# %s\n", r.name)
		}
		if imds && r.name == "" {
			fmt.Fprintf(w, "export AWS_EC2_METADATA_SERVICE_ENDPOINT=%s\n", base+r.path())
		}
		if tokenFile != "" {
			fmt.Fprintf(w, "export AWS_CONTAINER_CREDENTIALS_FULL_URI=%s\n", base+r.path()+deliver.ContainerPath)
			fmt.Fprintf(w, "export AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE='%s'\n", strings.ReplaceAll(tokenFile, "'", `'\''`))
		}
	}
}
