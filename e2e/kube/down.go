package kube

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// Down ends the cluster, if there is one, and removes all that is left of it:
// processes, and with them namespaces, mounts, links and addresses; control
// groups; files. It also cleans after a starter that was killed.
func (c *Cluster) Down(ctx context.Context) error {
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.clean(); err != nil {
		return err
	}
	return os.Remove(c.starting())
}

func (c *Cluster) clean() error {
	for _, number := range []int{2, 1} {
		found, err := first(c.node(number).mark())
		if err != nil {
			return err
		}
		for _, pid := range found {
			if err := kill(pid); err != nil {
				return err
			}
		}
	}
	if err := c.removeCgroups(); err != nil {
		return err
	}
	return remove(c.Dir)
}

// remove removes the state folder. Mounts in it went with the namespaces, but
// the kernel takes a moment to let go of them.
func remove(dir string) error {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := os.RemoveAll(dir)
		if err == nil || !errors.Is(err, syscall.EBUSY) || time.Now().After(end) {
			return err
		}
	}
}
