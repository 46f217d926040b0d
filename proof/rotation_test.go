package proof

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"errors"
	"fmt"
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

// A mounted is a folder as kubelet mounts it: the files are links through
// ..data, which is swapped in one step.
type mounted string

func mount(t *testing.T, generations ...map[string]string) mounted {
	t.Helper()
	m := mounted(t.TempDir())
	for i, files := range generations {
		dir := filepath.Join(string(m), fmt.Sprint("..", i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, content := range files {
			put(t, filepath.Join(dir, name), content)
			if i == 0 {
				if err := m.link("..data/"+name, name); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := m.swap(0); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m mounted) swap(generation int) error {
	return m.link(fmt.Sprint("..", generation), "..data")
}

func (m mounted) link(to, name string) error {
	if err := os.Symlink(to, m.path("new")); err != nil {
		return err
	}
	return os.Rename(m.path("new"), m.path(name))
}

func (m mounted) path(name string) string { return filepath.Join(string(m), name) }

func TestSwappedDataFolderIsTakenUp(t *testing.T) {
	a, b := newPair(t, "a", nil), newPair(t, "b", nil)
	m := mount(t, map[string]string{"tls.crt": a.certPEM(), "tls.key": a.keyPEM(t)},
		map[string]string{"tls.crt": b.certPEM(), "tls.key": b.keyPEM(t)})
	f := &KeyFiles{Certificate: m.path("tls.crt"), PrivateKey: m.path("tls.key")}
	if got := mustKey(t, f); !got.Leaf.Equal(a.cert) {
		t.Fatalf("got %s", got.Leaf.Subject)
	}
	if err := m.swap(1); err != nil {
		t.Fatal(err)
	}
	if got := mustKey(t, f); !got.Leaf.Equal(b.cert) {
		t.Errorf("still got %s", got.Leaf.Subject)
	}
}

// Where the key stays the same no mismatch shows that a swap fell between the
// reading of two files.
func TestLeafAndChainAreOfOneSwap(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	var generations []map[string]string
	var leaf pair
	for _, name := range []string{"a", "b"} {
		root := newPair(t, "root", nil)
		ca := newPair(t, name, &root)
		leaf = issue(t, name, key, &ca, start)
		generations = append(generations, map[string]string{"tls.crt": leaf.certPEM(), "ca.crt": ca.certPEM()})
	}
	m := mount(t, generations...)
	f := &KeyFiles{
		Certificate: m.path("tls.crt"), Intermediates: m.path("ca.crt"),
		PrivateKey: put(t, filepath.Join(t.TempDir(), "key"), leaf.keyPEM(t)),
	}
	seen := map[string]int{}
	for i := range 200 {
		// One swap a reading: two within one reading could undo each other.
		var swapping sync.WaitGroup
		swapping.Go(func() {
			if err := m.swap(i % 2); err != nil {
				t.Error(err)
			}
		})
		k, err := f.Key(context.Background())
		swapping.Wait()
		if err != nil {
			continue // the first, in the midst of a swap
		}
		seen[k.Leaf.Subject.CommonName]++
		if k.Chain[0].Subject.CommonName != k.Leaf.Subject.CommonName {
			t.Fatalf("leaf %s came with chain %s", k.Leaf.Subject, k.Chain[0].Subject)
		}
	}
	if len(seen) < 2 {
		t.Errorf("saw only %v: nothing was tried", seen)
	}
}

func TestChangeOfSizeAloneIsFound(t *testing.T) {
	p := newPair(t, "p", nil)
	f := files(t, p.certPEM(), p.keyPEM(t))
	first := mustKey(t, f)
	if err := os.WriteFile(f.Certificate, []byte(p.certPEM()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(f.Certificate, start, start); err != nil {
		t.Fatal(err)
	}
	if mustKey(t, f) == first {
		t.Error("a file of another size was not read")
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
