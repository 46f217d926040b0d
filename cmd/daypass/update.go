package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"daypass.dev"
	"daypass.dev/deliver"
	"daypass.dev/internal/cli"
	"daypass.dev/refresh"
)

func updateCommand() *cobra.Command {
	u := &updater{profiles: profiles{names: []string{"default"}}}
	c := &cobra.Command{
		Use:   "update",
		Short: "keep a profile of ~/.aws/credentials fresh",
		Long: `Update writes credentials into a profile of the shared credentials file, and
renews them there as long as it runs: at half of their life, so that who reads
the file gets at least that. It is for programs that read nothing else; what
can ask serve is never without credentials.

Everything else in the file stays byte for byte. Readers see the old file or
the new, never a part; several updates of one file wait for each other, other
programs that write it do not. A file or directory that is missing is made for
this user alone. A file of a looser mode than 0600 becomes 0600; where it is a
symbolic link, the file that it leads to is replaced and the link stays. Run it
as the user whose file it is.

Where AWS cannot be asked, or the file not be written, it keeps trying. Systemd
is told that it is ready once the file holds credentials.`,
		Example: `  daypass update --profile reports --certificate tls.crt --private-key tls.key --role-arn …
  daypass update --once && aws s3 ls
  AWS_SHARED_CREDENTIALS_FILE=/run/aws/credentials daypass update --profile a,b`,
	}
	o := newOptions(c, u.settings()...)
	c.RunE = func(c *cobra.Command, _ []string) error {
		log, err := o.logger(c.ErrOrStderr(), slog.LevelInfo)
		if err != nil {
			return err
		}
		o.NameSession = !u.once
		call, shows, err := o.exchange(log)
		if err != nil {
			return err
		}
		return u.run(c.Context(), call, shows.Changed, log)
	}
	return c
}

// An updater is what update and its namesake of aws_signing_helper are told.
type updater struct {
	profiles profiles
	once     bool
	path     string
}

func (u *updater) settings() []cli.Setting {
	return []cli.Setting{
		{Flag: "profile", Arg: "NAME", Into: &u.profiles,
			Help: "the profile to keep; several with commas, or by giving it again"},
		{Flag: "once", Into: &u.once, Help: "write once, then end"},
		{Into: &u.path, Also: []string{"AWS_SHARED_CREDENTIALS_FILE"}, Help: "the file, if it is not ~/.aws/credentials"},
	}
}

// profiles are names, as a flag takes them: the first that is given puts the
// default away.
type profiles struct {
	names []string
	given bool
}

// Set adds names, separated by commas.
func (p *profiles) Set(text string) error {
	if !p.given {
		p.names, p.given = nil, true
	}
	for name := range strings.SplitSeq(text, ",") {
		p.names = append(p.names, strings.TrimSpace(name))
	}
	return nil
}

func (p *profiles) String() string { return strings.Join(p.names, ",") }

// Type stands for the value in help.
func (p *profiles) Type() string { return "NAME" }

// run keeps the profiles until ctx is done, or writes them once. changed is
// refresh.Source.Changed.
func (u *updater) run(ctx context.Context, from daypass.Source, changed func() bool, log *slog.Logger) error {
	path, err := credentialsFile(u.path)
	if err != nil {
		return err
	}
	file := &deliver.File{Path: path, Profiles: u.profiles.names, Log: log}
	if err := file.Check(); err != nil {
		return unwritten(err)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSymlink != 0 {
		log.Info("the credentials file is a symbolic link: what it leads to is replaced", "file", path)
	}
	if u.once {
		got, err := once(ctx, from)
		if err != nil {
			return err
		}
		return unwritten(file.Write(ctx, got))
	}
	src := &refresh.Source{From: &keeper{from: from, file: file, log: log}, Changed: changed, Log: log}
	defer src.Close()
	_, _ = src.Credentials(ctx) // starts renewal, which logs what comes of it
	debug.FreeOSMemory()        // reading the system's roots left 2 MB behind
	<-ctx.Done()
	return nil
}

// unwritten gives an error from writing the file its hint and exit code.
func unwritten(err error) error {
	if fault := (*deliver.FileError)(nil); errors.As(err, &fault) {
		return &cli.Error{Err: err, Hint: fault.Hint, Code: cli.Usage}
	}
	return err
}

// credentialsFile is the file that SDKs read. Like botocore, and unlike other
// SDKs, it takes ~/ for the home directory: a systemd unit has no shell to.
func credentialsFile(given string) (string, error) {
	rest, tilde := strings.CutPrefix(given, "~/")
	if given != "" && !tilde {
		return given, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", cli.Usagef("set HOME or AWS_SHARED_CREDENTIALS_FILE", "finding the credentials file: %w", err)
	}
	if tilde {
		return filepath.Join(home, rest), nil
	}
	return filepath.Join(home, ".aws", "credentials"), nil
}

// A keeper asks for credentials and writes them, as one step: what cannot be
// written does not count as renewed and is tried again, at refresh's pace.
// That does not ask AWS again as long as the credentials are young.
type keeper struct {
	from     daypass.Source
	file     *deliver.File
	log      *slog.Logger
	begun    time.Time           // when from was asked
	got      daypass.Credentials // what it said, while that is not written
	notified bool
}

// Credentials returns what now stands in the file. It is not safe for
// concurrent use: refresh.Source makes one call at a time.
func (k *keeper) Credentials(ctx context.Context) (daypass.Credentials, error) {
	if young := k.got.Life() / 4; !k.got.Whole() || time.Since(k.begun) >= young {
		var err error
		k.begun = time.Now()
		if k.got, err = k.from.Credentials(ctx); err != nil {
			return daypass.Credentials{}, err
		}
	}
	if err := k.file.Write(ctx, k.got); err != nil {
		return daypass.Credentials{}, err
	}
	written := k.got
	if !written.Issued.IsZero() {
		written.Issued = written.Issued.Add(time.Since(k.begun)) // their life began then, not now
	}
	k.got = daypass.Credentials{}
	if !k.notified {
		k.notified = true
		if err := notify("READY=1"); err != nil {
			k.log.Warn("telling systemd that the file is ready", "error", err.Error())
		}
	}
	return written, nil
}
