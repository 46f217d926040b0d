package signer

import (
	"context"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"daypass.dev/pki"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func testRoot(t *testing.T, life time.Duration) pki.CA {
	t.Helper()
	root, err := pki.NewRoot(p256(t), caName("daypass root", "prod"), life, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func (a *authority) take(t *testing.T, root pki.CA) {
	t.Helper()
	if err := a.use(t.Context(), local{root}, string(root.Certificate.Raw)); err != nil {
		t.Fatal(err)
	}
}

func testAuthority(t *testing.T) (*authority, pki.CA) {
	t.Helper()
	a, root := &authority{cluster: testCluster, life: 24 * time.Hour}, testRoot(t, rootLife)
	a.take(t, root)
	return a, root
}

// What is issued breaks no rule of Roles Anywhere's, under the root alone.
func TestWhatIsIssued(t *testing.T) {
	a, root := testAuthority(t)
	key := p256(t)
	got, err := a.issue("shop", "web", key.Public(), 30*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := pki.ParseCertificates(got.chain)
	if err != nil || len(chain) != 2 {
		t.Fatalf("%d certificates, %v", len(chain), err)
	}
	for _, f := range pki.Check(pki.Evidence{Leaf: chain[0], Key: key.Public(), Intermediates: chain[1:], Anchors: []*x509.Certificate{root.Certificate}}, time.Now()) {
		if f.Verdict == pki.Fail || f.Verdict == pki.Warn && f.Rule != "ca-expires-soon" {
			t.Errorf("%s on %s: %s: %s", f.Rule, f.On, f.Verdict, f.Detail)
		}
	}
	leaf := chain[0]
	if got, want := leaf.Subject.String(), "CN=web@shop,OU=shop,O=prod"; got != want {
		t.Errorf("Subject %s, want %s", got, want)
	}
	if len(leaf.URIs) != 1 || leaf.URIs[0].String() != "spiffe://example.org/ns/shop/sa/web" {
		t.Errorf("URIs %s", leaf.URIs)
	}
	if back := time.Since(leaf.NotBefore); back <= 0 || back > 4*time.Minute {
		t.Errorf("begins %s back", back)
	}
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life != 24*time.Hour {
		t.Errorf("lives %s, the setting says 24h", life)
	}
	issuing := chain[1]
	if life := time.Until(issuing.NotAfter); life > issuingLife || !issuing.MaxPathLenZero || !issuing.IsCA {
		t.Errorf("issuing CA lives %s, pathlen %d", life, issuing.MaxPathLen)
	}
}

// Kubernetes' bounds hold for every life that can be asked for.
func TestTimesAreThoseThatKubernetesTakes(t *testing.T) {
	a, _ := testAuthority(t)
	key := p256(t).Public()
	for _, refresh := range []time.Duration{0, 10 * time.Minute, 12 * time.Hour, 100 * time.Hour} {
		a.refresh = refresh
		for _, life := range []time.Duration{time.Hour, 61 * time.Minute, 90 * time.Minute, 24 * time.Hour, 91 * 24 * time.Hour} {
			now := time.Now()
			got, err := a.issue("shop", "web", key, life)
			if err != nil {
				t.Fatal(err)
			}
			lives := got.leaf.NotAfter.Sub(got.leaf.NotBefore)
			if lives < time.Hour || lives > life || lives > a.life {
				t.Errorf("asked for %s, lives %s", life, lives)
			}
			if got.refresh.Sub(now) < 10*time.Minute-time.Second || got.refresh.Sub(got.leaf.NotBefore) < 10*time.Minute || got.leaf.NotAfter.Sub(got.refresh) < 10*time.Minute {
				t.Errorf("of %s after %s: refresh %s after the begin, %s before the end", life, refresh, got.refresh.Sub(got.leaf.NotBefore), got.leaf.NotAfter.Sub(got.refresh))
			}
			if part := float64(got.refresh.Sub(got.leaf.NotBefore)) / float64(lives); refresh == 0 && (part < .399 || part > .501) {
				t.Errorf("of %s: refresh at %.3f", life, part)
			}
		}
	}
}

func (a *authority) issuer(t *testing.T) *x509.Certificate {
	t.Helper()
	if err := a.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	ca, err := a.current()
	if err != nil {
		t.Fatal(err)
	}
	return ca.Certificate
}

func TestTheIssuingCAIsMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, root := testAuthority(t)
		first := a.issuer(t)
		time.Sleep(3 * 24 * time.Hour)
		if !a.issuer(t).Equal(first) {
			t.Error("made anew before half its life")
		}
		time.Sleep(24 * time.Hour)
		second := a.issuer(t)
		if second.Equal(first) {
			t.Error("still the same after half its life")
		}
		if a.take(t, root); !a.issuer(t).Equal(second) {
			t.Error("made anew for the same root")
		}
		if a.take(t, testRoot(t, rootLife)); a.issuer(t).Equal(second) {
			t.Error("another root, the same issuing CA")
		}
	})
}

func TestARootThatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &authority{cluster: testCluster, life: 24 * time.Hour}
		if _, err := a.issue("shop", "web", p256(t).Public(), time.Hour); err != errNoRoot {
			t.Errorf("without a root: %v", err)
		}
		root := testRoot(t, 5*time.Hour)
		a.take(t, root)
		time.Sleep(time.Hour)
		got, err := a.issue("shop", "web", p256(t).Public(), 24*time.Hour)
		if err != nil || got.leaf.NotAfter.After(root.Certificate.NotAfter) {
			t.Errorf("%v, ends %s after the root", err, got.leaf.NotAfter.Sub(root.Certificate.NotAfter))
		}
		time.Sleep(5 * time.Hour)
		if err := a.renew(t.Context()); err == nil {
			t.Error("renewed below a root that has ended")
		}
		_, err = a.issue("shop", "web", p256(t).Public(), 24*time.Hour)
		if _, _, refused := asRefusal(err); err == nil || refused {
			t.Errorf("under a root that has ended: %v; it is to be no refusal of who asks", err)
		}
		a.take(t, testRoot(t, rootLife))
		if _, err = a.issue("shop", "web", p256(t).Public(), 24*time.Hour); err != nil {
			t.Errorf("after the change of root: %v", err)
		}
	})
}

