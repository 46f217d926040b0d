package addons

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// until repeats a dry run until the API server takes the object, which it does
// once the webhook that is asked about it can be reached.
func (s *site) until(ctx context.Context, object string) error {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	for {
		_, err := s.Kubectl(ctx, strings.NewReader(object), "create", "--dry-run=server", "--filename=-")
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// registered waits until every real node's kubelet knows a CSI driver: its pod
// may be ready before.
func (s *site) registered(ctx context.Context, driver string) error {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	const path = `--output=jsonpath={range .items[*]}{.metadata.name}:{range .spec.drivers[*]} {.name}{end}{"\n"}{end}`
	for {
		out, err := s.Kubectl(ctx, nil, "get", "csinodes", path)
		missing := ""
		for line := range strings.Lines(out) {
			if !slices.Contains(strings.Fields(line), driver) {
				missing += " " + strings.TrimSpace(line)
			}
		}
		if err == nil && missing == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not registered on%s: %w", driver, missing, errors.Join(err, ctx.Err()))
		case <-time.After(200 * time.Millisecond):
		}
	}
}
