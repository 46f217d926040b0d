package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"daypass.dev"
	"daypass.dev/deliver"
	"daypass.dev/exchange"
	"daypass.dev/internal/cli"
	"daypass.dev/refresh"
)

// atMost ends a command that asks AWS once. SDKs end a credential_process
// after a minute.
const atMost = 45 * time.Second

func credentialProcess() *cobra.Command {
	var memory memory
	c := &cobra.Command{
		Use:   "credential-process",
		Short: "print credentials for credential_process in ~/.aws/config",
		Long: `Credential-process prints one JSON document that AWS SDKs and the AWS CLI read
when a profile names it:

  [profile reports]
  credential_process = daypass credential-process --certificate …

It asks AWS once and remembers the answer for the next call, as long as half
of its life is left: in a directory that only this user can read and that does
not outlive the machine, else not at all.`,
		Example: `  daypass credential-process \
    --certificate tls.crt --private-key tls.key \
    --role-arn arn:aws:iam::111122223333:role/reports \
    --trust-anchor-arn arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/… \
    --profile-arn arn:aws:rolesanywhere:eu-west-1:111122223333:profile/…`,
	}
	o := newOptions(c, memory.settings()...)
	c.RunE = func(c *cobra.Command, _ []string) error {
		log, err := o.logger(c.ErrOrStderr(), slog.LevelWarn)
		if err != nil {
			return err
		}
		call, _, err := o.exchange(log)
		if err != nil {
			return err
		}
		got, err := once(c.Context(), memory.over(call, log))
		if err != nil {
			return err
		}
		return deliver.Process(c.OutOrStdout(), got)
	}
	return c
}

// once gets credentials for a command that then ends.
func once(ctx context.Context, src daypass.Source) (daypass.Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	got, err := src.Credentials(ctx)
	return got, said(err)
}

// memory is where credentials are remembered between processes.
type memory struct {
	dir string
	off bool
}

func (m *memory) settings() []cli.Setting {
	return []cli.Setting{
		{Flag: "cache-dir", Arg: "DIR", Into: &m.dir,
			Help: "remember credentials here instead of in $XDG_RUNTIME_DIR or /run/user/UID"},
		{Flag: "no-cache", Into: &m.off, Help: "remember nothing"},
	}
}

func (m *memory) over(call exchange.Call, log *slog.Logger) daypass.Source {
	if m.off || m.dir == "" && runtime.GOOS == "windows" { // which has no such place
		return call
	}
	dirs := []string{m.dir}
	if m.dir == "" {
		dirs = []string{filepath.Join("/run/user", strconv.Itoa(os.Geteuid()), "daypass")}
		if ours := os.Getenv("XDG_RUNTIME_DIR"); ours != "" {
			dirs = append([]string{filepath.Join(ours, "daypass")}, dirs...)
		}
	}
	disk := &refresh.Disk{From: call, Key: call.MemoryKey, Dirs: dirs, Log: log}
	if home, err := os.UserHomeDir(); err == nil {
		disk.Homes = []string{home}
	}
	return disk
}
