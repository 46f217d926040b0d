package signer

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	certs "k8s.io/api/certificates/v1"
)

// What any replica has issued is seen as it comes by, and an old root's end is
// shown no sooner than the Secret says; only what was seen keeps the root.
func TestTheEndOfTheLastLeaf(t *testing.T) {
	registry := prometheus.NewRegistry()
	m, err := newMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	shown := func(root string) (at float64) {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, v := range f.GetMetric() {
				if f.GetName() == "daypass_signer_last_leaf_end_timestamp_seconds" && v.GetLabel()[0].GetValue() == root {
					at = v.GetGauge().GetValue()
				}
			}
		}
		return at
	}
	a, root := testAuthority(t)
	var last time.Time
	for _, life := range []time.Duration{3 * time.Hour, 5 * time.Hour, time.Hour} {
		got, err := a.issue("shop", "web", p256(t).Public(), life)
		if err != nil {
			t.Fatal(err)
		}
		r := &certs.PodCertificateRequest{Status: certs.PodCertificateRequestStatus{CertificateChain: string(got.chain)}}
		if _, err := m.watched(r); err != nil || r.Status.CertificateChain != "seen" {
			t.Errorf("%q kept, %v", r.Status.CertificateChain, err)
		}
		if got.leaf.NotAfter.After(last) {
			last = got.leaf.NotAfter
		}
	}
	label := name(root.Certificate)
	if at := shown(label); at != float64(last.Unix()) || !m.lastLeaf(label).Equal(last) {
		t.Errorf("shown %v, the last leaf ends at %v", at, last.Unix())
	}
	m.roots(Roots{Current: testRoot(t, time.Hour), Old: root.Certificate, OldUntil: last.Add(time.Hour)})
	if at := shown(label); at != float64(last.Add(time.Hour).Unix()) || !m.lastLeaf(label).Equal(last) {
		t.Errorf("shown %v, the Secret says %v", at, last.Add(time.Hour).Unix())
	}
	if _, err := m.watched(&certs.CertificateSigningRequest{Status: certs.CertificateSigningRequestStatus{Certificate: []byte("no PEM")}}); err != nil {
		t.Error(err)
	}
}
