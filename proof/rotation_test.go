package proof

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func readFile(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func mustKey(t testing.TB, f *KeyFiles) *Key {
	t.Helper()
	k, err := f.Key(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestUnchangedFilesAreNotReadAgain(t *testing.T) {
	p := newPair(t, "p", nil)
	f := files(t, p.certPEM(), p.keyPEM(t))
	first := mustKey(t, f)
	if mustKey(t, f) != first {
		t.Error("a key was parsed again although no file had changed")
	}
}

// Two writes within one grain of the file system's clock may leave the same
// inode, size and time: the second must not be missed for ever.
func TestChangeThatLeavesNoTraceIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newPair(t, "a", nil), newPair(t, "b", nil)
		one, two := a.certPEM()+a.keyPEM(t), b.certPEM()+b.keyPEM(t)
		for len(one) < len(two) {
			one += "\n"
		}
		for len(two) < len(one) {
			two += "\n"
		}
		f := files(t, "", "")
		now := time.Now()
		putAt(t, f.Certificate, one, now)
		if got := mustKey(t, f); !got.Leaf.Equal(a.cert) {
			t.Fatalf("got %s", got.Leaf.Subject)
		}
		if err := os.WriteFile(f.Certificate, []byte(two), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(f.Certificate, now, now); err != nil {
			t.Fatal(err)
		}
		time.Sleep(grain)
		if got := mustKey(t, f); !got.Leaf.Equal(b.cert) {
			t.Errorf("still got %s", got.Leaf.Subject)
		}
		if again := mustKey(t, f); again != mustKey(t, f) {
			t.Error("a settled file is read again and again")
		}
	})
}

func TestRenewedPairIsTakenUp(t *testing.T) {
	a, b := newPair(t, "a", nil), newPair(t, "b", nil)
	f := files(t, a.certPEM(), a.keyPEM(t))
	mustKey(t, f)
	put(t, f.PrivateKey, b.keyPEM(t))
	put(t, f.Certificate, b.certPEM())
	if got := mustKey(t, f); !got.Leaf.Equal(b.cert) {
		t.Errorf("still got %s", got.Leaf.Subject)
	}
}

// Kubernetes swaps a link beside the files, whose own links stay.
func TestSwappedDataFolderIsTakenUp(t *testing.T) {
	a, b := newPair(t, "a", nil), newPair(t, "b", nil)
	dir := t.TempDir()
	for name, p := range map[string]pair{"..1": a, "..2": b} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, name, "tls.crt"), p.certPEM())
		put(t, filepath.Join(dir, name, "tls.key"), p.keyPEM(t))
	}
	link := func(to, from string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, "new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	link("..1", "..data")
	link("..data/tls.crt", "tls.crt")
	link("..data/tls.key", "tls.key")
	f := &KeyFiles{Certificate: filepath.Join(dir, "tls.crt"), PrivateKey: filepath.Join(dir, "tls.key")}
	if got := mustKey(t, f); !got.Leaf.Equal(a.cert) {
		t.Fatalf("got %s", got.Leaf.Subject)
	}
	link("..2", "..data")
	if got := mustKey(t, f); !got.Leaf.Equal(b.cert) {
		t.Errorf("still got %s", got.Leaf.Subject)
	}
}

