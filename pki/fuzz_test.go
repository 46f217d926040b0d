package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"testing"
)

// FuzzRequest: whatever is sent as a request yields a key that may be
// certified, or a refusal; never a panic.
func FuzzRequest(f *testing.F) {
	for _, data := range [][]byte{
		request(p256(), nil), request(rsa2048(), nil), request(p256(), extension(oidBasicConstraints, isCA{true, 3})), corrupted(),
	} {
		block, _ := pem.Decode(data)
		f.Add(block.Bytes)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !bytes.HasPrefix(data, []byte("-----")) {
			data = pem.EncodeToMemory(&pem.Block{Type: blockRequest, Bytes: data})
		}
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
	for _, row := range slices.Concat(chainRows(), nameRows()) {
		var der []byte
		for _, c := range slices.Concat([]*x509.Certificate{row.e.Leaf}, row.e.Intermediates, row.e.Anchors) {
			der = append(der, c.Raw...)
		}
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		list, err := x509.ParseCertificates(der)
		if err != nil || len(list) == 0 || len(list) > maxCertificates {
			return
		}
		var bundle []byte
		for _, c := range list {
			bundle = append(bundle, EncodeCertificate(c)...)
		}
		if again, err := ParseCertificates(bundle); err != nil || len(again) != len(list) {
			t.Fatalf("%d of %d certificates read again: %v", len(again), len(list), err)
		}
		last := len(list) - 1
		findings := Check(Evidence{Leaf: list[0], Intermediates: list[1:], Anchors: list[last:], Bundle: bundle}, noon)
		if len(findings) < len(rules()) {
			t.Fatalf("%d findings from %d rules", len(findings), len(rules()))
		}
		_, _ = TrustPolicy(list[0], "")
	})
}

// FuzzPEM: any text is read or refused.
func FuzzPEM(f *testing.F) {
	f.Add(EncodeCertificate(root("ca", nil).cert))
	f.Add(must(EncodeKey(p256())))
	f.Fuzz(func(t *testing.T, data []byte) {
		if list, err := ParseCertificates(data); (len(list) == 0) == (err == nil) {
			t.Fatalf("%d certificates, error %v", len(list), err)
		}
		if key, err := ParseKey(data); (key == nil) == (err == nil) {
			t.Fatalf("key %v, error %v", key != nil, err)
		}
	})
}
