package refresh

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"daypass.dev"
)

func (u *script) setDown(down bool) {
	u.set(func() {
		u.err = nil
		if down {
			u.err = &daypass.Error{Op: "Test", Code: "ServiceUnavailable", Status: 503}
		}
	})
}

func (u *script) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.begun)
}

// peak is the most calls in any window of that length, and mean how many there
// are in one, from since on.
func (u *script) peak(window time.Duration, since time.Time) (peak int, mean float64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	first := 0
	var all []time.Time
	for _, t := range u.begun {
		if t.After(since) {
			all = append(all, t)
		}
	}
	for i, t := range all {
		for t.Sub(all[first]) >= window {
			first++
		}
		peak = max(peak, i-first+1)
	}
	if len(all) < 2 {
		return peak, 0
	}
	return peak, float64(len(all)) / (float64(all[len(all)-1].Sub(all[0])) / float64(window))
}

func (g *Group) of(u *script, key string) *Source {
	return g.Source(key, func() (daypass.Source, func() bool) { return u, nil })
}

func TestCallsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, g := &script{slow: 100 * time.Millisecond}, &Group{Rate: 10}
		defer g.Close()
		var wait sync.WaitGroup
		for i := range 50 {
			s := g.of(u, fmt.Sprint(i))
			wait.Go(func() {
				if _, err := s.Credentials(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		begin := time.Now()
		wait.Wait()
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("50 calls took %s", took)
		}
		if peak, _ := u.peak(time.Second, time.Time{}); peak > 10 {
			t.Errorf("%d calls in a second", peak)
		}
	})
}

// Whose credentials end first is called first, and who has none before all.
func TestTheMostPressingFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &turns{every: time.Second}
		_ = w.wait(t.Context(), time.Time{}) // takes the first turn
		now := time.Now()
		var mu sync.Mutex
		var order []int
		var wait sync.WaitGroup
		for _, minutes := range []int{30, 10, 0, 20} {
			var ends time.Time
			if minutes > 0 {
				ends = now.Add(time.Duration(minutes) * time.Minute)
			}
			wait.Go(func() {
				if err := w.wait(t.Context(), ends); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, minutes)
			})
		}
		synctest.Wait()
		wait.Wait()
		if fmt.Sprint(order) != "[0 10 20 30]" {
			t.Error(order)
		}
	})
}

func TestWhoLeavesTheQueueIsNotCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &turns{every: time.Minute}
		_ = w.wait(t.Context(), time.Time{})
		ctx, leave := context.WithCancelCause(t.Context())
		gone := make(chan error)
		go func() { gone <- w.wait(ctx, time.Time{}) }()
		synctest.Wait()
		leave(errors.New("left"))
		if err := <-gone; err == nil || err.Error() != "left" || len(w.queue) != 0 {
			t.Error(err, w.queue)
		}
	})
}

func TestWhatIsDroppedIsNotRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, g := &script{}, &Group{}
		defer g.Close()
		for _, key := range []string{"a", "b"} {
			if _, err := g.of(u, key).Credentials(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		g.Drop(func(key string) bool { return key == "a" })
		before := u.count()
		time.Sleep(31 * time.Minute)
		if n := u.count() - before; n != 1 || len(g.Statuses()) != 1 {
			t.Errorf("%d renewals, %v", n, g.Statuses())
		}
	})
}

// A call that is under way when its key is dropped leaves nothing behind.
func TestWhatIsDroppedIsNotKept(t *testing.T) {
	dir := place(t)
	synctest.Test(t, func(t *testing.T) {
		u, g := deaf{begun: make(chan bool), answers: make(chan bool)}, &Group{Dir: dir}
		s := g.Source("a", func() (daypass.Source, func() bool) { return u, nil })
		go s.Credentials(t.Context())
		<-u.begun
		g.Drop(func(string) bool { return false })
		close(u.answers)
		synctest.Wait()
		if left, err := filepath.Glob(filepath.Join(dir, "*"+docEnding)); err != nil || len(left) > 0 {
			t.Errorf("left %q, %v", left, err)
		}
	})
}

