package cli

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A Setting is one thing that a program wants to be told: a flag, its twin in
// the environment (--role-arn is DAYPASS_ROLE_ARN), and the variables that are
// read after that. The first of these that is given wins; a variable that is
// set but empty counts as not given.
type Setting struct {
	Flag  string // without dashes; empty: no flag and no twin, only Also
	Short string // one letter; empty: none
	Arg   string // stands for the value in help, as "ARN"; "a|b" are all that it may be
	Help  string // one line, lower case, no full stop
	// Into receives the value: a *string, *bool, *time.Duration (seconds, or as
	// "90m") or any pflag.Value. What it holds when the setting is bound is the
	// default.
	Into any
	Also []string // further variables, in order
}

// Names lists every way to give the setting, as "--role-arn",
// "DAYPASS_ROLE_ARN".
func (s Setting) Names() []string {
	if s.Flag == "" {
		return s.Also
	}
	return append([]string{"--" + s.Flag, twin(s.Flag)}, s.Also...)
}

func twin(flag string) string {
	return "DAYPASS_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// environment marks a flag (in its annotations) and a command with the
// variables that stand for it, for the reference.
const environment = "environment"

// twins marks a command with what its help says of them.
const twins = "twins"

// Bind makes the settings c's flags, and fills in from the environment what
// the command line does not give, before c runs.
func Bind(c *cobra.Command, settings ...Setting) {
	c.Flags().SortFlags = false
	if c.Annotations == nil {
		c.Annotations = map[string]string{}
	}
	for _, s := range settings {
		if s.Flag == "" {
			for _, name := range s.Also {
				c.Annotations[environment] += name + "\t" + s.Help + "\n"
			}
			continue
		}
		c.Annotations[twins] = "Flags may be given in the environment, too: --" + s.Flag + " as " + twin(s.Flag) + "."
		help := s.Help
		if len(s.Also) > 0 {
			help += " (or " + strings.Join(s.Also, ", ") + ")"
		}
		f := c.Flags().VarPF(value(s), s.Flag, s.Short, help)
		if _, ok := s.Into.(*bool); ok {
			f.NoOptDefVal = "true"
		}
		f.Annotations = map[string][]string{environment: s.Names()[1:]}
		if strings.Contains(s.Arg, "|") { // for shells; it fails for a name given twice, as VarPF has
			_ = c.RegisterFlagCompletionFunc(s.Flag, cobra.FixedCompletions(strings.Split(s.Arg, "|"), cobra.ShellCompDirectiveNoFileComp))
		}
	}
	before := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error {
		if before != nil {
			if err := before(c, args); err != nil {
				return err
			}
		}
		return fill(c.Flags(), settings, os.LookupEnv)
	}
}

func fill(flags *pflag.FlagSet, settings []Setting, lookup func(string) (string, bool)) error {
	for _, s := range settings {
		if s.Flag != "" && flags.Changed(s.Flag) {
			continue
		}
		given, err := s.read(lookup)
		if err != nil {
			return err
		}
		if given && s.Flag != "" {
			flags.Lookup(s.Flag).Changed = true
		}
	}
	return nil
}

// Read fills settings from the environment alone, for what is no command.
func Read(settings ...Setting) error {
	for _, s := range settings {
		if _, err := s.read(os.LookupEnv); err != nil {
			return err
		}
	}
	return nil
}

// read fills the setting from the first of its variables that is given.
func (s Setting) read(lookup func(string) (string, bool)) (given bool, err error) {
	names := s.Names()
	if s.Flag != "" {
		names = names[1:]
	}
	for _, name := range names {
		text, _ := lookup(name)
		if text == "" {
			continue
		}
		if err := value(s).Set(text); err != nil {
			return false, Usagef("", "%s: %w", name, err)
		}
		return true, nil
	}
	return false, nil
}

// value adapts what a setting fills to a flag. A type that no setting has is a
// mistake in this program, found by the first test that builds its commands.
func value(s Setting) pflag.Value {
	switch into := s.Into.(type) {
	case *string:
		return text{into, s.Arg}
	case *bool:
		return yes{into}
	case *time.Duration:
		return duration{into, s.Arg}
	case pflag.Value:
		return into
	}
	panic(fmt.Sprintf("setting %v: cannot fill a %T", s.Names(), s.Into))
}

type text struct {
	into *string
	arg  string
}

func (v text) String() string     { return deref(v.into) }
func (v text) Type() string       { return v.arg }
func (v text) Set(s string) error { *v.into = s; return nil }

type yes struct{ into *bool }

func (v yes) String() string { return strconv.FormatBool(v.into != nil && *v.into) }
func (v yes) Type() string   { return "bool" }
func (v yes) Set(s string) (err error) {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return fmt.Errorf("%q is neither true nor false", s)
	}
	*v.into = b
	return nil
}

type duration struct {
	into *time.Duration
	arg  string
}

func (v duration) String() string { return strconv.Itoa(int(deref(v.into) / time.Second)) }
func (v duration) Type() string   { return v.arg }
func (v duration) Set(s string) error {
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		*v.into = time.Duration(n) * time.Second
		return nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is neither a number of seconds nor a duration such as 90m", s)
	}
	*v.into = d
	return nil
}

// deref reads p; pflag asks zero values for their text, where p is nil.
func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
