package pki

import (
	"crypto/x509"
	"slices"
	"testing"
)

// FuzzRequest: whatever is sent as a request yields a key that may be
// certified, or a refusal; never a panic.
func FuzzRequest(f *testing.F) {
	f.Add(request(p256(), nil))
	f.Add(request(rsa2048(), nil))
	f.Add(request(p256(), extension(oidBasicConstraints, isCA{true, 3})))
	f.Add(corrupted())
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := RequestKey(data)
		if (key == nil) == (err == nil) {
			t.Fatalf("key %v, error %v", key, err)
		}
		if err == nil {
			if err := checkKey(key); err != nil {
				t.Fatalf("a key came through that is refused: %v", err)
			}
		}
	})
}

// FuzzCheck: any certificates can be examined, as leaf, anchor and
// intermediates, and every rule has its say.
func FuzzCheck(f *testing.F) {
	var all []byte
	for _, row := range slices.Concat(chainRows(), nameRows()) {
		var data []byte
		for _, c := range slices.Concat([]*x509.Certificate{row.e.Leaf}, row.e.Intermediates, row.e.Anchors) {
			data = append(data, EncodeCertificate(c)...)
		}
		f.Add(data)
		all = append(all, data...)
	}
	f.Add(all)
	f.Add(must(EncodeKey(p256())))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = ParseKey(data)
		list, err := ParseCertificates(data)
		if err != nil {
			return
		}
		last := len(list) - 1
		findings := Check(Evidence{Leaf: list[0], Intermediates: list[1:], Anchors: list[last:], Bundle: data}, noon)
		if len(findings) < len(rules()) {
			t.Fatalf("%d findings from %d rules", len(findings), len(rules()))
		}
		_, _ = TrustPolicy(list[0], "")
	})
}
