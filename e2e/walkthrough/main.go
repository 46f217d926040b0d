// Walkthrough executes a walkthrough of docs/walkthroughs to its end:
//
//	go run ./e2e/walkthrough 02
//	go run ./e2e/walkthrough all        # and the README
//	go run ./e2e/walkthrough README.md
//
// Its last line says that the page holds, or which step does not. Where a page
// gives an operator's policy, each of its actions is removed in turn, and the
// page must then be refused for want of it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"daypass.dev/e2e/peers"
	"daypass.dev/internal/walk"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "walkthrough: error: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: walkthrough NUMBER|all")
	}
	if strings.HasSuffix(args[0], ".md") {
		return execute(ctx, args[0])
	}
	pattern := args[0] + "-*.md"
	if args[0] == "all" {
		pattern = "*.md"
	}
	pages, err := filepath.Glob(filepath.Join("docs", "walkthroughs", pattern))
	if err != nil || len(pages) == 0 {
		return fmt.Errorf("no page docs/walkthroughs/%s (run in the root of the repository)", pattern)
	}
	if args[0] == "all" {
		pages = append([]string{"README.md", "docs/sandbox.md"}, pages...)
	}
	for _, path := range pages {
		if err := execute(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

func execute(ctx context.Context, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	page, err := walk.Parse(path, string(text))
	if err != nil {
		return err
	}
	began := time.Now()
	env, err := peers.Walk(ctx, string(text), func(s string) { fmt.Fprintln(os.Stderr, "walkthrough:", s) })
	if errors.Is(err, peers.ErrAbsent) && peers.MaySkip("walkthroughs") {
		fmt.Printf("%s: SKIPPED: %v\n", path, err)
		return nil
	}
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "walkthrough")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	runner := &walk.Runner{Dir: dir, Env: env, Out: os.Stdout}
	if err := runner.Run(ctx, page); err != nil {
		return err
	}
	fmt.Printf("%s: walked to its end, %s, in %.0f s\n", path, steps(page), time.Since(began).Seconds())
	if strings.Contains(string(text), "file=operator.json") {
		return least(ctx, path, page, env)
	}
	return nil
}

func steps(p *walk.Page) string {
	commands := 0
	for _, s := range p.Steps {
		if s.Command != "" {
			commands++
		}
	}
	return fmt.Sprintf("%d commands, %d files", commands, len(p.Steps)-commands)
}
