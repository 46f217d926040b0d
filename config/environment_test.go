package config

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"daypass.dev/internal/cli"
)

// What Environment writes, serve reads, for every setting there is.
func TestEnvironmentIsReadBack(t *testing.T) {
	want := Defaults()
	settings := 0
	for i, row := range want.ServeTable() {
		settings++
		switch into := row.Into.(type) {
		case *string:
			*into = "value " + string(rune('a'+i))
		case *bool:
			*into = true
		case *time.Duration:
			*into = time.Duration(1000+i) * time.Second
		case *secret:
			settings--
		default:
			t.Fatalf("%v holds a %T, of which Environment knows nothing", row.Names(), into)
		}
	}
	want.Password, want.GitHubRequestToken = "planted", "planted"
	variables := want.Environment()
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	got := Defaults()
	c := &cobra.Command{Use: "serve", RunE: func(*cobra.Command, []string) error { return nil }}
	cli.Bind(c, got.ServeTable()...)
	c.SetArgs([]string{})
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	want.Password, want.GitHubRequestToken = "", ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(variables) != settings {
		t.Errorf("%d variables for %d settings that are no secret", len(variables), settings)
	}
	if strings.Contains(strings.Join(variables, "\n"), "planted") {
		t.Error("a secret is in the environment")
	}
}

func TestEnvironmentLeavesOutDefaults(t *testing.T) {
	s := Defaults()
	if got := s.Environment(); len(got) != 0 {
		t.Errorf("%q", got)
	}
	s.RoleARN, s.SessionDuration, s.WorkloadRegion = "arn", 15*time.Minute, "eu-west-1"
	want := []string{"DAYPASS_ROLE_ARN=arn", "DAYPASS_SESSION_DURATION=900", "AWS_REGION=eu-west-1"}
	if got := s.Environment(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
