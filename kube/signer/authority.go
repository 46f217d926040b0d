package signer

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"daypass.dev/kube/identity"
	"daypass.dev/pki"
)

const (
	// backdate is for clocks that are behind ours: AWS's, and that of the API
	// server, which refuses where it is 5 minutes or more.
	backdate = 2 * time.Minute
	// issuingLife is the most that an issuing CA lives; it is made anew at half.
	issuingLife = 7 * 24 * time.Hour
	// soonestRefresh after issue that kubelets are told; Kubernetes allows 10
	// minutes after the certificate's begin.
	soonestRefresh = 10 * time.Minute
)

// A Root signs the replicas' issuing CAs, a few times in a week.
type Root interface {
	// IssueCA certifies key's public half as a CA that signs leaves, under this
	// name, for at most life. What it returns has the CAs above it, the root last.
	IssueCA(ctx context.Context, key crypto.Signer, name pkix.Name, life time.Duration) (pki.CA, error)
}

// Local is a Root of a CA whose key signs by itself.
func Local(ca pki.CA) Root { return local{ca} }

type local struct{ pki.CA }

func (l local) IssueCA(_ context.Context, key crypto.Signer, name pkix.Name, life time.Duration) (pki.CA, error) {
	now := time.Now()
	return l.CA.IssueCA(key, name, min(life, l.Certificate.NotAfter.Sub(now)), now)
}

// An authority signs leaves by an issuing CA that never leaves its memory.
type authority struct {
	cluster identity.Cluster
	life    time.Duration // the most that a leaf lives
	refresh time.Duration // after issue; 0: at 40 to 50 % of the leaf's life

	mu      sync.Mutex
	root    Root
	id      string // tells roots apart
	issuing pki.CA
}

// errNoRoot passes: the root is on its way.
var errNoRoot = errors.New("there is no root yet")

// use makes root, which id tells from others, the one that signs from now on,
// unless it is already. A root that signs nothing leaves the one before at work.
func (a *authority) use(ctx context.Context, root Root, id string) error {
	a.mu.Lock()
	there := a.id == id
	a.mu.Unlock()
	if there {
		return nil
	}
	issuing, err := newIssuing(ctx, root, a.cluster.Name)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.root, a.id, a.issuing = root, id, issuing
	return nil
}

// renew makes the issuing CA anew if half its life is over, so that no pod
// waits for that.
func (a *authority) renew(ctx context.Context) error {
	a.mu.Lock()
	root, id, c := a.root, a.id, a.issuing.Certificate
	a.mu.Unlock()
	if root == nil || time.Now().Before(c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore)/2)) {
		return nil
	}
	issuing, err := newIssuing(ctx, root, a.cluster.Name)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.id == id {
		a.issuing = issuing
	}
	return nil
}

// current is the issuing CA.
func (a *authority) current() (pki.CA, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.root == nil {
		return pki.CA{}, errNoRoot
	}
	if end := a.issuing.Certificate.NotAfter; !end.After(time.Now()) {
		return pki.CA{}, fmt.Errorf("the issuing CA ended on %s, and the root signs no other", end.UTC().Format(time.RFC3339))
	}
	return a.issuing, nil
}

func newIssuing(ctx context.Context, root Root, cluster string) (pki.CA, error) {
	key, err := pki.NewKey("ec-p256")
	if err != nil {
		return pki.CA{}, err
	}
	ca, err := root.IssueCA(ctx, key, caName("daypass signer", cluster), issuingLife)
	if err != nil {
		return pki.CA{}, fmt.Errorf("making the issuing CA: %v", err) // no refusal of who asks
	}
	return ca, nil
}

// caName is unique, since AWS finds a leaf's issuer by its name.
func caName(what, cluster string) pkix.Name {
	var random [6]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand aborts the program
	n := pkix.Name{CommonName: what + " " + hex.EncodeToString(random[:])}
	if len(cluster) <= 64 {
		n.Organization = []string{cluster}
	}
	return n
}

// An issued certificate is as PodCertificateRequests want it.
type issued struct {
	leaf    *x509.Certificate
	chain   []byte // PEM: the leaf, then its CAs but for the root
	refresh time.Time
}

// issue certifies a ServiceAccount's key for at most life, counted from the
// certificate's begin.
func (a *authority) issue(namespace, account string, key crypto.PublicKey, life time.Duration) (issued, error) {
	now := time.Now()
	names, err := a.cluster.Names(namespace, account)
	if err != nil {
		return issued{}, err
	}
	ca, err := a.current()
	if err != nil {
		return issued{}, err
	}
	begin := now.Add(-backdate).Truncate(time.Second)
	end := begin.Add(min(life, a.life))
	if end.After(ca.Certificate.NotAfter) {
		end = ca.Certificate.NotAfter
	}
	leaf, err := ca.Issue(pki.Leaf{
		Subject: subject(names), URI: names.URI, PublicKey: key, NotBefore: begin, Lifetime: end.Sub(now),
	}, now)
	if err != nil { // of the CA, not of who asks: no refusal
		return issued{}, fmt.Errorf("signing: %v", err)
	}
	chain := pki.EncodeCertificate(leaf)
	for c := ca; len(c.Above) > 0; c = (pki.CA{Certificate: c.Above[0], Above: c.Above[1:]}) {
		chain = append(chain, pki.EncodeCertificate(c.Certificate)...)
	}
	return issued{leaf, chain, a.refreshAt(leaf, now)}, nil
}

func subject(n identity.CertificateNames) pkix.Name {
	return pkix.Name{CommonName: n.CommonName, OrganizationalUnit: []string{n.OrganizationUnit}, Organization: []string{n.Organization}}
}

// refreshAt spreads what was issued at once. Kubernetes wants 10 minutes
// before the end, too.
func (a *authority) refreshAt(leaf *x509.Certificate, now time.Time) time.Time {
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	percent, _ := rand.Int(rand.Reader, big.NewInt(11)) // crypto/rand does not fail
	at := leaf.NotBefore.Add(life * time.Duration(40+percent.Int64()) / 100)
	if a.refresh > 0 {
		at = now.Add(a.refresh)
	}
	if soonest := now.Add(soonestRefresh); at.Before(soonest) {
		at = soonest
	}
	if latest := leaf.NotAfter.Add(-soonestRefresh); at.After(latest) {
		at = latest
	}
	return at.Truncate(time.Second)
}
