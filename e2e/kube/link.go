package kube

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// uplink is the first node's end of the cable to the second.
const uplink = "uplink2"

// Cut pulls the cable between the two nodes: no packet passes, both ends stay.
func (c *Cluster) Cut(ctx context.Context) error { return c.ip(ctx, "link", "set", uplink, "down") }

// Heal puts the cable back.
func (c *Cluster) Heal(ctx context.Context) error { return c.ip(ctx, "link", "set", uplink, "up") }

// ip runs iproute2's ip in the first node's network. While the node is being
// made, the link that a line names may not be there yet.
func (c *Cluster) ip(ctx context.Context, args ...string) error {
	var last error
	for range 100 {
		cmd, err := c.Command(ctx, "ip", args...)
		if err == nil {
			if _, err = output(cmd, nil, "ip", args); err == nil {
				return nil
			}
		}
		last = err
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), last)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("after 5 s: %w", last)
}
