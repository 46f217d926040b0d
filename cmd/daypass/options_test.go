package main

import (
	"errors"
	"fmt"
	"testing"

	"daypass.dev"
	"daypass.dev/internal/cli"
)

// The exit code tells a script whether trying again may help.
func TestExitCodes(t *testing.T) {
	for name, row := range map[string]struct {
		err  error
		want int
	}{
		"refused":             {&daypass.Error{Op: "CreateSession", Code: "AccessDeniedException", Status: 403}, cli.No},
		"refused, within":     {fmt.Errorf("asking: %w", &daypass.Error{Op: "CreateSession", Code: "AccessDeniedException", Status: 403}), cli.No},
		"throttled":           {&daypass.Error{Op: "CreateSession", Code: "ThrottlingException", Status: 429}, cli.Failed},
		"AWS is down":         {&daypass.Error{Op: "CreateSession", Code: "UnexpectedResponse", Status: 502}, cli.Failed},
		"a success cut short": {&daypass.Error{Op: "CreateSession", Code: "InvalidResponse", Status: 201}, cli.Failed},
		"a setting is wrong":  {&daypass.InputError{Setting: "role ARN", Err: errors.New("none is given")}, cli.Usage},
		"nobody answered":     {errors.New("connection refused"), cli.Failed},
	} {
		if told := (*cli.Error)(nil); !errors.As(said(row.err), &told) || told.Code != row.want {
			t.Errorf("%s: %+v, want %d", name, told, row.want)
		}
	}
}
