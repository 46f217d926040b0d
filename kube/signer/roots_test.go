package signer

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"daypass.dev/pki"
)

func never(*x509.Certificate) time.Time { return time.Time{} }

// names of the roots, or "-".
func (r Roots) String() string {
	var all []string
	for _, c := range []*x509.Certificate{r.Current.Certificate, r.Next.Certificate, r.Old} {
		all = append(all, name(c)+"-")
	}
	return strings.Join(all, " ")
}

// through writes and reads r, as a Secret that the API server has kept.
func through(t *testing.T, r Roots) Roots {
	t.Helper()
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "daypass", Name: "root"}}
	if err := writeRoots(s, r); err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var kept corev1.Secret
	if err := yaml.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	got, err := readRoots(&kept)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(kept.Data[keyTrust]), "PRIVATE") || strings.Contains(string(kept.Data[keyOld]), "PRIVATE") {
		t.Error("a key among what is to be trusted")
	}
	if got.String() != r.String() || !got.OldUntil.Equal(r.OldUntil) || got.LeafLife != r.LeafLife {
		t.Errorf("wrote %s until %s, life %s, read %s until %s, life %s", r, r.OldUntil, r.LeafLife, got, got.OldUntil, got.LeafLife)
	}
	return got
}

func TestTheLifeOfRoots(t *testing.T) {
	now, r := noon, Roots{}
	step := func(order string, seen func(*x509.Certificate) time.Time) bool {
		t.Helper()
		next, changed, err := r.advance(order, "prod", 24*time.Hour, seen, now)
		if err != nil {
			t.Fatal(err)
		}
		if r = through(t, next); len(r.Trust()) > 2 {
			t.Errorf("%d roots to trust: a trust anchor takes 2", len(r.Trust()))
		}
		return changed
	}
	if !step("", never) || r.Current.Certificate == nil {
		t.Fatal("no root is made")
	}
	first := r.Current.Certificate
	if step("", never) || step(orderChange, never) || step("nonsense", never) || !r.Current.Certificate.Equal(first) {
		t.Error("something is changed that nobody asked for, or that is not prepared")
	}
	if !step(orderPrepare, never) || r.Next.Certificate == nil || !r.Current.Certificate.Equal(first) {
		t.Fatalf("not prepared: %s", r)
	}
	second := r.Next.Certificate
	if step(orderPrepare, never) {
		t.Error("prepared twice")
	}
	if !step(orderChange, never) || !r.Current.Certificate.Equal(second) || !r.Old.Equal(first) || r.Next.Certificate != nil {
		t.Fatalf("not changed: %s", r)
	}
	if until := r.OldUntil.Sub(now); until < 24*time.Hour {
		t.Errorf("the old root is trusted for %s more, leaves live 24h", until)
	}
	if step(orderChange, never) {
		t.Error("changed twice")
	}
	if _, _, err := r.advance(orderPrepare, "prod", 24*time.Hour, never, now); err != ErrOldRoot {
		t.Errorf("a third root: %v", err)
	}
	now = r.OldUntil.Add(-time.Second)
	if step("", never) || r.Old == nil {
		t.Error("the old root goes too soon")
	}
	late := r.OldUntil.Add(time.Hour)
	if !step("", func(c *x509.Certificate) time.Time { return late }) || !r.OldUntil.Equal(late) {
		t.Error("a later leaf does not keep the old root")
	}
	now = late.Add(time.Second)
	if !step("", func(c *x509.Certificate) time.Time { return late }) || r.Old != nil || !r.OldUntil.IsZero() {
		t.Errorf("the old root stays: %s", r)
	}
	if !step(orderPrepare, never) || r.Next.Certificate == nil {
		t.Error("no second change")
	}
}

