package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Document checks that path, the reference of all programs in Markdown, holds
// what root's commands and flags now are, or with update writes that part of
// it.
func Document(path string, root *cobra.Command, update bool) error {
	return Section(path, head, root.Name(), reference(root), update)
}

// Section checks that a part of the file at path is text, or with update writes
// it. Parts of a name stand side by side, each between two marks; head is what
// the file begins with.
func Section(path, head, name, text string, update bool) error {
	lock := flock.New(path) // tests of several programs may update at once
	if err := lock.Lock(); err != nil {
		return err
	}
	defer lock.Unlock()
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	first, last := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->\n"
	before, rest, found := strings.Cut(string(old), first)
	_, after, whole := strings.Cut(rest, last)
	if found != whole {
		return fmt.Errorf("%s: the marks of %s are not a pair", path, name)
	}
	if before == "" {
		before = head
	}
	now := before + first + text + last + after
	switch {
	case now == string(old):
		return nil
	case update:
		return os.WriteFile(path, []byte(now), 0o644)
	}
	return fmt.Errorf("%s is not what %s says of itself: run go test -update there", path, name)
}

const head = `# Commands

Written by ` + "`go test ./cmd/... -update`" + ` from the programs themselves; do not edit.

Answers go to standard output, everything else to standard error. Exit codes: 0
done; 1 failed, trying again may help; 2 wrong usage or input; 3 the answer is
no. A flag wins over its variable, and variables count in the order given; one
that is set but empty counts as not given.

`

// reference documents root and all below it.
func reference(root *cobra.Command) string {
	prepare(root)
	root.InitDefaultCompletionCmd()
	var b strings.Builder
	each(root, func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" || c.HasParent() && c.Parent().Name() == "completion" {
			return
		}
		section(&b, c)
	})
	return b.String()
}

func section(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "%s %s\n\n", strings.Repeat("#", 2+min(1, depth(c))), c.CommandPath())
	about := c.Long
	if about == "" {
		about = strings.ToUpper(c.Short[:1]) + c.Short[1:] + "."
	}
	fmt.Fprintf(b, "%s\n\n", indented(about))
	if c.Name() == "completion" {
		return // for shells, and of cobra's making
	}
	if c.HasParent() && !c.HasAvailableSubCommands() {
		fmt.Fprintf(b, "    %s\n\n", c.UseLine())
	}
	if c.Example != "" {
		fmt.Fprintf(b, "```sh\n%s\n```\n\n", c.Example)
	}
	c.InitDefaultHelpFlag()
	var rows strings.Builder
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && f.Name != "help" {
			flagRow(&rows, f)
		}
	})
	for _, line := range strings.Split(strings.TrimSpace(c.Annotations[environment]), "\n") {
		if variable, help, ok := strings.Cut(line, "\t"); ok {
			fmt.Fprintf(&rows, "| | `%s` | | %s |\n", variable, cell(help))
		}
	}
	if rows.Len() > 0 {
		fmt.Fprintf(b, "| flag | environment | default | meaning |\n|---|---|---|---|\n%s\n", rows.String())
	}
}

func flagRow(b *strings.Builder, f *pflag.Flag) {
	arg, help := pflag.UnquoteUsage(f)
	flag := "`" + strings.TrimSpace("--"+f.Name+" "+arg) + "`"
	if f.Shorthand != "" {
		flag = "`-" + f.Shorthand + "`, " + flag
	}
	var variables []string
	for _, v := range f.Annotations[environment] {
		variables = append(variables, "`"+v+"`")
	}
	byDefault := ""
	if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" {
		byDefault = "`" + f.DefValue + "`"
	}
	// The names in parentheses stand in their own column here.
	if n := strings.LastIndex(help, " (or "); n > 0 && len(variables) > 1 {
		help = help[:n]
	}
	fmt.Fprintf(b, "| %s | %s | %s | %s |\n", flag, strings.Join(variables, " "), byDefault, cell(help))
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// indented turns what help indents by two spaces into code, which takes four.
func indented(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "  ") {
			lines[i] = "  " + line
		}
	}
	return strings.Join(lines, "\n")
}

func depth(c *cobra.Command) int {
	if !c.HasParent() {
		return 0
	}
	return 1 + depth(c.Parent())
}