// deaf is an upstream whose answer is on its way already, whoever leaves.
type deaf struct{ begun, answers chan bool }

func (u deaf) Credentials(context.Context) (daypass.Credentials, error) {
	u.begun <- true
	<-u.answers
	return credentials(1, time.Now(), time.Hour), nil
}

// What a former process was given is renewed soon after a suspend, too.
func TestWallClockAheadIsSeenAfterARestart(t *testing.T) {
	dir := place(t)
	synctest.Test(t, func(t *testing.T) {
		u, first := &script{}, &Group{Dir: dir}
		if _, err := first.of(u, "a").Credentials(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		_ = first.Close()
		next := &Group{Dir: dir}
		defer next.Close()
		s := next.of(u, "a")
		ahead := *s.held.Load() // as after a suspend of 30 minutes
		ahead.wallDue, ahead.wallEnd = ahead.wallDue.Add(-30*time.Minute), ahead.wallEnd.Add(-30*time.Minute)
		s.held.Store(&ahead)
		time.Sleep(look + time.Second)
		u.expectCalls(t, "a minute after", 2)
	})
}

// 500 callers of one key: one call, whether the upstream answers, is slow or
// fails; a failing one is asked once for each step of the pauses.
func TestManyCallers(t *testing.T) {
	for _, row := range []struct {
		name  string
		takes time.Duration
		down  bool
		after time.Duration // the callers ask each second until then
		most  int
	}{
		{"healthy", 50 * time.Millisecond, false, 0, 1},
		{"slow", 2500 * time.Millisecond, false, 3 * time.Second, 1},
		{"failing", 50 * time.Millisecond, true, 30 * time.Second, 6}, // 0, 1, 2, 4, 8, 16 s: with jitter downwards one more
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, g := &script{slow: row.takes}, &Group{Rate: 10}
				u.setDown(row.down)
				defer g.Close()
				for until := time.Now().Add(row.after); ; time.Sleep(time.Second) {
					var wait sync.WaitGroup
					for range 500 {
						wait.Go(func() {
							ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
							defer cancel()
							_, _ = g.of(u, "one").Credentials(ctx)
						})
					}
					wait.Wait()
					if !time.Now().Before(until) {
						break
					}
				}
				n := u.count()
				if row.down && (n < 4 || n > row.most+2) || !row.down && n != row.most {
					t.Errorf("%d calls", n)
				}
				t.Logf("%d calls for 500 callers in %s", n, row.after)
			})
		})
	}
}

// 2,000 keys whose credentials fall due at once are all renewed before they
// end, at ten calls a second.
func TestManyDueAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &script{slow: 100 * time.Millisecond}
		g := &Group{} // they are all got at once
		defer g.Close()
		var wait sync.WaitGroup
		for i := range 2000 {
			s := g.of(u, fmt.Sprint(i))
			wait.Go(func() { _, _ = s.Credentials(t.Context()) })
		}
		wait.Wait()
		for _, s := range g.sources { // from now on they take turns
			s.turn = g.turns.wait
		}
		g.turns.every = 100 * time.Millisecond
		begin := time.Now()
		for time.Since(begin) < 2*time.Hour {
			time.Sleep(30 * time.Second)
			for key, s := range g.sources {
				if s.Status().Remaining <= 0 {
					t.Fatalf("%s has nothing %s after the beginning", key, time.Since(begin))
				}
			}
		}
		peak, _ := u.peak(time.Second, begin)
		if n := u.count(); peak > 10 || n < 3*2000 {
			t.Errorf("%d calls, %d in a second", n, peak)
		}
	})
}

