package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/rogpeppe/go-internal/testscript"

	"daypass.dev/internal/sdk"
)

// The scripts run this program itself, and two clients that know nothing of
// it but what AWS's SDK finds in the environment.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"daypassctl": main, "kubectl-daypass": main, "kubectl_complete-daypass": main, "whoami": whoami, "getrole": getRole})
}

// TestScripts runs the manual, testdata/script/*.txtar.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d scripts: %v", len(files), err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exitcode": exitCodeIs,
		},
	})
}

// exitCodeIs runs a program and compares its exit code: exitcode N PROGRAM….
func exitCodeIs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exitcode N PROGRAM [ARG]...")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit interface{ ExitCode() int }
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

func awsConfig() aws.Config {
	c, err := sdk.Load(context.Background(), config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return c
}

// whoami prints the ARN of the caller.
func whoami() {
	id, err := sts.NewFromConfig(awsConfig()).GetCallerIdentity(context.Background(), nil)
	answer(err)
	fmt.Println(*id.Arn)
}

// getRole prints the ARN of the role that its argument names.
func getRole() {
	r, err := iam.NewFromConfig(awsConfig()).GetRole(context.Background(), &iam.GetRoleInput{RoleName: &os.Args[1]})
	answer(err)
	fmt.Println(*r.Role.Arn)
}

// answer ends the program where AWS said no.
func answer(err error) {
	var api smithy.APIError
	switch {
	case errors.As(err, &api):
		fmt.Fprintf(os.Stderr, "%s: %s\n", api.ErrorCode(), api.ErrorMessage())
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