// Whoever lowers the life of leaves and changes the root then waits for those
// that were signed before, and for a Secret that does not tell, for the longest
// that there may be.
func TestTheOldRootOutlastsItsLongestLeaves(t *testing.T) {
	for name, row := range map[string]struct {
		lives  []time.Duration // before the change, one restart each
		forget bool
		want   time.Duration
	}{
		"the same":         {lives: []time.Duration{time.Hour}, want: time.Hour},
		"lowered":          {lives: []time.Duration{72 * time.Hour, time.Hour}, want: 72 * time.Hour},
		"raised":           {lives: []time.Duration{time.Hour, 24 * time.Hour}, want: 24 * time.Hour},
		"up and down":      {lives: []time.Duration{time.Hour, 24 * time.Hour, 2 * time.Hour}, want: 24 * time.Hour},
		"of a signer past": {lives: []time.Duration{time.Hour}, forget: true, want: 72 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			var r Roots
			var life time.Duration
			step := func(order string) {
				t.Helper()
				next, _, err := r.advance(order, "prod", life, never, noon)
				if err != nil {
					t.Fatal(err)
				}
				r = through(t, next)
			}
			for _, life = range row.lives {
				step("")
			}
			if row.forget {
				s := &corev1.Secret{}
				if err := writeRoots(s, r); err != nil {
					t.Fatal(err)
				}
				s.Annotations = nil
				var err error
				if r, err = readRoots(s); err != nil {
					t.Fatal(err)
				}
			}
			step(orderPrepare)
			step(orderChange)
			if got := r.OldUntil.Sub(noon); got != row.want+lag {
				t.Errorf("the old root is trusted for %s, want %s", got, row.want+lag)
			}
			if r.LeafLife != life {
				t.Errorf("the new root's leaves live %s, want %s", r.LeafLife, life)
			}
		})
	}
}

// Leaves of both roots are good as long as both are trusted, whoever signs.
func TestLeavesOfBothRootsAreGoodMeanwhile(t *testing.T) {
	now := time.Now()
	r, _, err := Roots{}.advance("", "prod", time.Hour, never, now)
	if err != nil {
		t.Fatal(err)
	}
	if r, _, err = r.advance(orderPrepare, "prod", time.Hour, never, now); err != nil {
		t.Fatal(err)
	}
	a := &authority{cluster: testCluster, life: time.Hour}
	anchors := r.Trust()
	for range 2 {
		a.take(t, r.Current)
		key := p256(t)
		got, err := a.issue("shop", "web", key.Public(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		chain, err := pki.ParseCertificates(got.chain)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range pki.Check(pki.Evidence{Leaf: chain[0], Key: key.Public(), Intermediates: chain[1:], Anchors: anchors, Bundle: []byte(r.TrustPEM())}, now) {
			if f.Verdict == pki.Fail {
				t.Errorf("%s on %s: %s", f.Rule, f.On, f.Detail)
			}
		}
		if r, _, err = r.advance(orderChange, "prod", time.Hour, never, now); err != nil {
			t.Fatal(err)
		}
	}
}

// What is damaged is named and never shown, and never taken for an empty one.
func TestADamagedSecretIsNotReplaced(t *testing.T) {
	r, _, err := Roots{}.advance("", "prod", time.Hour, never, noon)
	if err != nil {
		t.Fatal(err)
	}
	other, err := newRoot("prod", noon)
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.EncodeKey(other.Signer)
	if err != nil {
		t.Fatal(err)
	}
	for what, data := range map[string]map[string][]byte{
		"no PEM":              {keyRoot: []byte("planted-secret")},
		"no key":              {keyRoot: pki.EncodeCertificate(r.Current.Certificate)},
		"no certificate":      {keyRoot: key},
		"another's key":       {keyRoot: append(pki.EncodeCertificate(r.Current.Certificate), key...)},
		"next damaged":        {keyNext: []byte("planted-secret")},
		"old damaged":         {keyOld: []byte("planted-secret")},
		"old without its end": {keyOld: pki.EncodeCertificate(r.Current.Certificate)},
	} {
		_, err := readRoots(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "root"}, Data: data})
		if err == nil {
			t.Errorf("%s: is taken", what)
			continue
		}
		if !strings.Contains(err.Error(), "Secret root") || strings.Contains(err.Error(), "planted") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func FuzzRootSecret(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := readRoots(&corev1.Secret{Data: map[string][]byte{keyRoot: text}})
		if err == nil && len(text) > 0 && r.Current.Signer == nil {
			t.Error("a root without a key")
		}
	})
}
