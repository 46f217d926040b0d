package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	_ "crypto/md5" // for resigned
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // for resigned
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/url"
	"sync"
	"testing"
	"time"
)

// noon is when all tests of rules take place.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// A forger makes certificates of any kind, right and wrong, without the code
// under test.
type forger struct {
	cert *x509.Certificate
	key  crypto.Signer
}

var rsa2048 = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func p256() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func serial() *big.Int { return must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))) }

// root makes a CA that breaks no rule, but for what change does.
func root(name string, change func(*x509.Certificate)) *forger {
	return (&forger{}).ca(name, p256(), change)
}

func caTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name},
		NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(1, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true, IsCA: true, MaxPathLen: -1,
	}
}

// ca makes a CA below f, or a root if f is empty.
func (f *forger) ca(name string, key crypto.Signer, change func(*x509.Certificate)) *forger {
	return f.issue(caTemplate(name), key, change)
}

// leaf makes a leaf below f that breaks no rule, but for what change does.
func (f *forger) leaf(change func(*x509.Certificate)) *forger {
	return f.issue(&x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "web"},
		NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(23 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}, p256(), change)
}

func (f *forger) issue(t *x509.Certificate, key crypto.Signer, change func(*x509.Certificate)) *forger {
	if change != nil {
		change(t)
	}
	parent, signer := f.cert, f.key
	if parent == nil {
		parent, signer = t, key
	}
	der := must(x509.CreateCertificate(rand.Reader, t, parent, key.Public(), signer))
	return &forger{must(x509.ParseCertificate(der)), key}
}

// tbs is a certificate's signed part, open for changes that Go does not make.
type tbs struct {
	Version    int `asn1:"optional,explicit,default:0,tag:0"`
	Serial     *big.Int
	Algorithm  pkix.AlgorithmIdentifier
	Issuer     asn1.RawValue
	Validity   asn1.RawValue
	Subject    asn1.RawValue
	PublicKey  asn1.RawValue
	Extensions []pkix.Extension `asn1:"omitempty,optional,explicit,tag:3"`
}

// resigned is f's certificate changed and signed anew by issuer's RSA key with
// that hash, or with a signature of nonsense if hash is zero.
func (f *forger) resigned(issuer *forger, oid asn1.ObjectIdentifier, hash crypto.Hash, change func(*tbs)) *forger {
	var t tbs
	must(asn1.Unmarshal(f.cert.RawTBSCertificate, &t))
	t.Algorithm = pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.NullRawValue}
	if change != nil {
		change(&t)
	}
	raw := must(asn1.Marshal(t))
	signature := []byte("nonsense")
	if hash != 0 {
		h := hash.New()
		h.Write(raw)
		signature = must(issuer.key.Sign(rand.Reader, h.Sum(nil), hash))
	}
	der := must(asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: raw}, t.Algorithm, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}}))
	return &forger{must(x509.ParseCertificate(der)), f.key}
}

var (
	oidMD5RSA    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 4}
	oidSHA1RSA   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 5}
	oidSHA256RSA = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidMLDSA65   = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 18}
	oidNobody    = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}
)

// mldsaKey is a public key that Go does not know.
func mldsaKey() asn1.RawValue {
	return asn1.RawValue{FullBytes: must(asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}{pkix.AlgorithmIdentifier{Algorithm: oidMLDSA65}, asn1.BitString{Bytes: make([]byte, 1952), BitLength: 8 * 1952}}))}
}

func uri(s string) *url.URL { return must(url.Parse(s)) }

// evidence is a leaf with its key under one anchor.
func evidence(leaf, anchor *forger) Evidence {
	return Evidence{Leaf: leaf.cert, Key: leaf.key.Public(), Anchors: []*x509.Certificate{anchor.cert},
		Bundle: EncodeCertificate(anchor.cert)}
}

func certs(list ...*forger) []*x509.Certificate {
	var all []*x509.Certificate
	for _, f := range list {
		all = append(all, f.cert)
	}
	return all
}

func TestTheForgersOwnCertificatesBreakNoRule(t *testing.T) {
	ca := root("ca", nil)
	for _, f := range Check(evidence(ca.leaf(nil), ca), noon) {
		if f.Verdict != Pass {
			t.Errorf("%s on %s: %s: %s", f.Rule, f.On, f.Verdict, f.Detail)
		}
	}
}

// bigOdd is an odd number of that many bits.
func bigOdd(bits uint) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return n.Add(n, big.NewInt(1))
}
