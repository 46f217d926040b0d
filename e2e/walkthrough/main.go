// Walkthrough executes pages of the documentation to their end:
//
//	go run ./e2e/walkthrough 02
//	go run ./e2e/walkthrough README.md
//	go run ./e2e/walkthrough -keep 04   # the cluster stays, to look around
//	go run ./e2e/walkthrough -lang zh-CN 02
//
// Its last line says that the page holds, or which step does not. A page that
// talks to Kubernetes gets a cluster of its own, with the local AWS behind
// AWS's host names. Where any other page gives an operator's policy, each of its
// actions is removed in turn, and the page must then be refused for want of it.
package main

import (
	"context"
	"errors"
	"flag"
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
	keep := flag.Bool("keep", false, "leave a page's cluster running")
	lang := flag.String("lang", "", "walk the translation into this `language`, as zh-CN")
	flag.Parse()
	if err := run(ctx, *keep, *lang, flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "walkthrough: error: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, keep bool, lang string, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: walkthrough [-keep] [-lang LANGUAGE] NUMBER|PAGE.md")
	}
	page, err := choose(args[0], lang)
	if err != nil {
		return err
	}
	return execute(ctx, keep, page)
}

// choose finds the page that is meant.
func choose(arg, lang string) (string, error) {
	if strings.HasSuffix(arg, ".md") {
		return arg, nil
	}
	pattern := filepath.Join("docs", lang, "walkthroughs", arg+"-*.md")
	found, err := filepath.Glob(pattern)
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("no page %s (run in the root of the repository)", pattern)
	}
	return found[0], nil
}

func execute(ctx context.Context, keep bool, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	page, err := walk.Parse(path, string(text))
	if err != nil {
		return err
	}
	began := time.Now()
	dir, err := os.MkdirTemp("", "walkthrough")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	runner := &walk.Runner{Dir: dir, Out: os.Stdout}
	if err := walkPage(ctx, keep, string(text), page, runner); err != nil {
		if errors.Is(err, peers.ErrAbsent) && peers.MaySkip("walkthroughs") {
			fmt.Printf("%s: SKIPPED: %v\n", path, err)
			return nil
		}
		return err
	}
	fmt.Printf("%s: walked to its end, %s, in %.0f s\n", path, steps(page), time.Since(began).Seconds())
	if strings.Contains(string(text), "file=operator.json") && !wantsCluster(string(text)) {
		return least(ctx, path, page, runner.Env)
	}
	return nil
}

// walkPage provides what the page needs and runs it there.
func walkPage(ctx context.Context, keep bool, text string, page *walk.Page, runner *walk.Runner) (err error) {
	runner.Env, err = peers.Walk(ctx, text, func(s string) { fmt.Fprintln(os.Stderr, "walkthrough:", s) })
	if err != nil {
		return err
	}
	if !strings.Contains(text, "podman") { // whose store of a plain user is at home
		// A home of the page's own: the AWS CLI keeps credentials in it.
		home := filepath.Join(runner.Dir, ".home")
		if err := os.Mkdir(home, 0o700); err != nil {
			return err
		}
		runner.Env = append(runner.Env, "HOME="+home)
		if wantsClone(text) {
			if err := giveClone(ctx, home, runner); err != nil {
				return err
			}
		}
	}
	if !wantsCluster(text) {
		return runner.Run(ctx, page)
	}
	s, err := setStage(ctx, page.Name, text, runner)
	if s != nil && !keep {
		defer func() { err = errors.Join(err, s.down(context.WithoutCancel(ctx))) }()
	}
	if err != nil {
		return err
	}
	if err = runner.Run(ctx, page); err != nil {
		s.witness(ctx)
	}
	return err
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
