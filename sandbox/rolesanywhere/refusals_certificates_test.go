package rolesanywhere_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/url"
	"strings"
	"time"

	"daypass.dev/sandbox/world"
)

const (
	second = time.Second
	minute = time.Minute
)

func (s *stage) useRSA(bits int) {
	s.key = rsaKey(s.t, bits)
	s.leaf = s.ca.issue(s.t, leafTemplate("alice"), s.key.Public())
}

func (s *stage) useP224() {
	s.key = ecKey(s.t, elliptic.P224())
	s.leaf = s.ca.issue(s.t, leafTemplate("alice"), s.key.Public())
}

func (s *stage) useEd25519() {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	s.key = key
	s.leaf = s.ca.issue(s.t, leafTemplate("alice"), public)
	s.sign = func(digest []byte) []byte { return ed25519.Sign(key, digest) }
}

// strange is a critical extension that nobody knows.
func strange() pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55555, 1}, Critical: true, Value: []byte{5, 0}}
}

func leafRows() map[string][]row {
	leaf := func(change func(*x509.Certificate)) func(*stage) {
		return func(s *stage) {
			template := leafTemplate("alice")
			change(template)
			s.certify(template)
		}
	}
	return map[string][]row{
		"leaf-is-anchor": {{"the CA itself", func(s *stage) { s.leaf, s.key = s.ca.cert, s.ca.key }}},
		"leaf-version": {{"openssl without extensions", func(s *stage) {
			s.key = ecKey(s.t, elliptic.P256())
			s.leaf = s.ca.issueV1(s.t, pkix.Name{CommonName: "alice"}, s.key.Public())
		}}},
		"leaf-ca": {{"CA:TRUE", leaf(func(c *x509.Certificate) { c.BasicConstraintsValid, c.IsCA = true, true })}},
		"leaf-key-usage": {
			{"absent", leaf(func(c *x509.Certificate) { c.KeyUsage = 0 })},
			{"keyEncipherment only", leaf(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment })},
		},
		"leaf-signature-algorithm": {{"SHA-1", leaf(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 })}},
		"leaf-subject-empty": {{"URI only", leaf(func(c *x509.Certificate) {
			c.Subject = pkix.Name{}
			c.URIs = []*url.URL{{Scheme: "spiffe", Host: "td", Path: "/ns/a/sa/b"}}
		})}},
		"leaf-serial": {{"21 octets", leaf(func(c *x509.Certificate) { c.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 167) })}},
		"leaf-not-yet-valid": {{"a second too early", leaf(func(c *x509.Certificate) {
			c.NotBefore = noon.Add(30 * second)
		})}},
		"leaf-expired": {{"by a second", leaf(func(c *x509.Certificate) { c.NotAfter = noon.Add(-second) })}},
	}
}