// A root that is away leaves the issuing CA at work until it ends, and nobody
// who asks waits for it.
func TestARootThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &distant{CA: testRoot(t, rootLife)}
		a := &authority{cluster: testCluster, life: 24 * time.Hour}
		if err := a.use(t.Context(), far, "far"); err != nil {
			t.Fatal(err)
		}
		far.away = true
		time.Sleep(6 * 24 * time.Hour)
		if err := a.renew(t.Context()); err == nil {
			t.Error("renewed by a root that is away")
		}
		begin := time.Now()
		if _, err := a.issue("shop", "web", p256(t).Public(), time.Hour); err != nil || time.Since(begin) != 0 {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
		far.away = false
		if err := a.renew(t.Context()); err != nil {
			t.Error(err)
		}
		if left := time.Until(a.issuer(t).NotAfter); left != issuingLife {
			t.Errorf("the issuing CA lives %s more", left)
		}
	})
}

type distant struct {
	pki.CA
	away bool
}

func (d *distant) IssueCA(ctx context.Context, key crypto.Signer, name pkix.Name, life time.Duration) (pki.CA, error) {
	time.Sleep(2 * time.Second)
	if d.away {
		return pki.CA{}, errors.New("away")
	}
	return local{d.CA}.IssueCA(ctx, key, name, life)
}

func TestManyAtOnce(t *testing.T) {
	a, _ := testAuthority(t)
	key := p256(t).Public()
	var wg sync.WaitGroup
	var mu sync.Mutex
	serials := map[string]bool{}
	for range 100 {
		wg.Go(func() {
			got, err := a.issue("shop", "web", key, time.Hour)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			serials[got.leaf.SerialNumber.String()] = true
		})
	}
	wg.Wait()
	if len(serials) != 100 {
		t.Errorf("%d serial numbers", len(serials))
	}
}

func TestNamesTooLongAreRefused(t *testing.T) {
	a, _ := testAuthority(t)
	_, err := a.issue(strings.Repeat("n", 63), strings.Repeat("a", 200), p256(t).Public(), time.Hour)
	if slug, _, _ := asRefusal(err); slug != "certificate-uri-long" {
		t.Errorf("%v", err)
	}
}

func BenchmarkIssue(b *testing.B) {
	key, err := pki.NewKey("ec-p256")
	if err != nil {
		b.Fatal(err)
	}
	root, err := newRoot("prod", time.Now())
	if err != nil {
		b.Fatal(err)
	}
	a := &authority{cluster: testCluster, life: 24 * time.Hour}
	if err := a.use(b.Context(), local{root}, "root"); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.issue("shop", "web", key.Public(), time.Hour); err != nil {
			b.Fatal(err)
		}
	}
}
