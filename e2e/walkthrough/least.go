package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"daypass.dev/internal/walk"
)

// least walks the page without its containers as an operator who has no right,
// and gives him an action of the page's operator.json when a step is refused
// for want of it, and not before. So at each refusal he has all that the steps
// so far needed: a right that nobody needs, or that the local AWS does not ask
// for, is never given, and that fails.
func least(ctx context.Context, path string, page *walk.Page, env []string) error {
	short := &walk.Page{Name: page.Name}
	var all rights
	var put string
	var granted []string
	for _, s := range page.Steps {
		if strings.Contains(s.Command, "podman") || strings.Contains(s.Command, "CreateSession") {
			continue
		}
		if s.File == "operator.json" {
			if err := json.Unmarshal([]byte(s.Content), &all); err != nil {
				return err
			}
			s.Content = all.only(nil)
		}
		if strings.Contains(s.Command, "file://operator.json") {
			put = s.Command
		}
		short.Steps = append(short.Steps, s)
	}
	if put == "" || len(all.actions()) == 0 {
		return fmt.Errorf("%s gives its operator no right", page.Name)
	}
	dir, err := os.MkdirTemp("", "walkthrough")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	runner := &walk.Runner{Dir: dir, Env: append(slices.Clone(env), "HOME="+filepath.Join(dir, "home"))}
	runner.Mend = func(e *walk.StepError) (string, error) {
		m := refusal.FindStringSubmatch(e.Got)
		if m == nil || !slices.Contains(all.actions(), m[1]) || slices.Contains(granted, m[1]) {
			return "", e
		}
		granted = append(granted, m[1])
		fmt.Printf("%s:%d: refused without %s\n", path, e.Step.Line, m[1])
		err := os.WriteFile(filepath.Join(dir, "operator.json"), []byte(all.only(granted)), 0o600)
		return "(. ./aws.env; " + put + ")", err
	}
	if err := runner.Run(ctx, short); err != nil {
		return err
	}
	for _, action := range all.actions() {
		if !slices.Contains(granted, action) {
			return fmt.Errorf("%s: no step needs the operator's %s", path, action)
		}
	}
	fmt.Printf("%s: each of the operator's %d actions is needed\n", path, len(granted))
	return nil
}

var refusal = regexp.MustCompile(`is not authorized to perform: ([\w:-]+) on resource: `)

// rights are a policy of allowing statements.
type rights struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid, Effect      string
	Action, Resource []string
}

func (r rights) actions() (all []string) {
	for _, s := range r.Statement {
		all = append(all, s.Action...)
	}
	return all
}

// only is the policy with those of its actions. IAM takes no policy that says
// nothing: so there is one action always, which needs no right.
func (r rights) only(actions []string) string {
	less := rights{r.Version, []statement{{"Nothing", "Allow", []string{"sts:GetCallerIdentity"}, []string{"*"}}}}
	for _, s := range r.Statement {
		s.Action = slices.DeleteFunc(slices.Clone(s.Action), func(a string) bool { return !slices.Contains(actions, a) })
		if len(s.Action) > 0 {
			less.Statement = append(less.Statement, s)
		}
	}
	text, _ := json.Marshal(less) // of strings alone
	return string(text)
}
