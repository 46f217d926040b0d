package proof

import (
	"context"
	"sync"
)

// A turn is a lock for which nobody waits longer than they want to: who has it
// may be waiting for a password.
type turn struct {
	once  sync.Once
	taken chan struct{} // full while somebody has it
}

func (t *turn) begun() chan struct{} {
	t.once.Do(func() { t.taken = make(chan struct{}, 1) })
	return t.taken
}

// free takes it if nobody has it.
func (t *turn) free() bool {
	select {
	case t.begun() <- struct{}{}:
		return true
	default:
		return false
	}
}

// take waits for it until ctx is done.
func (t *turn) take(ctx context.Context) error {
	if t.free() {
		return nil
	}
	select {
	case t.taken <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *turn) end() { <-t.taken }
