package pki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"testing"
	"time"
)

func issuing(t *testing.T) (root, below CA) {
	t.Helper()
	root, err := NewRoot(p256(), pkix.Name{CommonName: "root"}, 365*24*time.Hour, noon)
	if err != nil {
		t.Fatal(err)
	}
	key, err := NewKey("ec-p256")
	if err != nil {
		t.Fatal(err)
	}
	below, err = root.IssueCA(key, pkix.Name{CommonName: "issuing"}, 90*24*time.Hour, noon)
	if err != nil {
		t.Fatal(err)
	}
	return root, below
}

func TestALeafOfASubordinateBreaksNoRule(t *testing.T) {
	root, below := issuing(t)
	key := p256()
	leaf := testLeaf(key.Public())
	leaf.NotBefore = noon.Add(-2 * time.Minute)
	c, err := below.Issue(leaf, noon)
	if err != nil {
		t.Fatal(err)
	}
	if !c.NotBefore.Equal(leaf.NotBefore) {
		t.Errorf("begins at %s", c.NotBefore)
	}
	e := Evidence{Leaf: c, Key: key.Public(), Intermediates: []*x509.Certificate{below.Certificate}, Anchors: []*x509.Certificate{root.Certificate}}
	for _, f := range Check(e, noon) {
		if f.Verdict != Pass && f.Verdict != Skip {
			t.Errorf("%s on %s: %s: %s", f.Rule, f.On, f.Verdict, f.Detail)
		}
	}
	pool, middle := x509.NewCertPool(), x509.NewCertPool()
	pool.AddCert(root.Certificate)
	middle.AddCert(below.Certificate)
	if _, err := c.Verify(x509.VerifyOptions{Roots: pool, Intermediates: middle, CurrentTime: noon, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
}

func TestWhoMaySignCAs(t *testing.T) {
	root, below := issuing(t)
	for name, row := range map[string]struct {
		ca   CA
		life time.Duration
		slug string
	}{
		"a CA for leaves":      {newTestCA(t), time.Hour, "ca-path-length"},
		"a subordinate":        {below, time.Hour, "ca-path-length"},
		"longer than the root": {root, 366 * 24 * time.Hour, "request-lifetime"},
		"no life":              {root, 0, "request-lifetime"},
		"another's key":        {CA{Certificate: root.Certificate, Signer: below.Signer}, time.Hour, "key-mismatch"},
	} {
		_, err := row.ca.IssueCA(p256(), pkix.Name{CommonName: "below"}, row.life, noon)
		var refused *RefusedError
		if !errors.As(err, &refused) || refused.Slug != row.slug {
			t.Errorf("%s: %v, want %s", name, err, row.slug)
		}
	}
}
