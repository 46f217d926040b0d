// Prepare looks for the real programs that the tests talk to, installs what it
// can, and says of each what it found. It fails only where CI misses one that
// it must not miss.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"daypass.dev/e2e/peers"
)

func main() {
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Minute)
	defer stop()
	progress := func(s string) { fmt.Fprintln(os.Stderr, "prepare:", s) }
	failed := false
	for _, p := range []struct {
		name string
		find func() error
	}{
		{"openssl", func() error { return peers.Packages(ctx, map[string]string{"openssl": "openssl", "jq": "jq"}) }},
		{"aws-cli", func() error { _, err := peers.AWSCLI(ctx); return err }},
		{"boto3", func() error { _, err := peers.Python(ctx); return err }},
		{"aws-cli", func() error { _, err := peers.DebianWithAWSCLI(ctx, progress); return err }}, // of pods
		{"javascript", func() error { _, _, err := peers.JavaScript(ctx); return err }},
		{"podman", func() error {
			env, err := peers.Podman(ctx, progress)
			if err == nil {
				err = peers.Works(ctx, env)
			}
			return err
		}},
	} {
		began := time.Now()
		switch err := p.find(); {
		case err == nil:
			fmt.Printf("prepare: %-10s ready, %.1f s\n", p.name, time.Since(began).Seconds())
		case errors.Is(err, peers.ErrAbsent) && peers.MaySkip(p.name):
			fmt.Printf("prepare: %-10s will be skipped: %v\n", p.name, err)
		default:
			fmt.Printf("prepare: %-10s error: %v\n", p.name, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}
