package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"daypass.dev/deliver"
)

func env() *cobra.Command {
	c := &cobra.Command{
		Use:   "env",
		Short: "print credentials as export lines for a shell",
		Long: `Env prints export lines for a POSIX shell. A shell that has read them does not
see the credentials renewed: for more than their life use run or serve.`,
		Example: `  eval "$(daypass env)"`,
	}
	o := newOptions(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		log, err := o.logger(c.ErrOrStderr(), slog.LevelWarn)
		if err != nil {
			return err
		}
		call, _, err := o.exchange(log)
		if err != nil {
			return err
		}
		got, err := once(c.Context(), call)
		if err != nil {
			return err
		}
		return deliver.Env(c.OutOrStdout(), got)
	}
	return c
}
