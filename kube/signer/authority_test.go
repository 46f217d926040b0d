package signer

import (
	"crypto/x509"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass.dev/pki"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func testRoot(t *testing.T, life time.Duration) pki.CA {
	t.Helper()
	root, err := pki.NewRoot(p256(t), caName("daypass root", "prod"), life, noon)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func testAuthority(t *testing.T) (*authority, pki.CA) {
	t.Helper()
	a, root := &authority{cluster: testCluster, life: 24 * time.Hour}, testRoot(t, rootLife)
	if err := a.use(root, noon); err != nil {
		t.Fatal(err)
	}
	return a, root
}

// What is issued breaks no rule of Roles Anywhere's, under the root alone.
func TestWhatIsIssued(t *testing.T) {
	a, root := testAuthority(t)
	key := p256(t)
	got, err := a.issue("shop", "web", key.Public(), 30*time.Hour, noon)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := pki.ParseCertificates(got.chain)
	if err != nil || len(chain) != 2 {
		t.Fatalf("%d certificates, %v", len(chain), err)
	}
	for _, f := range pki.Check(pki.Evidence{Leaf: chain[0], Key: key.Public(), Intermediates: chain[1:], Anchors: []*x509.Certificate{root.Certificate}}, noon) {
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
	if back := noon.Sub(leaf.NotBefore); back <= 0 || back > 4*time.Minute {
		t.Errorf("begins %s back", back)
	}
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life != 24*time.Hour {
		t.Errorf("lives %s, the setting says 24h", life)
	}
	issuing := chain[1]
	if life := issuing.NotAfter.Sub(noon); life > issuingLife || !issuing.MaxPathLenZero || !issuing.IsCA {
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
			now := noon.Add(123456789 * time.Nanosecond)
			got, err := a.issue("shop", "web", key, life, now)
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

func TestTheIssuingCAIsMadeAnew(t *testing.T) {
	a, root := testAuthority(t)
	first, err := a.current(noon)
	if err != nil {
		t.Fatal(err)
	}
	if c, _ := a.current(noon.Add(3 * 24 * time.Hour)); !c.Certificate.Equal(first.Certificate) {
		t.Error("made anew before half its life")
	}
	second, err := a.current(noon.Add(4 * 24 * time.Hour))
	if err != nil || second.Certificate.Equal(first.Certificate) {
		t.Errorf("still the same after half its life: %v", err)
	}
	if err := a.use(root, noon); err != nil {
		t.Fatal(err)
	}
	if c, _ := a.current(noon.Add(4 * 24 * time.Hour)); !c.Certificate.Equal(second.Certificate) {
		t.Error("made anew for the same root")
	}
	if err := a.use(testRoot(t, rootLife), noon.Add(4*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if c, _ := a.current(noon.Add(4 * 24 * time.Hour)); c.Certificate.Equal(second.Certificate) {
		t.Error("another root, the same issuing CA")
	}
}

func TestARootThatEnds(t *testing.T) {
	a := &authority{cluster: testCluster, life: 24 * time.Hour}
	if _, err := a.issue("shop", "web", p256(t).Public(), time.Hour, noon); err != errNoRoot {
		t.Errorf("without a root: %v", err)
	}
	root := testRoot(t, 5*time.Hour)
	if err := a.use(root, noon); err != nil {
		t.Fatal(err)
	}
	got, err := a.issue("shop", "web", p256(t).Public(), 24*time.Hour, noon.Add(time.Hour))
	if err != nil || got.leaf.NotAfter.After(root.Certificate.NotAfter) {
		t.Errorf("%v, ends %s after the root", err, got.leaf.NotAfter.Sub(root.Certificate.NotAfter))
	}
	_, err = a.issue("shop", "web", p256(t).Public(), 24*time.Hour, noon.Add(6*time.Hour))
	if _, _, refused := asRefusal(err); err == nil || refused {
		t.Errorf("under a root that has ended: %v; it is to be no refusal of who asks", err)
	}
	if err := a.use(testRoot(t, rootLife), noon.Add(6*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err = a.issue("shop", "web", p256(t).Public(), 24*time.Hour, noon.Add(6*time.Hour)); err != nil {
		t.Errorf("after the change of root: %v", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	a, _ := testAuthority(t)
	key := p256(t).Public()
	var wg sync.WaitGroup
	var mu sync.Mutex
	serials := map[string]bool{}
	for range 100 {
		wg.Go(func() {
			got, err := a.issue("shop", "web", key, time.Hour, noon)
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
	_, err := a.issue(strings.Repeat("n", 63), strings.Repeat("a", 200), p256(t).Public(), time.Hour, noon)
	if slug, _, _ := asRefusal(err); slug != "certificate-uri-long" {
		t.Errorf("%v", err)
	}
}

func BenchmarkIssue(b *testing.B) {
	key, err := pki.NewKey("ec-p256")
	if err != nil {
		b.Fatal(err)
	}
	root, err := newRoot("prod", noon)
	if err != nil {
		b.Fatal(err)
	}
	a := &authority{cluster: testCluster, life: 24 * time.Hour}
	if err := a.use(root, noon); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.issue("shop", "web", key.Public(), time.Hour, noon); err != nil {
			b.Fatal(err)
		}
	}
}
