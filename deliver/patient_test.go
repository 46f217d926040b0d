package deliver

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &patient{Context: context.WithValue(t.Context(), t, "value"), patience: time.Second}
		start := time.Now()
		<-p.Done()
		if took := time.Since(start); took != time.Second || !errors.Is(p.Err(), context.DeadlineExceeded) {
			t.Errorf("%v after %v", p.Err(), took)
		}
		if deadline, ok := p.Deadline(); !ok || !deadline.Equal(start.Add(time.Second)) || p.Value(t) != "value" {
			t.Errorf("%v, %v, %v", deadline, ok, p.Value(t))
		}
		p.stop()
	})
}

func TestPatienceEndsWithItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		request, cancel := context.WithCancel(t.Context())
		p := &patient{Context: request, patience: time.Hour}
		go cancel()
		<-p.Done()
		if !errors.Is(p.Err(), context.Canceled) {
			t.Error(p.Err())
		}
		p.stop()
	})
}

// A wait that is stopped leaves no timer, begun or not; synctest fails where a
// goroutine is left waiting for one.
func TestPatienceStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := &patient{Context: t.Context(), patience: time.Hour}
		if begun.Err() != nil {
			t.Error(begun.Err())
		}
		begun.stop()
		if !errors.Is(begun.Err(), context.Canceled) {
			t.Errorf("stopped: %v", begun.Err())
		}
		idle := &patient{Context: t.Context(), patience: time.Hour}
		idle.stop()
		if _, timed := idle.Deadline(); timed || idle.Err() != nil {
			t.Errorf("a wait that never began ends: %v", idle.Err())
		}
	})
}
