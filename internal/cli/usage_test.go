package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func tree() *cobra.Command {
	root := &cobra.Command{Use: "prog", Short: "a program"}
	group := &cobra.Command{Use: "group", Short: "a group"}
	leaf := &cobra.Command{Use: "leaf", Short: "a leaf", RunE: func(*cobra.Command, []string) error { return nil }}
	two := &cobra.Command{Use: "two A B", Short: "a pair", Args: cobra.ExactArgs(2), RunE: func(*cobra.Command, []string) error {
		return Nof("because", "no")
	}}
	group.AddCommand(leaf)
	root.AddCommand(group, two)
	return root
}

func TestExitCodesAndHints(t *testing.T) {
	for args, want := range map[string]struct {
		code   int
		stderr string
	}{
		"":                {OK, ""},
		"group":           {OK, ""},
		"group leaf":      {OK, ""},
		"group leaf x":    {Usage, "prog: hint: see prog group leaf --help\n"},
		"group leef":      {Usage, "prog: error: prog group has no command \"leef\"\nprog: hint: did you mean prog group leaf?\n"},
		"zzz":             {Usage, "prog: error: prog has no command \"zzz\"\nprog: hint: see prog --help\n"},
		"group leaf --no": {Usage, "prog: error: unknown flag: --no\nprog: hint: see prog group leaf --help\n"},
		"two a":           {Usage, "prog: hint: see prog two --help\n"},
		"two a b":         {No, "prog: error: no\nprog: hint: because\n"},
		"--help":          {OK, ""},
	} {
		root := tree()
		prepare(root)
		var out, errs strings.Builder
		root.SetOut(&out)
		root.SetErr(&errs)
		root.SetArgs(strings.Fields(args))
		if code := Exit(root.Execute(), root.Name(), &errs); code != want.code || !strings.Contains(errs.String(), want.stderr) || want.stderr == "" && errs.Len() > 0 {
			t.Errorf("prog %s: %d, %s", args, code, errs.String())
		}
		if (out.Len() > 0) != (args == "" || args == "group" || args == "--help") {
			t.Errorf("prog %s: standard output %q", args, out.String())
		}
	}
}

func TestExitOfPlainSilentAndWrappedErrors(t *testing.T) {
	for _, test := range []struct {
		err  error
		code int
		text string
	}{
		{nil, OK, ""},
		{errors.New("broken"), Failed, "prog: error: broken\n"},
		{fmt.Errorf("outer: %w", Usagef("mend", "inner")), Usage, "prog: error: outer: inner\nprog: hint: mend\n"},
		{&Error{Err: errors.New("said"), Code: 7, Silent: true}, 7, ""},
	} {
		var errs strings.Builder
		if code := Exit(test.err, "prog", &errs); code != test.code || errs.String() != test.text {
			t.Errorf("%v: %d %q", test.err, code, errs.String())
		}
	}
}

func TestDocumentIsKeptUpToDate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cli.md")
	other := func() *cobra.Command {
		root := tree()
		root.Use = "other"
		return root
	}
	if err := Document(path, tree(), false); err == nil {
		t.Error("a reference that is not there passes")
	}
	for _, root := range []*cobra.Command{tree(), other(), tree()} {
		if err := Document(path, root, true); err != nil {
			t.Fatal(err)
		}
	}
	for _, root := range []*cobra.Command{tree(), other()} {
		if err := Document(path, root, false); err != nil {
			t.Error(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# Commands", "## prog\n", "### prog group leaf\n", "## other\n", "### other two\n"} {
		if strings.Count(string(text), want) != 1 {
			t.Errorf("%q stands there %d times:\n%s", want, strings.Count(string(text), want), text)
		}
	}
	changed := tree()
	changed.Commands()[0].Flags().Bool("new", false, "a new flag")
	if err := Document(path, changed, false); err == nil {
		t.Error("a flag that is not documented passes")
	}
	if err := os.WriteFile(path, []byte("<!-- prog -->\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Document(path, tree(), true); err == nil {
		t.Error("half a pair of marks passes")
	}
}

func TestReferenceTellsFlagsAndVariables(t *testing.T) {
	c, _ := bound()
	c.Short = "a command"
	root := &cobra.Command{Use: "root", Short: "a root"}
	root.AddCommand(c)
	text := reference(root)
	for _, want := range []string{
		"| `--role-arn ARN` | `DAYPASS_ROLE_ARN` `CLITEST_FIRST` `CLITEST_SECOND` | `default` | the role |\n",
		"| `--no-cache` | `DAYPASS_NO_CACHE` |  | remember nothing |\n",
		"| `--life SECONDS` | `DAYPASS_LIFE` | `3600` | how long |\n",
		"| | `CLITEST_ONLY` | | only a variable |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
}
