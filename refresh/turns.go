package refresh

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// turns let calls begin one by one, with a pause between, the most pressing
// first.
type turns struct {
	every time.Duration

	mu    sync.Mutex
	queue queue
	next  time.Time // when the next may begin
	timer *time.Timer
}

// A waiter goes on when ready is closed.
type waiter struct {
	ends  time.Time // what it has until then; zero: nothing
	ready chan struct{}
	place int // in the queue; -1: called
}

// wait returns when it is the caller's turn, or with ctx.
func (t *turns) wait(ctx context.Context, ends time.Time) error {
	w := &waiter{ends: ends, ready: make(chan struct{})}
	t.mu.Lock()
	heap.Push(&t.queue, w)
	t.call()
	t.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if w.place >= 0 {
		heap.Remove(&t.queue, w.place)
	}
	return context.Cause(ctx)
}

// call calls whose turn it is, and comes back for the next. mu is held.
func (t *turns) call() {
	now := time.Now()
	if len(t.queue) > 0 && !now.Before(t.next) {
		w := heap.Pop(&t.queue).(*waiter)
		t.next = now.Add(t.every)
		close(w.ready)
	}
	if len(t.queue) == 0 {
		return
	}
	if t.timer != nil {
		t.timer.Stop()
	}
	t.timer = time.AfterFunc(t.next.Sub(now), func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.call()
	})
}

// A queue is a heap: whose credentials end soonest comes first.
type queue []*waiter

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].ends.Before(q[j].ends) }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	w := x.(*waiter)
	w.place = len(*q)
	*q = append(*q, w)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	(*q)[last], w.place = nil, -1
	*q = (*q)[:last]
	return w
}