func TestOldKeyStaysUntilTheNewOneIsWhole(t *testing.T) {
	a, b := newPair(t, "a", nil), newPair(t, "b", nil)
	bundle := "-----BEGIN CERTIFICATE-----\nAAAA"
	for name, spoil := range map[string]func(t *testing.T, f *KeyFiles){
		"new key, old certificate": func(t *testing.T, f *KeyFiles) { put(t, f.PrivateKey, b.keyPEM(t)) },
		"new certificate, old key": func(t *testing.T, f *KeyFiles) { put(t, f.Certificate, b.certPEM()) },
		"certificate cut off":      func(t *testing.T, f *KeyFiles) { put(t, f.Certificate, bundle) },
		"key empty":                func(t *testing.T, f *KeyFiles) { put(t, f.PrivateKey, "") },
		"certificate missing":      func(t *testing.T, f *KeyFiles) { remove(t, f.Certificate) },
		"key missing":              func(t *testing.T, f *KeyFiles) { remove(t, f.PrivateKey) },
		"intermediates missing":    func(t *testing.T, f *KeyFiles) { remove(t, f.Intermediates) },
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			f := files(t, a.certPEM(), a.keyPEM(t))
			f.Intermediates = put(t, filepath.Join(t.TempDir(), "more.pem"), a.certPEM())
			f.Log = slog.New(slog.NewTextHandler(&log, nil))
			mustKey(t, f)
			spoil(t, f)
			if got := mustKey(t, f); !got.Leaf.Equal(a.cert) || !matches(got) {
				t.Errorf("got %s", got.Leaf.Subject)
			}
			if !strings.Contains(log.String(), "the new one is not whole") {
				t.Errorf("the log says only %q", log.String())
			}
			put(t, f.Certificate, b.certPEM())
			put(t, f.PrivateKey, b.keyPEM(t))
			put(t, f.Intermediates, b.certPEM())
			if got := mustKey(t, f); !got.Leaf.Equal(b.cert) || !matches(got) {
				t.Errorf("after the new key is whole: got %s", got.Leaf.Subject)
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// At the first start there is no old key: the second file, which is written a
// moment after the first, is waited for, but not for long.
func TestFirstPairWrittenApart(t *testing.T) {
	a, b := newPair(t, "a", nil), newPair(t, "b", nil)
	synctest.Test(t, func(t *testing.T) {
		f := files(t, a.certPEM(), b.keyPEM(t))
		putAt(t, f.PrivateKey, b.keyPEM(t), time.Now())
		begin := time.Now()
		if _, err := f.Key(context.Background()); err == nil {
			t.Error("a key that belongs to no certificate was taken")
		}
		if waited := time.Since(begin); waited != (attempts-1)*pause {
			t.Errorf("gave up after %s", waited)
		}
		go func() {
			time.Sleep(pause + pause/2)
			putAt(t, f.Certificate, b.certPEM(), time.Now())
		}()
		if got := mustKey(t, f); !got.Leaf.Equal(b.cert) {
			t.Errorf("got %s", got.Leaf.Subject)
		}
	})
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	a, b := newPair(t, "a", nil), newPair(t, "b", nil)
	synctest.Test(t, func(t *testing.T) {
		f := files(t, a.certPEM(), b.keyPEM(t))
		putAt(t, f.PrivateKey, b.keyPEM(t), time.Now())
		ctx, cancel := context.WithTimeout(context.Background(), pause/2)
		defer cancel()
		if _, err := f.Key(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// A writer that renews without pause, file by file, never makes a reader see
// halves of two pairs.
func TestReadersNeverSeeHalvesOfTwoPairs(t *testing.T) {
	var pairs []pair
	for range 8 {
		pairs = append(pairs, newPair(t, "p", nil))
	}
	f := files(t, pairs[0].certPEM(), pairs[0].keyPEM(t))
	mustKey(t, f)
	done := make(chan struct{})
	var taken sync.Map // :: fingerprint → true
	var kinds atomic.Int64
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				k, err := f.Key(context.Background())
				if err != nil || !matches(k) {
					t.Errorf("got %v, %v", k, err)
					return
				}
				if _, known := taken.LoadOrStore(k.Fingerprint(), true); !known {
					kinds.Add(1)
				}
			}
		})
	}
	var last pair
	for i := 0; i < 100 || kinds.Load() < 3 && i < 100_000; i++ {
		last = pairs[i%len(pairs)]
		putAt(t, f.PrivateKey, last.keyPEM(t), time.Now())
		putAt(t, f.Certificate, last.certPEM(), time.Now())
	}
	if got := mustKey(t, f); !got.Leaf.Equal(last.cert) {
		t.Error("the last pair was not taken up")
	}
	close(done)
	readers.Wait()
	if kinds.Load() < 3 {
		t.Errorf("readers saw only %d pairs: nothing was tried", kinds.Load())
	}
}
