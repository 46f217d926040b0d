package deliver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// errPending is a source that goes on asking when patience ends.
var errPending = fmt.Errorf("AWS has not answered yet: %w", context.DeadlineExceeded)

// A patient context ends patience after somebody first waits for it. Nobody
// does where credentials are at hand, and a timer for each request would cost
// more than all else that such a request needs.
type patient struct {
	context.Context
	patience time.Duration

	once   sync.Once
	timed  context.Context
	cancel context.CancelFunc
}

func (p *patient) begun() context.Context {
	p.once.Do(func() { p.timed, p.cancel = context.WithTimeout(p.Context, p.patience) })
	return p.timed
}

// stop ends the wait; who begins to wait after that, waits for the request.
func (p *patient) stop() {
	p.once.Do(func() { p.timed, p.cancel = p.Context, func() {} })
	p.cancel()
}

func (p *patient) Done() <-chan struct{}       { return p.begun().Done() }
func (p *patient) Deadline() (time.Time, bool) { return p.begun().Deadline() }

// Err tells the end of patience from all else that takes too long behind it.
func (p *patient) Err() error {
	err := p.begun().Err()
	if errors.Is(err, context.DeadlineExceeded) {
		return errPending
	}
	return err
}
