package proof

import (
	"context"
	"crypto/elliptic"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// A generation is a leaf with the intermediate that issued it, both anew.
type generation struct{ ca, leaf pair }

func generations(t *testing.T, n int) (all []generation) {
	t.Helper()
	root := newPair(t, "root", nil)
	for range n {
		ca := newPair(t, "ca", &root)
		all = append(all, generation{ca, issue(t, "leaf", ecKey(t, elliptic.P256()), &ca, start.AddDate(1, 0, 0))})
	}
	return all
}

// A chain that comes after its leaf: at a first start it is waited for, and
// where there is an old key, that serves meanwhile.
func TestChainThatComesLast(t *testing.T) {
	g := generations(t, 2)
	synctest.Test(t, func(t *testing.T) {
		f := files(t, g[0].leaf.certPEM(), g[0].leaf.keyPEM(t))
		f.Intermediates = put(t, filepath.Join(t.TempDir(), "chain"), g[0].ca.certPEM())
		mustKey(t, f)
		putAt(t, f.PrivateKey, g[1].leaf.keyPEM(t), time.Now())
		putAt(t, f.Certificate, g[1].leaf.certPEM(), time.Now())
		for range 3 {
			begin := time.Now()
			if got := mustKey(t, f); !got.Leaf.Equal(g[0].leaf.cert) || !got.complete() {
				t.Error("a leaf was taken with the chain of another")
			}
			if waited := time.Since(begin); waited > 0 {
				t.Errorf("waited %s although there was a key to give", waited)
			}
			time.Sleep(time.Second)
		}
		cold := &KeyFiles{Certificate: f.Certificate, PrivateKey: f.PrivateKey, Intermediates: f.Intermediates}
		putAt(t, f.Certificate, g[1].leaf.certPEM(), time.Now())
		go func() {
			time.Sleep(pause + pause/2)
			putAt(t, f.Intermediates, g[1].ca.certPEM(), time.Now())
		}()
		for _, f := range []*KeyFiles{cold, f} {
			if got := mustKey(t, f); !got.Leaf.Equal(g[1].leaf.cert) || !got.complete() {
				t.Error("the new leaf did not come with its chain")
			}
		}
	})
}

// A chain that never comes is not waited for for ever.
func TestChainThatNeverComes(t *testing.T) {
	g := generations(t, 2)
	synctest.Test(t, func(t *testing.T) {
		f := files(t, g[0].leaf.certPEM(), g[0].leaf.keyPEM(t))
		f.Intermediates = put(t, filepath.Join(t.TempDir(), "chain"), g[0].ca.certPEM())
		mustKey(t, f)
		putAt(t, f.PrivateKey, g[1].leaf.keyPEM(t), time.Now())
		putAt(t, f.Certificate, g[1].leaf.certPEM(), time.Now())
		time.Sleep(chainPatience - time.Second)
		if got := mustKey(t, f); !got.Leaf.Equal(g[0].leaf.cert) {
			t.Error("the chain was not waited for")
		}
		time.Sleep(2 * time.Second)
		if got := mustKey(t, f); !got.Leaf.Equal(g[1].leaf.cert) {
			t.Error("the new leaf was never taken")
		}
	})
}

// Strangers in the chain are no reason to wait, except at a first start shortly
// after they were written.
func TestStrangersInTheChain(t *testing.T) {
	g := generations(t, 3)
	synctest.Test(t, func(t *testing.T) {
		f := files(t, g[0].leaf.certPEM(), g[0].leaf.keyPEM(t))
		f.Intermediates = put(t, filepath.Join(t.TempDir(), "chain"), g[0].ca.certPEM()+g[2].ca.certPEM())
		if mustKey(t, f).complete() {
			t.Fatal("a chain with a stranger in it is complete")
		}
		putAt(t, f.PrivateKey, g[1].leaf.keyPEM(t), time.Now())
		putAt(t, f.Certificate, g[1].leaf.certPEM(), time.Now())
		if got := mustKey(t, f); !got.Leaf.Equal(g[1].leaf.cert) {
			t.Error("the new leaf was not taken")
		}
	})
}

func TestOldKeyThatHasExpiredIsNoReasonNotToWait(t *testing.T) {
	a, b := newPair(t, "a", nil), newPair(t, "b", nil)
	synctest.Test(t, func(t *testing.T) {
		old := issue(t, "old", a.key, nil, time.Now().Add(time.Minute))
		f := files(t, old.certPEM(), a.keyPEM(t))
		mustKey(t, f)
		time.Sleep(time.Hour)
		putAt(t, f.PrivateKey, b.keyPEM(t), time.Now())
		go func() {
			time.Sleep(pause + pause/2)
			putAt(t, f.Certificate, b.certPEM(), time.Now())
		}()
		if got := mustKey(t, f); !got.Leaf.Equal(b.cert) {
			t.Error("the new certificate was not waited for")
		}
	})
}

func TestChanged(t *testing.T) {
	a, b := newPair(t, "a", nil), newPair(t, "b", nil)
	f := files(t, "", a.keyPEM(t))
	remove(t, f.Certificate)
	unchanged := func(after string) {
		t.Helper()
		for range 2 {
			if f.Changed() {
				t.Errorf("the files are said to have changed after %s", after)
			}
		}
	}
	changed := func(after string) {
		t.Helper()
		if !f.Changed() {
			t.Errorf("the files are not said to have changed after %s", after)
		}
	}
	look := func() { _, _ = f.Key(context.Background()) }
	unchanged("nothing was asked")
	look()
	unchanged("a failure")
	put(t, f.Certificate, b.certPEM())
	changed("the certificate came")
	look()
	unchanged("it did not fit")
	put(t, f.Certificate, a.certPEM())
	changed("one came that fits")
	mustKey(t, f)
	unchanged("it was taken")
	put(t, f.PrivateKey, b.keyPEM(t))
	changed("another key came")
	look()
	unchanged("the old key was kept")
	put(t, f.Certificate, b.certPEM())
	changed("its certificate came")
	if got := mustKey(t, f); !got.Leaf.Equal(b.cert) {
		t.Error("the new key was not taken")
	}
	_ = f.turn.take(context.Background())
	remove(t, f.Certificate)
	unchanged("a change while somebody asks")
	f.turn.end()
	changed("the certificate went")
}
