package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/rogpeppe/go-internal/testscript"

	"daypass.dev/internal/sdk"
)

// The scripts run this program itself, and whoami: a workload that knows
// nothing of us but what its SDK finds.
func TestMain(m *testing.M) {
	programs := map[string]func(){"daypass": main, helperName: main, gtokenName: main, "whoami": whoami}
	if _, program := programs[filepath.Base(os.Args[0])]; !program {
		// The scripts mostly wait.
		flag.Parse()
		if err := flag.Set("test.parallel", "8"); err != nil {
			panic(err)
		}
	}
	testscript.Main(m, programs)
}

// whoami prints the role that the AWS SDK for Go acts as, with credentials
// from wherever its default chain finds them.
func whoami() {
	ctx := context.Background()
	cfg, err := sdk.Load(ctx, awsconfig.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }))
	if err == nil {
		var id *sts.GetCallerIdentityOutput
		if id, err = sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil); err == nil {
			fmt.Println(*id.Arn)
			return
		}
	}
	fmt.Fprintln(os.Stderr, "whoami:", err)
	os.Exit(1)
}

// TestScripts runs the manual: testdata/script/*.txtar. Each script has a
// sandbox of its own, a CA and a leaf for it (CN reports), and this program.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) < 5 {
		t.Fatalf("found %d scripts: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			s := &stage{t: t}
			testscript.Run(t, testscript.Params{
				Files: []string{file},
				Setup: s.setup,
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"sandbox":   s.sandbox,
					"calls":     s.calls,
					"await":     await,
					"awaitfile": awaitFile,
					"exitcode":  exitCode("daypass"),
					"http":      s.http,
					"planted":   s.planted,
					"signal":    signalAll,
					"jwt":       s.jwt,
					"platform":  s.platform,
					"renewed":   renewed,
					"proxy":     s.proxy,
					"asked":     s.asked,

					"helpercode":  exitCode(helperName),
					"aws":         s.awsCLI,
					"mode":        mode,
					"socket":      s.socket,
					"notified":    s.heard,
					"awaitchange": awaitChange,
				},
				Condition:          condition,
				RequireUniqueNames: true,
			})
		})
	}
}
