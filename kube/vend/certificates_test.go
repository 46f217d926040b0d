package vend

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	random "math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"daypass.dev"
	"daypass.dev/kube/identity"
	"daypass.dev/refresh"
)

// A signer makes certificates of a day and counts when.
type signer struct {
	mu    sync.Mutex
	key   *ecdsa.PrivateKey
	asked []time.Time
	err   error
	other bool // certify another key
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{key: key}
}

func (s *signer) sign(_ context.Context, text []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, time.Now())
	if s.err != nil {
		return nil, s.err
	}
	block, _ := pem.Decode(text)
	r, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, err
	}
	if err := r.CheckSignature(); err != nil {
		return nil, err
	}
	public := r.PublicKey
	if s.other {
		public = s.key.Public()
	}
	now := time.Now()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(s.asked))), Subject: r.Subject, URIs: r.URIs, NotBefore: now, NotAfter: now.Add(24 * time.Hour),
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "CA"}}, public, s.key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

func (s *signer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func (s *signer) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func names(t *testing.T, account string) identity.CertificateNames {
	t.Helper()
	n, err := identity.Cluster{Name: "prod", TrustDomain: "prod.test"}.Names("shop", account)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestACertificateOfEachServiceAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t)
		all := &Certificates{Sign: s.sign}
		web := all.of(names(t, "web"))
		key, err := web.Key(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if leaf := key.Leaf; leaf.Subject.String() != "CN=web@shop,OU=shop,O=prod" || len(leaf.URIs) != 1 || leaf.URIs[0].String() != "spiffe://prod.test/ns/shop/sa/web" {
			t.Errorf("%s %v", key.Leaf.Subject, key.Leaf.URIs)
		}
		if again, _ := all.of(names(t, "web")).Key(t.Context()); again != key || s.count() != 1 {
			t.Error("asked again")
		}
		if other, _ := all.of(names(t, "api")).Key(t.Context()); other == key || s.count() != 2 {
			t.Error("another ServiceAccount has the same")
		}
		s.set(func() { s.err = errors.New("no signer") })
		time.Sleep(23 * time.Hour)
		if !web.changed() {
			t.Error("a certificate that is due is no change")
		}
		if old, err := web.Key(t.Context()); err != nil || old != key {
			t.Errorf("while nobody signs: %v", err)
		}
		if web.changed() {
			t.Error("a certificate that was just refused is a change")
		}
		if time.Sleep(firstWait); !web.changed() {
			t.Error("what was refused a minute ago is not tried again")
		}
		time.Sleep(2 * time.Hour)
		if _, err := web.Key(t.Context()); err == nil {
			t.Error("a certificate that has ended is used")
		}
		s.set(func() { s.err, s.other = nil, true })
		if _, err := web.Key(t.Context()); err == nil {
			t.Error("a certificate for another key is taken")
		}
	})
}

// While both the signer and AWS refuse, the pauses of whoever asks hold, also
// where a certificate is due or has ended, which is a change that may help.
func TestRefusedByAll(t *testing.T) {
	for name, age := range map[string]time.Duration{"not due": time.Hour, "due": 17 * time.Hour, "ended": 25 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSigner(t)
				all := &Certificates{Sign: s.sign}
				web := all.of(names(t, "web"))
				if _, err := web.Key(t.Context()); err != nil {
					t.Fatal(err)
				}
				s.set(func() { s.err = errors.New("denied") })
				time.Sleep(age)
				calls := 0
				source := &refresh.Source{Changed: web.changed, From: asked(func() (daypass.Credentials, error) {
					calls++
					if _, err := web.Key(t.Context()); err != nil {
						return daypass.Credentials{}, err
					}
					return daypass.Credentials{}, &daypass.Error{Code: "AccessDeniedException", Status: 403}
				})}
				defer source.Close()
				_, _ = source.Credentials(t.Context())
				time.Sleep(10 * time.Minute)
				if signs := s.count() - 1; calls < 5 || calls > 40 || signs > 40 {
					t.Errorf("in ten minutes AWS is asked %d times, the signer %d times", calls, signs)
				}
			})
		})
	}
}

// 300 ServiceAccounts that begin within an hour and ask AWS every 27 minutes,
// for ten days: how many requests the API server sees in an hour.
func TestRequestsAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const accounts = 300
		s := newSigner(t)
		all := &Certificates{Sign: s.sign}
		ctx, stop := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		for i := range accounts {
			one := all.of(names(t, fmt.Sprint("a", i)))
			wait.Go(func() {
				for pause := time.Duration(random.Float64() * float64(time.Hour)); ; pause = time.Duration((24 + 6*random.Float64()) * float64(time.Minute)) {
					select {
					case <-ctx.Done():
						return
					case <-time.After(pause):
					}
					if _, err := one.Key(ctx); err != nil && ctx.Err() == nil {
						t.Error(err)
					}
				}
			})
		}
		begin := time.Now()
		time.Sleep(10 * 24 * time.Hour)
		stop()
		wait.Wait()
		hours := map[int]int{}
		total := 0
		for _, at := range s.asked {
			if h := int(at.Sub(begin) / time.Hour); h >= 5*24 {
				hours[h]++
				total++
			}
		}
		peak, mean := 0, float64(total)/(5*24)
		for _, n := range hours {
			peak = max(peak, n)
		}
		t.Logf("%d ServiceAccounts on a node, certificates of a day: %.1f requests an hour, %d at most", accounts, mean, peak)
		if mean > accounts/11.0 || float64(peak) > 2.5*mean {
			t.Errorf("%.1f an hour, %d at most", mean, peak)
		}
	})
}
