package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"daypass.dev/internal/atomicfile"
	"daypass.dev/internal/cli"
	"daypass.dev/sandbox"
	"daypass.dev/sandbox/page"
	"daypass.dev/sandbox/world"
)

// maxWorld bounds the file of a world.
const maxWorld = 16 << 20

type sandboxOptions struct {
	listen, world, state, decisions, writeEnv string
	gke                                       bool
}

func sandboxCommand() *cobra.Command {
	o := &sandboxOptions{listen: "127.0.0.1:7777"}
	c := &cobra.Command{
		Use:   "sandbox [flags] [-- COMMAND [ARG]...]",
		Short: "a strict local AWS",
		Long: `Sandbox serves a local AWS: IAM, STS, Roles Anywhere, S3, Secrets Manager, SSM
parameters, KMS, Private CA, SNS, EKS and EKS Auth, as far as docs/sandbox.md
tells. It verifies every signature and decides every call by the policies of its
world, and says in one line why it refused. It forgets everything when it ends,
unless --state names a folder, is for development and tests, and never for
production.

One port serves HTTPS with a CA made for this run, plain HTTP, and a forward
proxy that stands for AWS's host names (HTTPS_PROXY). SDKs and the AWS CLI find
it by the variables that --write-env writes; with a command, that runs in this
environment, as an administrator, and the sandbox ends with it and with its exit
code (126 if it cannot be run, 127 if it is not found).

With --state, what has been answered is on disk: accounts, objects, and the
sessions given out last through a restart, however the sandbox ended. The folder
holds secrets in the clear and is for one sandbox at a time. --world fills an
empty folder; afterwards the folder is what counts, and --world is refused. The
administrator's key and the CA are new in each run, and faults count anew.`,
		Example: `  daypassctl sandbox -- aws sts get-caller-identity
  daypassctl sandbox --world world.yaml --decisions decisions.json
  daypassctl sandbox --state ~/.local/state/daypass-sandbox
  daypassctl sandbox --listen 127.0.0.1:0 --write-env env.sh`,
		Args: cobra.ArbitraryArgs,
	}
	cli.Bind(c,
		cli.Setting{Flag: "listen", Arg: "HOST:PORT", Into: &o.listen, Help: "listen there; port 0 takes a free one"},
		cli.Setting{Flag: "world", Arg: "FILE", Into: &o.world, Help: "begin with the accounts, clock and faults of this YAML file"},
		cli.Setting{Flag: "state", Arg: "DIR", Into: &o.state, Help: "keep the world in this folder, and go on from what is there"},
		cli.Setting{Flag: "decisions", Arg: "FILE", Into: &o.decisions, Help: "append a record of each call to this file, a line of JSON each"},
		cli.Setting{Flag: "write-env", Arg: "FILE", Into: &o.writeEnv, Help: "write the environment for clients there, as shell lines, once the sandbox serves"},
		cli.Setting{Flag: "gke", Into: &o.gke, Help: "play Google's metadata server for the pods of the cluster that this runs in"},
	)
	c.Flags().SetInterspersed(false) // the command's flags are its own
	c.RunE = func(c *cobra.Command, args []string) error {
		return o.run(c.Context(), args, c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

func (o *sandboxOptions) run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if err := o.checkListen(stderr); err != nil {
		return err
	}
	w, store, err := o.open()
	if err != nil {
		return err
	}
	if store != nil {
		defer store.Close()
	}
	records := &recorder{}
	if len(args) == 0 {
		records.lines, records.colour = stderr, takesColour(stderr)
	}
	if o.decisions != "" {
		f, err := os.OpenFile(o.decisions, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return cli.Usagef("", "opening the file for decisions: %w", err)
		}
		defer f.Close()
		records.json = f
	}
	w.OnDecision(records.record)
	if o.gke {
		all, err := clusterPods("/var/run/secrets/kubernetes.io/serviceaccount")
		if err != nil {
			return err
		}
		w.Google.Pods = all.of
	}
	admin := w.Administrator(w.Home)
	if store != nil {
		if err := store.Keep(w); err != nil {
			return fmt.Errorf("keeping the world in %s: %w", o.state, err)
		}
	}
	server, err := sandbox.Listen(o.listen, sandbox.New(w))
	if err != nil {
		return cli.Usagef("choose another address with --listen; port 0 takes a free one", "%w", err)
	}
	defer server.Close()
	folder, err := os.MkdirTemp("", "daypass-sandbox-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	caFile := filepath.Join(folder, "ca.pem")
	if err := atomicfile.Write(caFile, server.CA(), 0o600); err != nil {
		return fmt.Errorf("writing the CA's certificate: %w", err)
	}
	environment := sandbox.Environment(clientURL(server.Address()), caFile, w.Region, admin)
	if o.writeEnv != "" {
		if err := atomicfile.Write(o.writeEnv, shellLines(environment), 0o600); err != nil {
			return fmt.Errorf("writing the environment: %w", err)
		}
		defer os.Remove(o.writeEnv)
	}
	if len(args) > 0 {
		return errors.Join(runIn(environment, args), records.err())
	}
	announce(stdout, stderr, server, w, caFile)
	if o.state != "" {
		fmt.Fprintf(stderr, "its world is kept in %s\n", o.state)
	}
	<-ctx.Done()
	return records.err()
}

func (o *sandboxOptions) readWorld() (*world.World, error) {
	if o.world == "" {
		return world.New(), nil
	}
	text, err := cli.ReadFile(o.world, maxWorld)
	if len(text) > maxWorld {
		return nil, cli.Usagef("put large objects into files of their own", "reading the world: %w", err)
	}
	if err != nil {
		return nil, cli.Usagef("", "reading the world: %w", err)
	}
	w, err := world.Parse(o.world, text)
	var wrong *world.ParseError
	if errors.As(err, &wrong) {
		return nil, cli.Usagef(wrong.Mend, "%w", err)
	}
	return w, err
}

// checkListen refuses what is no address, and warns of one that others reach.
func (o *sandboxOptions) checkListen(stderr io.Writer) error {
	host, _, err := net.SplitHostPort(o.listen)
	if err != nil {
		return cli.Usagef("as in --listen 127.0.0.1:7777", "--listen: %w", err)
	}
	ip := net.ParseIP(host)
	switch {
	case host == "localhost" || ip != nil && ip.IsLoopback():
	case ip == nil && host != "":
		return cli.Usagef("as in --listen 127.0.0.1:7777", "--listen: %q is neither an IP address nor localhost", host)
	default:
		fmt.Fprintf(stderr, "daypassctl: warning: %s is reached from other machines; the sandbox protects nothing\n", o.listen)
	}
	return nil
}

// clientURL is how clients on this machine reach an address; one that stands
// for all addresses is reached by loopback.
func clientURL(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip.To4() == nil {
			host = "::1"
		}
	}
	return "https://" + net.JoinHostPort(host, port)
}

func shellLines(environment []string) []byte {
	var b strings.Builder
	for _, v := range environment {
		name, value, _ := strings.Cut(v, "=")
		fmt.Fprintf(&b, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
	}
	return []byte(b.String())
}

func announce(stdout, stderr io.Writer, server *sandbox.Server, w *world.World, caFile string) {
	fmt.Fprintln(stdout, clientURL(server.Address()))
	fmt.Fprintf(stderr, "a local AWS, not for production; account %s, region %s\n", w.Home, w.Region)
	fmt.Fprintf(stderr, "its CA is %s; as a proxy it is %s\n", caFile, server.ProxyURL())
	fmt.Fprintf(stderr, "its decisions, in a browser: %s\n", strings.Replace(clientURL(server.Address()), "https:", "http:", 1)+page.Path)
}

// runIn runs a command in an environment and returns its exit code as an
// error.
func runIn(environment, args []string) error {
	path, err := exec.LookPath(args[0])
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return &cli.Error{Err: err, Code: 127}
	}
	if err != nil {
		return &cli.Error{Err: err, Code: 126}
	}
	cmd := &exec.Cmd{
		Path: path, Args: args, Env: append(withoutAWS(os.Environ()), environment...),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}
	if err := cmd.Start(); err != nil {
		return &cli.Error{Err: err, Code: 126}
	}
	end := passSignals(cmd.Process)
	err = cmd.Wait()
	end()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return &cli.Error{Err: err, Code: exitCode(exit.ProcessState), Silent: true}
	}
	return err
}

// withoutAWS takes away what would lead an SDK elsewhere or to other keys.
func withoutAWS(environ []string) []string {
	var kept []string
	for _, v := range environ {
		if !strings.HasPrefix(v, "AWS_") {
			kept = append(kept, v)
		}
	}
	return kept
}
