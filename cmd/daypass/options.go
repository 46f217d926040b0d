package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"daypass.dev"
	"daypass.dev/config"
	"daypass.dev/internal/cli"
	"daypass.dev/proof"
)

// options are what every command that gets credentials is told.
type options struct {
	config.Settings
	verbose   bool
	logFormat string
}

// newOptions binds the options' flags to c, and those of the command's own.
func newOptions(c *cobra.Command, more ...cli.Setting) *options {
	o := &options{Settings: config.Defaults()}
	o.bind(c, o.Table(), more)
	return o
}

// newServeOptions is newOptions with the names that sidecars know.
func newServeOptions(c *cobra.Command, more ...cli.Setting) *options {
	o := &options{Settings: config.Defaults()}
	o.bind(c, o.ServeTable(), more)
	return o
}

func (o *options) bind(c *cobra.Command, settings, more []cli.Setting) {
	o.logFormat = "text"
	cli.Bind(c, more...)
	cli.Bind(c, settings...)
	cli.Bind(c,
		cli.Setting{Flag: "log-format", Arg: "FORMAT", Into: &o.logFormat, Help: "text or json, on standard error"},
		cli.Setting{Flag: "verbose", Short: "v", Into: &o.verbose, Help: "log at debug level"})
	o.bindHelpers(c)
}

// logger writes to stderr; level is what a run without --verbose shows.
func (o *options) logger(stderr io.Writer, level slog.Level) (*slog.Logger, error) {
	if o.verbose {
		level = slog.LevelDebug
	}
	to := &slog.HandlerOptions{Level: level}
	switch o.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(stderr, to)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(stderr, to)), nil
	}
	return nil, cli.Usagef("", "--log-format: %q is neither text nor json", o.logFormat)
}

// said gives an error from getting credentials its hint and exit code: 2 for
// settings and files that are wrong, 3 where AWS refused, 1 where trying again
// may help.
func said(err error) error {
	var (
		told    *cli.Error
		input   *daypass.InputError
		file    *proof.FileError
		silent  *proof.IssuerError
		refused *daypass.Error
	)
	code := cli.Failed
	switch {
	case err == nil || errors.As(err, &told):
		return err
	case errors.As(err, &input):
		code = cli.Usage
	case errors.As(err, &silent):
	case errors.As(err, &file):
		code = cli.Usage
	case errors.As(err, &refused):
		if !refused.Temporary() && refused.Status/100 != 2 { // a success of no use is an accident on the way
			code = cli.No
		}
	default:
		err = fmt.Errorf("asking AWS for credentials: %w", err)
	}
	return &cli.Error{Err: err, Hint: daypass.Advice(err), Code: code}
}
