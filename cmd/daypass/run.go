package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"daypass.dev"
	"daypass.dev/deliver"
	"daypass.dev/internal/cli"
)

// Exit codes of run beside the command's own, as env(1) and timeout(1) have
// them.
const (
	runFailed   = 125 // daypass itself failed
	runRefused  = 126 // the command was found but cannot be run
	runNotFound = 127
)

func run() *cobra.Command {
	var variables bool
	c := &cobra.Command{
		Use:   "run [flags] [--] COMMAND [ARG]...",
		Short: "run a command with credentials of its own",
		Long: `Run gets credentials, then runs the command with a credential endpoint that
only this command knows: a free loopback port and a random token. Credentials
are renewed as long as the command runs. Variables that would lead an SDK to
other credentials are taken away; keys that stand in ~/.aws/credentials are
not, and some SDKs prefer them: --env comes before both.

Signals are passed on. The exit code is the command's, or 125 if daypass itself
failed, 126 if the command cannot be run, 127 if it is not found.`,
		Example: `  daypass run -- aws s3 ls
  daypass run --env -- terraform plan`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &cli.Error{Err: errors.New("no command to run"), Hint: "as in: daypass run -- aws s3 ls", Code: runFailed}
			}
			return nil
		},
	}
	// No twin: DAYPASS_ENV would mean something else to most people.
	c.Flags().BoolVar(&variables, "env", false, "give the credentials as variables, which cannot be renewed")
	o := newOptions(c)
	c.Flags().SetInterspersed(false) // the command's flags are its own
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &cli.Error{Err: err, Hint: "see " + c.CommandPath() + " --help", Code: runFailed}
	})
	fill := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error { return failed(fill(c, args)) }
	c.RunE = func(c *cobra.Command, args []string) error {
		log, err := o.logger(c.ErrOrStderr(), slog.LevelWarn)
		if err != nil {
			return failed(err)
		}
		o.NameSession = true
		src, err := o.Source(log)
		if err != nil {
			return failed(said(err))
		}
		defer src.Close()
		environ, end, err := environment(c.Context(), src, variables, log)
		if err != nil {
			return failed(err)
		}
		defer end()
		o.KeepPassword()
		return command(args, environ)
	}
	return c
}

// failed makes err one of daypass itself, not of the command.
func failed(err error) error {
	if err == nil {
		return nil
	}
	as := &cli.Error{Err: err}
	if told := (*cli.Error)(nil); errors.As(err, &told) {
		as.Hint = told.Hint
	}
	as.Code = runFailed
	return as
}

// environment is what the command gets, once there are credentials. end ends
// the endpoint that it names.
func environment(ctx context.Context, src daypass.Source, variables bool, log *slog.Logger) (environ []string, end func(), err error) {
	first, err := once(ctx, src)
	if err != nil {
		return nil, nil, err
	}
	environ = withoutCredentials(os.Environ())
	if variables {
		all, err := deliver.Variables(first)
		for _, v := range all {
			environ = append(environ, v.Name+"="+v.Value)
		}
		return environ, func() {}, err
	}
	addrs, err := addresses("127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	open, err := listen(addrs, log)
	if err != nil {
		return nil, nil, err
	}
	token := rand.Text()
	endpoint := &deliver.Container{Source: src, Token: daypass.Secret(token), Log: log}
	server := deliver.Server(deliver.Guard(endpoint, log), log)
	go func() { _ = server.Serve(deliver.Bounded(open[0], deliver.MostConnections, deliver.MostConnections)) }()
	return append(environ,
		"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://"+open[0].Addr().String()+deliver.ContainerPath,
		"AWS_CONTAINER_AUTHORIZATION_TOKEN="+token,
	), func() { _ = server.Close() }, nil
}

// strays are variables by which SDKs find credentials, or which, and our own
// secret.
func strays() []string {
	return []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
		"AWS_CREDENTIAL_EXPIRATION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE",
		"AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
		"DAYPASS_PASSWORD", // of the key, which is not the command's
	}
}

func withoutCredentials(environ []string) (kept []string) {
	strays := strays()
	for _, v := range environ {
		if name, _, _ := strings.Cut(v, "="); !slices.Contains(strays, name) {
			kept = append(kept, v)
		}
	}
	return kept
}

// command runs args to its end and returns its exit code as an error.
func command(args, environ []string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = environ
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, passed()...)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		code := runRefused
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			code = runNotFound
		}
		return &cli.Error{Err: fmt.Errorf("running the command: %w", err), Code: code}
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			if s != syscall.SIGINT && s != syscall.SIGQUIT || !fromTerminal() {
				_ = cmd.Process.Signal(s)
			}
		case err := <-ended:
			return exit(cmd.ProcessState, err)
		}
	}
}

func exit(state *os.ProcessState, err error) error {
	if state == nil {
		return &cli.Error{Err: fmt.Errorf("waiting for the command: %w", err), Code: runFailed}
	}
	code := state.ExitCode()
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		code = 128 + int(status.Signal())
	}
	if code == 0 {
		return nil
	}
	return &cli.Error{Err: fmt.Errorf("the command ended with code %d", code), Code: code, Silent: true}
}
