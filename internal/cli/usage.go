package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// prepare makes every mistake on the command line wrong usage (exit code 2)
// with a hint, for root and all below it: unknown flags and commands, and too
// many or too few arguments. A command that takes arguments says so in Args.
func prepare(root *cobra.Command) {
	root.SilenceErrors = true
	root.SilenceUsage = true
	// A template of our own would bring in text/template, and with it 1.5 MB.
	usage := root.UsageFunc()
	root.SetUsageFunc(func(c *cobra.Command) error {
		if err := usage(c); err != nil || c.Annotations[twins] == "" {
			return err
		}
		_, err := fmt.Fprintf(c.OutOrStderr(), "\n%s\n", c.Annotations[twins])
		return err
	})
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return Usagef(seeHelp(c), "%w", err)
	})
	each(root, func(c *cobra.Command) {
		if !c.Runnable() {
			c.Args = cobra.ArbitraryArgs
			c.RunE = group
			return
		}
		args := c.Args
		if args == nil {
			args = cobra.NoArgs
		}
		c.Args = func(c *cobra.Command, given []string) error {
			err := args(c, given)
			if told := (*Error)(nil); err == nil || errors.As(err, &told) {
				return err
			}
			return Usagef(seeHelp(c), "%w", err)
		}
	})
}

// group runs a command that only holds others: alone it prints its help.
func group(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	hint := seeHelp(c)
	if c.SuggestionsMinimumDistance <= 0 {
		c.SuggestionsMinimumDistance = 2
	}
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + c.CommandPath() + " " + near[0] + "?"
	}
	return Usagef(hint, "%s has no command %q", c.CommandPath(), args[0])
}

func seeHelp(c *cobra.Command) string { return "see " + c.CommandPath() + " --help" }

func each(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, sub := range c.Commands() {
		each(sub, do)
	}
}
