package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"daypass.dev/internal/walk"
)

// least removes each action of the page's operator.json in turn, walks the
// page without its containers, and wants a refusal that names the action. So a
// right that nobody needs, or that the local AWS does not ask for, fails.
func least(ctx context.Context, path string, page *walk.Page, env []string) error {
	policies, err := without(page)
	if err != nil {
		return err
	}
	short := &walk.Page{Name: page.Name}
	for _, s := range page.Steps {
		if !strings.Contains(s.Command, "podman") && !strings.Contains(s.Command, "CreateSession") {
			short.Steps = append(short.Steps, s)
		}
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	var failures []error
	slots := make(chan struct{}, 3)
	for action, text := range policies {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			at, err := refusedFor(ctx, short, action, text, env)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failures = append(failures, err)
				return
			}
			fmt.Printf("%s:%d: refused without %s\n", path, at, action)
		})
	}
	wait.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	fmt.Printf("%s: each of the operator's %d actions is needed\n", path, len(policies))
	return nil
}

// without is the operator's policy less one action, for each action.
func without(page *walk.Page) (map[string]string, error) {
	i := slices.IndexFunc(page.Steps, func(s walk.Step) bool { return s.File == "operator.json" })
	if i < 0 {
		return nil, fmt.Errorf("%s has no file=operator.json", page.Name)
	}
	var doc struct {
		Version   string
		Statement []struct {
			Sid, Effect      string
			Action, Resource []string
		}
	}
	if err := json.Unmarshal([]byte(page.Steps[i].Content), &doc); err != nil {
		return nil, err
	}
	all := map[string]string{}
	for n := range doc.Statement {
		actions := doc.Statement[n].Action
		for j, action := range actions {
			doc.Statement[n].Action = slices.Delete(slices.Clone(actions), j, j+1)
			text, err := json.Marshal(doc)
			if err != nil {
				return nil, err
			}
			all[action] = string(text)
		}
		doc.Statement[n].Action = actions
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: operator.json allows nothing", page.Name)
	}
	return all, nil
}

// refusedFor walks the page with another operator.json and returns the line at
// which it was refused for want of action.
func refusedFor(ctx context.Context, page *walk.Page, action, operator string, env []string) (int, error) {
	changed := &walk.Page{Name: page.Name, Steps: slices.Clone(page.Steps)}
	for i, s := range changed.Steps {
		if s.File == "operator.json" {
			changed.Steps[i].Content = operator
		}
	}
	dir, err := os.MkdirTemp("", "walkthrough")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	home := filepath.Join(dir, "home")
	err = (&walk.Runner{Dir: dir, Env: append(slices.Clone(env), "HOME="+home)}).Run(ctx, changed)
	var step *walk.StepError
	if !errors.As(err, &step) {
		return 0, fmt.Errorf("without %s the page was not refused: %v", action, err)
	}
	if !strings.Contains(step.Got, "is not authorized to perform: "+action+" on resource: ") {
		return 0, fmt.Errorf("without %s another thing went wrong: %w", action, err)
	}
	return step.Step.Line, nil
}
