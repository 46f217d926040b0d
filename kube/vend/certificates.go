package vend

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	random "math/rand/v2"
	"net/url"
	"sync"
	"time"

	"daypass.dev/kube/identity"
	"daypass.dev/proof"
)

// Certificates hold a key and its certificate for each ServiceAccount that has
// pods on this node, as long as a Vendor has use for it, in memory and nowhere
// else. They belong to one Vendor, are safe for concurrent use and must not be
// copied after use.
type Certificates struct {
	// Sign has the cluster's signer sign a request, PEM PKCS#10, and returns the
	// leaf and what stands between it and the root, in PEM.
	Sign func(ctx context.Context, request []byte) ([]byte, error)

	mu  sync.Mutex
	all map[string]*certificate // :: SPIFFE ID
}

// A certificate is a proof.KeySource of one ServiceAccount.
type certificate struct {
	names identity.CertificateNames
	sign  func(context.Context, []byte) ([]byte, error)

	turn chan struct{} // held while a request is under way

	mu   sync.Mutex
	key  *proof.Key
	used *proof.Key    // when last asked
	due  time.Time     // when the next is asked for
	wait time.Duration // after the latest try, if that failed
}

// A new certificate that was refused is asked for again after a minute, and then
// less and less often.
const firstWait, lastWait = time.Minute, 10 * time.Minute

func (c *Certificates) of(names identity.CertificateNames) *certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.all[names.URI]
	if one == nil {
		one = &certificate{names: names, sign: c.Sign, turn: make(chan struct{}, 1)}
		if c.all == nil {
			c.all = map[string]*certificate{}
		}
		c.all[names.URI] = one
	}
	return one
}

// keep drops all that are not among used.
func (c *Certificates) keep(used map[*certificate]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.all, func(_ string, one *certificate) bool { return !used[one] })
}

// Key implements proof.KeySource. After 30 to 70 % of the certificate's life, at
// random, so that those who began together do not ask together, a new one is
// asked for; where that fails the old one serves as long as it lasts, and the
// signer is left alone for a while.
func (c *certificate) Key(ctx context.Context) (*proof.Key, error) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-c.turn }()
	key, due := c.current()
	lives := key != nil && time.Now().Before(key.Leaf.NotAfter)
	if lives && time.Now().Before(due) {
		return c.use(key), nil
	}
	next, err := c.make(ctx)
	if err == nil {
		return c.use(next), nil
	}
	c.postpone()
	if lives {
		return c.use(key), nil
	}
	return nil, err
}

func (c *certificate) current() (*proof.Key, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.key, c.due
}

func (c *certificate) use(key *proof.Key) *proof.Key {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.key != key {
		life := key.Leaf.NotAfter.Sub(key.Leaf.NotBefore)
		c.due = key.Leaf.NotBefore.Add(time.Duration((0.3 + 0.4*random.Float64()) * float64(life)))
		c.wait = 0
	}
	c.key, c.used = key, key
	return key
}

// postpone puts off the next try after one that failed: what is due is a change,
// and who waits for one would ask AWS and the signer each second.
func (c *certificate) postpone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wait = min(max(2*c.wait, firstWait), lastWait)
	c.due = time.Now().Add(c.wait)
}

// changed tells whether another certificate would be shown than the one last
// used.
func (c *certificate) changed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.key != c.used || c.key != nil && !time.Now().Before(c.due)
}

// make asks the signer for a certificate of a new key.
func (c *certificate) make(ctx context.Context) (*proof.Key, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	request, err := request(c.names, key)
	if err != nil {
		return nil, fmt.Errorf("asking for a certificate of %s: %w", c.names.CommonName, err)
	}
	text, err := c.sign(ctx, request)
	if err != nil {
		return nil, fmt.Errorf("asking for a certificate of %s: %w", c.names.CommonName, err)
	}
	return read(text, key)
}

// request is a PKCS#10 for exactly these names.
func request(names identity.CertificateNames, key crypto.Signer) ([]byte, error) {
	uri, err := url.Parse(names.URI)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{
			CommonName: names.CommonName, Organization: []string{names.Organization}, OrganizationalUnit: []string{names.OrganizationUnit},
		},
		URIs: []*url.URL{uri},
	}, key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

// read takes what the signer gave, if it is for the key.
func read(text []byte, key *ecdsa.PrivateKey) (*proof.Key, error) {
	var chain []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if block.Type != "CERTIFICATE" || err != nil {
			return nil, errors.New("the signer's answer holds what is no certificate")
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 || !key.PublicKey.Equal(chain[0].PublicKey) {
		return nil, errors.New("the signer's certificate is for another key")
	}
	k := &proof.Key{Signer: key, Leaf: chain[0]}
	for _, c := range chain[1:] {
		if !bytes.Equal(c.RawSubject, c.RawIssuer) { // a root is left out
			k.Chain = append(k.Chain, c)
		}
	}
	return k, nil
}
