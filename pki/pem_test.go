package pki

import (
	"bytes"
	"encoding/pem"
	"strings"
	"testing"
)

func TestParseCertificates(t *testing.T) {
	ca := root("ca", nil)
	leaf := ca.leaf(nil)
	key := must(EncodeKey(leaf.key))
	one, two := EncodeCertificate(leaf.cert), EncodeCertificate(ca.cert)
	for _, row := range []struct {
		name  string
		data  []byte
		count int
		err   string
	}{
		{"one", one, 1, ""},
		{"two with text and a key between", bytes.Join([][]byte{one, key, []byte("subject: ca\n"), two}, nil), 2, ""},
		{"nothing", nil, 0, "no PEM block"},
		{"a key", key, 0, "no PEM block"},
		{"DER", leaf.cert.Raw, 0, "DER"},
		{"a damaged second", append(one[:len(one):len(one)], pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})...), 0, "certificate 2"},
		{"a first whose PEM text is damaged", append(bytes.Replace(one, []byte("MII"), []byte("M*I"), 1), two...), 0, "1 certificate of 2"},
		{"a first that is cut off", append(one[:200:200], two...), 0, "damaged"},
		{"51", bytes.Repeat(one, 51), 0, "more than 50"},
	} {
		got, err := ParseCertificates(row.data)
		switch {
		case row.err == "" && (err != nil || len(got) != row.count):
			t.Errorf("%s: %d certificates, %v", row.name, len(got), err)
		case row.err != "" && (err == nil || !strings.Contains(err.Error(), row.err)):
			t.Errorf("%s: %v, want %s", row.name, err, row.err)
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	for name, data := range map[string][]byte{
		"nothing":       nil,
		"a certificate": EncodeCertificate(root("ca", nil).cert),
		"nonsense":      pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("PLANTED-SECRET")}),
		"EC nonsense":   pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("PLANTED-SECRET")}),
		"RSA nonsense":  pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte("PLANTED-SECRET")}),
	} {
		key, err := ParseKey(data)
		if err == nil || key != nil || strings.Contains(err.Error(), "PLANTED") {
			t.Errorf("%s: %v, %v", name, key, err)
		}
	}
}
