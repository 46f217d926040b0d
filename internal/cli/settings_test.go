package cli

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

type given struct {
	text string
	yes  bool
	life time.Duration
	only string
}

// bound is a command with one setting of each kind, and what they hold.
func bound() (*cobra.Command, *given) {
	g := &given{text: "default", life: time.Hour}
	c := &cobra.Command{Use: "prog", RunE: func(*cobra.Command, []string) error { return nil }}
	Bind(c,
		Setting{Flag: "role-arn", Arg: "ARN", Help: "the role", Into: &g.text, Also: []string{"CLITEST_FIRST", "CLITEST_SECOND"}},
		Setting{Flag: "no-cache", Help: "remember nothing", Into: &g.yes})
	Bind(c,
		Setting{Flag: "life", Arg: "SECONDS", Help: "how long", Into: &g.life},
		Setting{Help: "only a variable", Into: &g.only, Also: []string{"CLITEST_ONLY"}})
	return c, g
}

func TestPrecedence(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		env  map[string]string
		want given
	}{
		{"nothing", nil, nil, given{"default", false, time.Hour, ""}},
		{"flags", []string{"--role-arn", "flag", "--no-cache", "--life", "900"}, nil, given{"flag", true, 15 * time.Minute, ""}},
		{"twins", nil, map[string]string{"DAYPASS_ROLE_ARN": "twin", "DAYPASS_NO_CACHE": "true", "DAYPASS_LIFE": "90m"},
			given{"twin", true, 90 * time.Minute, ""}},
		{"flag over twin", []string{"--role-arn=flag", "--no-cache=false"}, map[string]string{"DAYPASS_ROLE_ARN": "twin", "DAYPASS_NO_CACHE": "1"},
			given{"flag", false, time.Hour, ""}},
		{"twin over others", nil, map[string]string{"DAYPASS_ROLE_ARN": "twin", "CLITEST_FIRST": "first", "CLITEST_SECOND": "second"},
			given{"twin", false, time.Hour, ""}},
		{"others in order", nil, map[string]string{"CLITEST_FIRST": "first", "CLITEST_SECOND": "second"}, given{"first", false, time.Hour, ""}},
		{"empty is not given", nil, map[string]string{"DAYPASS_ROLE_ARN": "", "CLITEST_FIRST": "", "CLITEST_SECOND": "second"},
			given{"second", false, time.Hour, ""}},
		{"variable without flag", nil, map[string]string{"CLITEST_ONLY": "it"}, given{"default", false, time.Hour, "it"}},
	} {
		c, got := bound()
		for _, name := range []string{"DAYPASS_ROLE_ARN", "DAYPASS_NO_CACHE", "DAYPASS_LIFE", "CLITEST_FIRST", "CLITEST_SECOND", "CLITEST_ONLY"} {
			t.Setenv(name, test.env[name])
		}
		c.SetArgs(test.args)
		if test.args == nil {
			c.SetArgs([]string{})
		}
		if err := c.Execute(); err != nil || *got != test.want {
			t.Errorf("%s: got %+v, want %+v, %v", test.name, *got, test.want, err)
		}
	}
}

func TestWrongVariablesAreNamed(t *testing.T) {
	for name, value := range map[string]string{"DAYPASS_NO_CACHE": "perhaps", "DAYPASS_LIFE": "soon"} {
		t.Setenv(name, value)
		c, _ := bound()
		c.SetArgs([]string{})
		c.SilenceErrors, c.SilenceUsage = true, true
		err := c.Execute()
		var told *Error
		if !errors.As(err, &told) || told.Code != Usage || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), value) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
		t.Setenv(name, "")
	}
}

func TestUnknownKindOfSettingPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a setting that cannot be filled is bound in silence")
		}
	}()
	Bind(&cobra.Command{}, Setting{Flag: "x", Into: new(int)})
}
