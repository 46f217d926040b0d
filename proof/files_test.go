package proof

import (
	"context"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKeyForms(t *testing.T) {
	ec := ecKey(t, elliptic.P256())
	p256 := issue(t, "p256", ec, nil, start)
	p384 := issue(t, "p384", ecKey(t, elliptic.P384()), nil, start)
	p521 := issue(t, "p521", ecKey(t, elliptic.P521()), nil, start)
	rk := rsaKey(t)
	rsa := issue(t, "rsa", rk, nil, start)
	parameters := block("EC PARAMETERS", []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}) // as openssl ecparam -genkey writes it
	sec1 := block("EC PRIVATE KEY", sec1DER(t, ec))
	crlf := strings.NewReplacer("\n", "\r\n")

	for name, c := range map[string]struct {
		want      pair
		cert, key string
	}{
		"PKCS#8, RSA":                  {rsa, rsa.certPEM(), rsa.keyPEM(t)},
		"PKCS#8, P-256":                {p256, p256.certPEM(), p256.keyPEM(t)},
		"PKCS#8, P-384":                {p384, p384.certPEM(), p384.keyPEM(t)},
		"PKCS#8, P-521":                {p521, p521.certPEM(), p521.keyPEM(t)},
		"PKCS#1":                       {rsa, rsa.certPEM(), block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rk))},
		"SEC 1":                        {p256, p256.certPEM(), sec1},
		"SEC 1 after parameters":       {p256, p256.certPEM(), parameters + sec1},
		"one file":                     {p256, p256.certPEM() + p256.keyPEM(t), ""},
		"one file, key first":          {p256, p256.keyPEM(t) + p256.certPEM(), ""},
		"text before and between":      {p256, "Bag Attributes\n    friendlyName: x\n" + p256.certPEM() + "\nmore\n" + p256.keyPEM(t) + "end\n", ""},
		"CRLF":                         {p256, crlf.Replace(p256.certPEM()), crlf.Replace(p256.keyPEM(t))},
		"byte order mark":              {p256, "\xef\xbb\xbf" + p256.certPEM(), p256.keyPEM(t)},
		"no newline at the end":        {p256, strings.TrimSpace(p256.certPEM()), strings.TrimSpace(p256.keyPEM(t))},
		"another key beside the chain": {p256, p256.certPEM() + rsa.keyPEM(t), p256.keyPEM(t)},
		"key file is the certificate's, too, and holds both": {p256, p256.certPEM(), p256.certPEM() + p256.keyPEM(t)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := files(t, c.cert, c.key).Key(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if !got.Leaf.Equal(c.want.cert) {
				t.Errorf("leaf is %s", got.Leaf.Subject)
			}
			if !matches(got) {
				t.Error("the signer is not the leaf's")
			}
		})
	}
}

func matches(k *Key) bool {
	return leafOf([]*x509.Certificate{k.Leaf}, k.Signer) != nil
}

func TestLeafAndChain(t *testing.T) {
	root := newPair(t, "root", nil)
	outer := newPair(t, "outer", &root)
	inner := newPair(t, "inner", &outer)
	leaf := newPair(t, "leaf", &inner)
	later := issue(t, "later", leaf.key, &inner, start.AddDate(2, 0, 0))
	parameters := block("DH PARAMETERS", []byte{0x30, 0})

	for name, c := range map[string]struct {
		cert, more string
		leaf       string
		chain      []string
	}{
		"leaf alone":                    {leaf.certPEM(), "", "leaf", nil},
		"in order":                      {leaf.certPEM() + inner.certPEM() + outer.certPEM() + root.certPEM(), "", "leaf", []string{"inner", "outer"}},
		"root first":                    {root.certPEM() + outer.certPEM() + inner.certPEM() + leaf.certPEM(), "", "leaf", []string{"outer", "inner"}},
		"chain in a file of its own":    {leaf.certPEM(), inner.certPEM() + outer.certPEM() + root.certPEM(), "leaf", []string{"inner", "outer"}},
		"both, some twice":              {leaf.certPEM() + inner.certPEM(), leaf.certPEM() + inner.certPEM() + outer.certPEM(), "leaf", []string{"inner", "outer"}},
		"other blocks in the bundle":    {parameters + leaf.certPEM(), parameters + inner.certPEM() + parameters, "leaf", []string{"inner"}},
		"renewed beside its forerunner": {leaf.certPEM() + later.certPEM() + inner.certPEM(), "", "later", []string{"inner"}},
		"forerunner after the renewed":  {later.certPEM() + inner.certPEM() + leaf.certPEM(), "", "later", []string{"inner"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := files(t, c.cert, leaf.keyPEM(t))
			if c.more != "" {
				f.Intermediates = put(t, filepath.Join(t.TempDir(), "more.pem"), c.more)
			}
			got, err := f.Key(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if cn := got.Leaf.Subject.CommonName; cn != c.leaf {
				t.Errorf("leaf is %s, want %s", cn, c.leaf)
			}
			var chain []string
			for _, x := range got.Chain {
				chain = append(chain, x.Subject.CommonName)
			}
			if diff := cmp.Diff(c.chain, chain); diff != "" {
				t.Errorf("chain (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSelfSignedLeafIsALeaf(t *testing.T) {
	own := newPair(t, "own", nil)
	got, err := files(t, own.certPEM(), own.keyPEM(t)).Key(context.Background())
	if err != nil || !got.Leaf.Equal(own.cert) || len(got.Chain) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestFingerprintIsOpenSSLs(t *testing.T) {
	// openssl x509 -in ../exchange/sigv4x509/testdata/deterministic-leaf.pem -noout -fingerprint -sha256
	const want = "06ab29cd2247bf5e1045302ae153021bf3dca15c5ce60fa8bd3a269ca9d261bb"
	b, _ := pem.Decode([]byte(readFile(t, "../exchange/sigv4x509/testdata/deterministic-leaf.pem")))
	leaf, err := x509.ParseCertificate(b.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if got := (&Key{Leaf: leaf}).Fingerprint(); got != want {
		t.Errorf("fingerprint is %s, want %s", got, want)
	}
}
