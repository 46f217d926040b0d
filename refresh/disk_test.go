package refresh

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gofrs/flock"

	"daypass.dev"
)

// place makes a directory outside /tmp, where t.TempDir mostly is.
func place(t testing.TB) string {
	t.Helper()
	for _, parent := range []string{"/dev/shm", "/run", "."} {
		dir, err := os.MkdirTemp(parent, "daypass-test-")
		if err != nil {
			continue
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		if dir, err = filepath.Abs(dir); err == nil && fits(filepath.Join(dir, "d"), nil) == nil {
			return filepath.Join(dir, "d")
		}
	}
	t.Fatal("there is no directory outside /tmp to test in")
	return ""
}

func named(key string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return key, nil }
}

// process stands for a new process that shares dir with others.
func process(up daypass.Source, dir string) *Disk {
	return &Disk{From: up, Key: named("k"), Dirs: []string{dir}}
}

func docPath(dir string) string  { return filepath.Join(dir, fileName("k")+docEnding) }
func lockPath(dir string) string { return filepath.Join(dir, fileName("k")+lockEnding) }

func TestProcessesShareOneAnswer(t *testing.T) {
	up, dir := &script{}, place(t)
	first := get(t, process(up, dir))
	for range 10 {
		again := get(t, process(up, dir))
		if !again.Issued.Equal(first.Issued) || !again.Expires.Equal(first.Expires) {
			t.Errorf("times are %s, %s, want %s, %s", again.Issued, again.Expires, first.Issued, first.Expires)
		}
		again.Issued, again.Expires = first.Issued, first.Expires
		if again != first {
			t.Errorf("got %+v, want %+v", again, first)
		}
	}
	up.expectCalls(t, "after eleven processes", 1)
	for path, want := range map[string]os.FileMode{dir: 0o700 | os.ModeDir, docPath(dir): 0o600, lockPath(dir): 0o600} {
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != want {
			t.Errorf("%s: got %v, %v, want mode %v", path, info, err, want)
		}
	}
}

func TestEachKeyHasItsOwnMemory(t *testing.T) {
	up, dir := &script{}, place(t)
	for _, key := range []string{"a", "b", "../../evil", strings.Repeat("x", 1000)} {
		d := process(up, dir)
		d.Key = named(key)
		get(t, d)
		get(t, d)
	}
	up.expectCalls(t, "after four keys", 4)
}

func TestWithoutAKeyOrAPlaceFromIsAsked(t *testing.T) {
	up := &script{}
	nameless := process(up, place(t))
	nameless.Key = func(context.Context) (string, error) { return "", errors.New("no certificate") }
	get(t, nameless)
	get(t, &Disk{From: up, Key: named("k")})
	up.expectCalls(t, "without memory", 2)
}

func TestHalfOfTheLifeIsGoodEnough(t *testing.T) {
	dir := place(t)
	synctest.Test(t, func(t *testing.T) {
		up := &script{skew: 20 * time.Minute} // a constant error of the clock
		get(t, process(up, dir))
		time.Sleep(30 * time.Minute)
		get(t, process(up, dir))
		up.expectCalls(t, "at half the life", 1)
		time.Sleep(time.Second)
		if c := get(t, process(up, dir)); c.AccessKeyID != "ASIA2" {
			t.Errorf("got %s", c.AccessKeyID)
		}
		up.expectCalls(t, "after half the life", 2)
	})
}

func TestFailedRenewalLeavesWhatLives(t *testing.T) {
	dir := place(t)
	synctest.Test(t, func(t *testing.T) {
		up := &script{}
		get(t, process(up, dir))
		up.set(func() { up.err = refusedErr })
		time.Sleep(45 * time.Minute)
		for range 10 {
			if c := get(t, process(up, dir)); c.AccessKeyID != "ASIA1" {
				t.Errorf("got %s", c.AccessKeyID)
			}
			time.Sleep(2 * time.Second)
		}
		up.expectCalls(t, "within half a minute of a failure", 2)
		time.Sleep(restWithCredentials)
		get(t, process(up, dir))
		up.expectCalls(t, "after that", 3)

		up.set(func() { up.err, up.slow = nil, 10*time.Second })
		time.Sleep(restWithCredentials)
		before := time.Now()
		get(t, process(up, dir))
		if waited := time.Since(before); waited != hurry {
			t.Errorf("with credentials at hand a process waited %s", waited)
		}

		up.set(func() { up.err, up.slow = refusedErr, 0 })
		time.Sleep(time.Until(epoch.Add(time.Hour)))
		_, err := process(up, dir).Credentials(context.Background())
		if e := (*daypass.Error)(nil); !errors.As(err, &e) || *e != *refusedErr {
			t.Errorf("after expiry: got %#v", err)
		}
		if data, err := os.ReadFile(docPath(dir)); err != nil || bytes.Contains(data, []byte("planted")) {
			t.Errorf("expired credentials are kept in %s, %v", data, err)
		}
	})
}

func TestFailuresAreSharedForAMoment(t *testing.T) {
	retry := &daypass.Error{Op: "CreateSession", Code: "ThrottlingException", Status: 429, RetryAfter: time.Minute}
	for name, c := range map[string]struct {
		err  error
		rest time.Duration
	}{"network": {errNetwork, floor}, "refused": {refusedErr, floor}, "Retry-After": {retry, time.Minute}} {
		t.Run(name, func(t *testing.T) {
			dir := place(t)
			synctest.Test(t, func(t *testing.T) {
				up := &script{err: c.err}
				for range 5 {
					_, err := process(up, dir).Credentials(context.Background())
					if err == nil || err.Error() != c.err.Error() {
						t.Errorf("got %v", err)
					}
					time.Sleep(c.rest / 5)
				}
				up.expectCalls(t, "within the rest", 1)
				up.set(func() { up.err = nil })
				get(t, process(up, dir))
				up.expectCalls(t, "after it", 2)
			})
		})
	}
}