func chainRows() map[string][]row {
	// root makes the anchor's CA anew, spoiled, and a leaf of it.
	root := func(change func(*x509.Certificate)) func(*stage) {
		return func(s *stage) {
			s.ca = newAuthority(s.t, "Test CA", change)
			s.holds(s.ca.cert)
			s.certify(leafTemplate("alice"))
		}
	}
	// middle puts a spoiled intermediate between the anchor and the leaf.
	middle := func(change func(*x509.Certificate)) func(*stage) {
		return func(s *stage) {
			ca := s.ca.below(s.t, "Middle CA", change)
			s.chain = append(s.chain, ca.cert)
			s.certifyBy(ca, leafTemplate("alice"))
		}
	}
	both := func(change func(*x509.Certificate)) []row {
		return []row{{"anchor", root(change)}, {"intermediate", middle(change)}}
	}
	return map[string][]row{
		"chain-issuer-missing": {
			{"another CA", func(s *stage) { s.holds(newAuthority(s.t, "Other CA", nil).cert) }},
			{"intermediate not sent", func(s *stage) { middle(nil)(s); s.chain = nil }},
			{"wrong intermediate sent", func(s *stage) {
				middle(nil)(s)
				s.chain = []*x509.Certificate{s.ca.below(s.t, "Third CA", nil).cert}
			}},
		},
		"chain-signature": {
			{"a CA made anew", func(s *stage) { s.holds(newAuthority(s.t, "Test CA", nil).cert) }},
			{"an intermediate made anew", func(s *stage) {
				middle(nil)(s)
				s.chain = []*x509.Certificate{s.ca.below(s.t, "Middle CA", nil).cert}
			}},
		},
		"ca-version": {
			{"anchor", func(s *stage) { s.holds(s.ca.issueV1(s.t, s.ca.cert.Subject, s.ca.key.Public())) }},
			{"intermediate", func(s *stage) {
				middle(nil)(s)
				s.chain = []*x509.Certificate{s.ca.issueV1(s.t, pkix.Name{CommonName: "Middle CA"}, s.middleKey())}
			}},
		},
		"ca-basic-constraints":   both(func(c *x509.Certificate) { c.IsCA = false; c.KeyUsage = x509.KeyUsageCertSign }),
		"ca-key-usage":           both(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }),
		"ca-signature-algorithm": both(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }),
		"ca-key-type": {
			{"RSA 1024", func(s *stage) { s.caWith(rsaKey(s.t, 1024)) }},
			{"P-224", func(s *stage) { s.caWith(ecKey(s.t, elliptic.P224())) }},
		},
		"ca-path-length": {{"pathlen 0 above an intermediate", func(s *stage) {
			root(func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true })(s)
			middle(nil)(s)
		}}},
		"ca-not-yet-valid": both(func(c *x509.Certificate) { c.NotBefore = noon.Add(minute) }),
		"ca-expired":       both(func(c *x509.Certificate) { c.NotAfter = noon.Add(-minute) }),
		"chain-critical-extension": {
			{"leaf", func(s *stage) {
				template := leafTemplate("alice")
				template.ExtraExtensions = []pkix.Extension{strange()}
				s.certify(template)
			}},
			{"intermediate", middle(func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{strange()} })},
		},
		"ca-name-constraints": {{"a URI outside", func(s *stage) {
			root(func(c *x509.Certificate) {
				c.PermittedDNSDomainsCritical, c.PermittedURIDomains = true, []string{"mine.example"}
			})(s)
			template := leafTemplate("alice")
			template.URIs = []*url.URL{{Scheme: "spiffe", Host: "theirs.example", Path: "/a"}}
			s.certify(template)
		}}},
		"anchor-region": {{"eu-west-1 in the ARN", func(s *stage) {
			s.query.Set("trustAnchorArn", strings.Replace(anchorARN, "us-east-1", "eu-west-1", 1))
		}}},
		"anchor-unknown": {
			{"another id", func(s *stage) { s.query.Set("trustAnchorArn", anchorARN+"0") }},
			{"another account", func(s *stage) {
				s.query.Set("trustAnchorArn", strings.Replace(anchorARN, account, "999999999999", 1))
			}},
		},
		"anchor-disabled":    {{"disabled", func(s *stage) { s.anchor.Disabled = true }}},
		"anchor-private-ca":  {{"none", func(s *stage) { s.anchor.Type = "AWS_ACM_PCA" }}, {"without a certificate", privateCA}, {"deleted", deletedCA}, {"elsewhere", foreignCA}},
		"anchor-bundle":      {{"no PEM", func(s *stage) { s.anchor.Bundle = "hello" }}, {"a key", func(s *stage) { s.anchor.Bundle = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" }}},
		"anchor-bundle-size": {{"three", func(s *stage) { s.holds(s.ca.cert, s.ca.cert, s.ca.cert) }}},
	}
}

// caWith makes the anchor's CA anew with a key.
func (s *stage) caWith(key crypto.Signer) {
	template := caTemplate("Test CA")
	s.ca = authority{issue(s.t, template, template, key.Public(), key), key}
	s.holds(s.ca.cert)
	s.certify(leafTemplate("alice"))
}

// middleKey is the public key of the intermediate that is sent.
func (s *stage) middleKey() any { return s.chain[0].PublicKey }

func revocationRows() map[string][]row {
	return map[string][]row{
		"crl-unreadable": {
			{"no CRL", func(s *stage) { s.imports([]byte("hello")) }},
			{"a certificate", func(s *stage) { s.imports([]byte(pemOf(s.ca.cert))) }},
		},
		"crl-signature": {{"of another key", func(s *stage) {
			s.imports(s.ca.crl(s.t, newAuthority(s.t, "Other CA", nil).key, s.leaf.SerialNumber))
		}}},
		"ca-crl-sign": {{"keyCertSign only", func(s *stage) {
			s.ca = newAuthority(s.t, "Test CA", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
			s.holds(s.ca.cert)
			s.certify(leafTemplate("alice"))
			s.imports(s.ca.crl(s.t, s.ca.key))
		}}},
		"certificate-revoked": {
			{"the leaf", func(s *stage) { s.imports(s.ca.crl(s.t, s.ca.key, s.leaf.SerialNumber)) }},
			{"the leaf, by a list that has expired", func(s *stage) {
				s.certify(longLived(leafTemplate("alice")))
				s.imports(s.ca.crl(s.t, s.ca.key, s.leaf.SerialNumber))
				s.world.Advance(2 * time.Hour)
				s.signedAt = noon.Add(2 * time.Hour)
			}},
			{"the intermediate", func(s *stage) {
				ca := s.ca.below(s.t, "Middle CA", nil)
				s.chain = append(s.chain, ca.cert)
				s.certifyBy(ca, leafTemplate("alice"))
				s.imports(s.ca.crl(s.t, s.ca.key, ca.cert.SerialNumber))
			}},
			{"the leaf, by the intermediate", func(s *stage) {
				ca := s.ca.below(s.t, "Middle CA", nil)
				s.chain = append(s.chain, ca.cert)
				s.certifyBy(ca, leafTemplate("alice"))
				s.imports(ca.crl(s.t, ca.key, s.leaf.SerialNumber))
			}},
		},
	}
}

func longLived(c *x509.Certificate) *x509.Certificate {
	c.NotAfter = noon.Add(12 * time.Hour)
	return c
}

// imports puts a revocation list into the world as it is, past all checks of
// ImportCrl.
func (s *stage) imports(data []byte) *world.CRL {
	id := world.NewUUID()
	list := &world.CRL{
		ID: id, ARN: "arn:aws:rolesanywhere:us-east-1:" + account + ":crl/" + id, Region: "us-east-1",
		Name: "list", AnchorARN: anchorARN, Data: data,
	}
	s.world.Account(account).CRLs[id] = list
	return list
}

// privateCA makes the anchor one of a private CA that has no certificate yet.
func privateCA(s *stage) {
	ca := &world.PrivateCA{ID: "ca", ARN: "arn:aws:acm-pca:us-east-1:" + account + ":certificate-authority/ca", Region: "us-east-1"}
	s.world.Account(account).PrivateCAs["ca"] = ca
	s.anchor.Type, s.anchor.PrivateCA = "AWS_ACM_PCA", ca.ARN
}

func deletedCA(s *stage) {
	privateCA(s)
	ca := s.world.Account(account).PrivateCAs["ca"]
	ca.Certificate, ca.Removed = pemOf(s.ca.cert), noon
}

func foreignCA(s *stage) {
	privateCA(s)
	ca := s.world.Account(account).PrivateCAs["ca"]
	ca.Certificate, ca.Region = pemOf(s.ca.cert), "eu-west-1"
}
