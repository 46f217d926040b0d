package main

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"time"
)

// oldCertificate is the outline of a certificate of version 1, which
// x509.CreateCertificate does not make.
type oldCertificate struct {
	Serial    *big.Int
	Algorithm pkix.AlgorithmIdentifier
	Issuer    asn1.RawValue
	Validity  struct{ NotBefore, NotAfter time.Time }
	Subject   asn1.RawValue
	Key       asn1.RawValue
}

// issueV1 has the scene's CA sign a certificate without extensions, as openssl
// x509 -req does when it is given none.
func (s *scene) issueV1(subject pkix.Name, public crypto.PublicKey) *x509.Certificate {
	s.t.Helper()
	name, err := asn1.Marshal(subject.ToRDNSequence())
	s.must(err)
	key, err := x509.MarshalPKIXPublicKey(public)
	s.must(err)
	algorithm := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}} // ecdsa-with-SHA256
	inner := oldCertificate{
		Serial: big.NewInt(7), Algorithm: algorithm, Issuer: asn1.RawValue{FullBytes: s.ca.cert.RawSubject},
		Subject: asn1.RawValue{FullBytes: name}, Key: asn1.RawValue{FullBytes: key},
	}
	inner.Validity.NotBefore, inner.Validity.NotAfter = sceneTime.Add(-time.Hour), sceneTime.Add(time.Hour)
	der, err := asn1.Marshal(inner)
	s.must(err)
	sum := sha256.Sum256(der)
	signature, err := s.ca.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	s.must(err)
	whole, err := asn1.Marshal(struct {
		Inner     asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: der}, algorithm, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
	s.must(err)
	c, err := x509.ParseCertificate(whole)
	s.must(err)
	return c
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}