// steady runs keys for hours and tells the peak of calls in ten minutes over
// their mean, after the first two lives. It fails if credentials are ever not
// there, or there are more calls in a second than the quota.
func steady(t *testing.T, keys int, life time.Duration, quota float64, outage time.Duration) (ratio, mean float64) {
	t.Helper()
	u := &script{life: life, slow: 100 * time.Millisecond}
	g := &Group{Rate: quota}
	defer g.Close()
	ctx := t.Context()
	for i := range keys { // pods come over the first life
		s := g.of(u, fmt.Sprint(i))
		time.AfterFunc(time.Duration(rand.Float64()*float64(life)), func() { go func() { _, _ = s.Credentials(ctx) }() })
	}
	time.Sleep(3 * life)
	from := time.Now()
	if outage > 0 {
		u.setDown(true)
		time.Sleep(outage)
		u.setDown(false)
	}
	for end := from.Add(3 * life); time.Now().Before(end); time.Sleep(life / 30) {
		for key, s := range g.sources {
			if s.Status().Remaining <= 0 {
				t.Fatalf("%d keys, %s, %.0f/s: %s has nothing %s after the outage of %s", keys, life, quota, key, time.Since(from), outage)
			}
		}
	}
	if peak, _ := u.peak(time.Second, time.Time{}); float64(peak) > quota {
		t.Errorf("%d calls in a second, of %.0f", peak, quota)
	}
	peak, mean := u.peak(life/6, from)
	return float64(peak) / mean, mean / (life / 6).Seconds()
}

func TestSteadyState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ratio, mean := steady(t, 3000, time.Hour, 10, 0)
		t.Logf("3,000 keys of an hour: %.2f calls a second, in ten minutes at most %.2f of the mean", mean, ratio)
		if ratio > 1.3 {
			t.Errorf("the peak is %.2f of the mean", ratio)
		}
	})
}

// An outage that takes a third of the credentials' life is not seen, and what
// comes after it stays below the quota.
func TestAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ratio, mean := steady(t, 3000, time.Hour, 10, 20*time.Minute)
		t.Logf("3,000 keys of an hour, down for 20 minutes: %.2f calls a second, at most %.2f of the mean", mean, ratio)
	})
}

// An outage begins just before credentials fall due and lasts almost to their
// end, with a restart inside: who asks sees nothing of it.
func TestAnOutageWithARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	if err := fits(dir, nil); err != nil { // the system's folder for tests may be in /tmp
		dir = filepath.Join("/run", fmt.Sprintf("daypass-test-%d", os.Getpid()))
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		if err := fits(dir, nil); err != nil {
			t.Skipf("no folder to keep credentials in: %v", err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		u := &script{}
		g := &Group{Rate: 10, Dir: dir}
		first, err := g.of(u, "web").Credentials(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(24*time.Minute - time.Second)
		u.setDown(true)
		read := func(what string) {
			t.Helper()
			if got, err := g.of(u, "web").Credentials(t.Context()); err != nil || got.AccessKeyID != first.AccessKeyID {
				t.Fatalf("%s: %v, %v", what, got.AccessKeyID, err)
			}
		}
		for range 15 {
			time.Sleep(time.Minute)
			read("before the restart")
		}
		_ = g.Close()
		g = &Group{Rate: 10, Dir: dir}
		for range 19 {
			time.Sleep(time.Minute)
			read("after the restart")
		}
		u.setDown(false)
		time.Sleep(70 * time.Second) // 59 minutes and some seconds after the first
		if got, err := g.of(u, "web").Credentials(t.Context()); err != nil || got.AccessKeyID == first.AccessKeyID {
			t.Errorf("after the outage: %v, %v", got.AccessKeyID, err)
		}
		g.Drop(func(string) bool { return false })
		if left, err := filepath.Glob(dir + "/*.json"); err != nil || len(left) > 0 {
			t.Errorf("%v stays of what was dropped", left)
		}
		_ = g.Close()
	})
}