// Who began to wait before a failure came shares it, however long ago it is
// by the time that the lock is had.
func TestFailureIsForAllWhoWaited(t *testing.T) {
	doc := document{Failure: newFailure(errNetwork, epoch)}
	late := epoch.Add(time.Hour)
	if !doc.failedFor(epoch.Add(-time.Second), late) {
		t.Error("who began before the failure does not share it")
	}
	if doc.failedFor(epoch.Add(time.Second), late) {
		t.Error("who began after it shares it")
	}
	if doc.failedFor(epoch.Add(-2*time.Hour), epoch.Add(-time.Hour)) {
		t.Error("a failure of the future, after a clock was set back, is shared")
	}
}

func TestCallerThatLeavesIsNoFailure(t *testing.T) {
	dir := place(t)
	synctest.Test(t, func(t *testing.T) {
		up := &script{slow: 10 * time.Second}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := process(up, dir).Credentials(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		get(t, process(up, dir))
	})
}

func TestClockSetBackForgets(t *testing.T) {
	dir := place(t)
	up := &script{}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour)
		get(t, process(up, dir))
	})
	synctest.Test(t, func(t *testing.T) { get(t, process(up, dir)) })
	up.expectCalls(t, "after an hour was put back", 2)
}

func TestUselessAnswersAreNotRemembered(t *testing.T) {
	dir := place(t)
	synctest.Test(t, func(t *testing.T) {
		c := credentials(1, time.Now(), time.Hour)
		c.SessionToken = ""
		got, err := process(given{c}, dir).Credentials(context.Background())
		if err == nil || err.Error() != errUseless.Error() || got != (daypass.Credentials{}) {
			t.Errorf("got %+v, %v", got, err)
		}
		time.Sleep(floor)
		get(t, process(&script{}, dir))
	})
}

// Credentials that expire while they are remembered are none.
func TestWhatExpiresWhileItIsRememberedIsUseless(t *testing.T) {
	dir := place(t)
	if err := os.MkdirAll(docPath(dir), 0o700); err != nil { // so that writing fails, and is told
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		d := process(&script{life: time.Second}, dir)
		d.Log = slog.New(dawdling{slog.DiscardHandler})
		fails(t, d, errUseless)
	})
}

// dawdling is a log that takes two seconds for each line.
type dawdling struct{ slog.Handler }

func (dawdling) Enabled(context.Context, slog.Level) bool { return true }

func (dawdling) Handle(context.Context, slog.Record) error {
	time.Sleep(2 * time.Second)
	return nil
}

func TestWaitingForWhoRenews(t *testing.T) {
	dir := place(t)
	held := func(t *testing.T) *flock.Flock {
		l := flock.New(lockPath(dir))
		if ok, err := l.TryLock(); !ok || err != nil {
			t.Fatalf("locking: %t, %v", ok, err)
		}
		return l
	}
	synctest.Test(t, func(t *testing.T) {
		up := &script{}
		l := held(t)
		go func() {
			time.Sleep(10 * time.Second)
			m := &memory{key: "k", path: strings.TrimSuffix(docPath(dir), docEnding)}
			if err := m.write(newDocument("k", time.Now(), credentials(7, time.Now(), time.Hour))); err != nil {
				t.Error(err)
			}
			_ = l.Unlock()
		}()
		if c := get(t, process(up, dir)); c.AccessKeyID != "ASIA7" {
			t.Errorf("got %s", c.AccessKeyID)
		}
		up.expectCalls(t, "while another renewed", 0)

		time.Sleep(45 * time.Minute)
		stopped := held(t)
		before := time.Now()
		if c := get(t, process(up, dir)); c.AccessKeyID != "ASIA7" || time.Since(before) != 0 {
			t.Errorf("with credentials at hand: got %s after %s", c.AccessKeyID, time.Since(before))
		}
		time.Sleep(15 * time.Minute)
		before = time.Now()
		get(t, process(up, dir))
		if waited := time.Since(before); waited < lockPatience || waited > lockPatience+time.Second {
			t.Errorf("waited %s for one that had been stopped", waited)
		}
		up.expectCalls(t, "past one that had been stopped", 1)
		_ = stopped.Unlock()
	})
}

func TestOldFilesAreClearedAway(t *testing.T) {
	dir := place(t)
	old := time.Now().Add(-forgotten - time.Minute)
	files := map[string]bool{ // :: name → stays
		fileName("gone") + docEnding:               false,
		fileName("gone") + lockEnding:              false,
		"." + fileName("gone") + docEnding + ".12": false,
		"foreign.json":                             true,
		fileName("gone"):                           true,
	}
	for name := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	up := &script{}
	get(t, process(up, dir))
	files[fileName("k")+docEnding], files[fileName("k")+lockEnding] = true, true
	for name, stays := range files {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != stays {
			t.Errorf("%s: stays should be %t: %v", name, stays, err)
		}
	}
}

func TestDiskLogsNoSecret(t *testing.T) {
	dir := place(t)
	var log bytes.Buffer
	up := &script{}
	for _, spoil := range []string{"", `{"key":"k","secretAccessKey":"` + plantedKey + `",`, plantedToken} {
		if spoil != "" {
			if err := os.WriteFile(docPath(dir), []byte(spoil), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		d := process(up, dir)
		d.Dirs = []string{"relative", dir}
		d.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		get(t, d)
	}
	if !strings.Contains(log.String(), "not a document of ours") || !strings.Contains(log.String(), "absolute") {
		t.Errorf("the log says only %s", log.String())
	}
	if strings.Contains(log.String(), "planted") {
		t.Error("the log holds a secret")
	}
}
