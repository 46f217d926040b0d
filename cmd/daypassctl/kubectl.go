package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"daypass.dev/internal/cli"
)

// A kubectl is that program on the operator's path.
type kubectl struct {
	kubeconfig string // empty: as it finds one
	// absent and refused are what to do where it is not installed, and where the
	// cluster does not give what it asks for.
	absent, refused string
}

// run returns what kubectl prints. Errors have a hint.
func (k kubectl) run(ctx context.Context, args ...string) ([]byte, error) {
	what := strings.Join(args[:3], " ")
	if k.kubeconfig != "" {
		args = append(args, "--kubeconfig", k.kubeconfig)
	}
	out, err := exec.CommandContext(ctx, "kubectl", args...).Output()
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, cli.Usagef(k.absent, "kubectl is not found")
	case errors.As(err, &exit):
		return nil, &cli.Error{Err: fmt.Errorf("kubectl %s: %s", what, strings.TrimSpace(string(exit.Stderr))), Code: cli.Failed, Hint: k.refused}
	}
	return out, err
}
