package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"daypass.dev/config"
	"daypass.dev/pki"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

// A rotation renews certificate, key and chain in a folder, all three anew
// each time: a mixture of two generations is refused by the sandbox.
type rotation struct {
	t    *testing.T
	root *x509.Certificate
	key  crypto.Signer
	dir  string
	n    int // generations so far
}

func newRotation(t *testing.T) *rotation {
	t.Helper()
	r := &rotation{t: t, dir: t.TempDir(), key: newKey(t)}
	r.root = r.issue("root", r.key.Public(), nil, r.key)
	return r
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := pki.NewKey("ec-p256")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue makes a CA, or the leaf called reports.
func (r *rotation) issue(name string, public crypto.PublicKey, parent *x509.Certificate, by crypto.Signer) *x509.Certificate {
	r.t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		r.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, BasicConstraintsValid: true,
		Subject:   pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IsCA: name != "reports", KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if !template.IsCA {
		template.KeyUsage = x509.KeyUsageDigitalSignature
		template.Subject.OrganizationalUnit = []string{fmt.Sprint("generation ", r.n)} // for the sandbox's records
	}
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// parts are the files of a new generation: certificate, key, chain.
func (r *rotation) parts() (all [3][]byte) {
	r.t.Helper()
	caKey, key := newKey(r.t), newKey(r.t)
	ca := r.issue("issuing CA", caKey.Public(), r.root, r.key) // always of the same name
	leaf := r.issue("reports", key.Public(), ca, caKey)
	text, err := pki.EncodeKey(key)
	if err != nil {
		r.t.Fatal(err)
	}
	r.n++
	return [3][]byte{pki.EncodeCertificate(leaf), text, pki.EncodeCertificate(ca)}
}

func fileNames() [3]string { return [3]string{"tls.crt", "tls.key", "chain.crt"} }

// A manner is how somebody writes a new generation, in a folder of its own.
type manner struct {
	name  string
	write func(r *rotation, dir string, parts [3][]byte)
}

// manners are every order of the three files, by renaming and in place, and
// the swap of ..data that kubelet makes.
func manners() (all []manner) {
	names := fileNames()
	inPlace := func(path string, text []byte) error { return os.WriteFile(path, text, 0o600) }
	for way, write := range map[string]func(string, []byte) error{"in place": inPlace, "renamed": renamed} {
		for _, order := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
			all = append(all, manner{fmt.Sprintf("%s, %s, %s %s", names[order[0]], names[order[1]], names[order[2]], way),
				func(r *rotation, dir string, parts [3][]byte) {
					for _, i := range order {
						if err := write(filepath.Join(dir, names[i]), parts[i]); err != nil {
							r.t.Error(err)
						}
						time.Sleep(2 * time.Millisecond)
					}
				}})
		}
	}
	return append(all, manner{"swapped", swap})
}

func renamed(path string, text []byte) error {
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func swap(r *rotation, dir string, parts [3][]byte) {
	generation := fmt.Sprintf("..%d", r.n)
	if err := os.Mkdir(filepath.Join(dir, generation), 0o700); err != nil {
		r.t.Error(err)
	}
	for i, name := range fileNames() {
		if err := os.WriteFile(filepath.Join(dir, generation, name), parts[i], 0o600); err != nil {
			r.t.Error(err)
		}
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			if err := os.Symlink("..data/"+name, filepath.Join(dir, name)); err != nil {
				r.t.Error(err)
			}
		}
	}
	if err := os.Symlink(generation, filepath.Join(dir, "new")); err != nil {
		r.t.Error(err)
	}
	if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "..data")); err != nil {
		r.t.Error(err)
	}
}

// Certificate, key and chain are replaced in every manner, rounds times in each,
// while 16 clients ask: 8 that keep running, as serve does, and 8 that start
// anew for each call, as credential-process does. No call fails, and the
// sandbox, which refuses a mixture of two generations, refuses none.
func TestRotationWhileSixteenClientsAsk(t *testing.T) {
	r := newRotation(t)
	aws := r.sandbox()
	for _, m := range manners() {
		t.Run(m.name, func(t *testing.T) {
			r.t = t
			dir := t.TempDir()
			m.write(r, dir, r.parts())
			before := len(aws.Decisions())
			stop := make(chan struct{})
			var asked atomic.Int64
			var clients sync.WaitGroup
			settings := settingsFor(dir, aws)
			keeps := settings.Keys(nil)
			for i := range 16 {
				clients.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						keys := keeps
						if i%2 == 1 {
							keys = settings.Keys(nil)
						}
						call, err := settings.Exchange(keys, nil)
						if err == nil {
							_, err = call.Credentials(context.Background())
						}
						if err != nil {
							t.Errorf("generation %d: %v", r.n, err)
							return
						}
						asked.Add(1)
					}
				})
			}
			for range rounds {
				seen := asked.Load()
				m.write(r, dir, r.parts())
				for deadline := time.Now().Add(20 * time.Second); asked.Load() < seen+24 && time.Now().Before(deadline); {
					time.Sleep(5 * time.Millisecond)
				}
			}
			close(stop)
			clients.Wait()
			r.check(aws.Decisions()[before:], rounds, int(asked.Load()))
		})
	}
	if want := len(manners()) * (rounds + 1); r.n != want {
		t.Errorf("%d generations were written, want %d", r.n, want)
	}
}

func (r *rotation) sandbox() *sandboxtest.Sandbox {
	r.t.Helper()
	text, err := os.ReadFile("testdata/world.yaml")
	if err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "ca.pem"), pki.EncodeCertificate(r.root), 0o600); err != nil {
		r.t.Fatal(err)
	}
	w, err := world.Parse(filepath.Join(r.dir, "world.yaml"), text)
	if err != nil {
		r.t.Fatal(err)
	}
	return sandboxtest.Start(r.t, w)
}

func settingsFor(dir string, aws *sandboxtest.Sandbox) config.Settings {
	s := config.Defaults()
	names := fileNames()
	s.Certificate, s.PrivateKey, s.Intermediates = filepath.Join(dir, names[0]), filepath.Join(dir, names[1]), filepath.Join(dir, names[2])
	s.RoleARN = "arn:aws:iam::111122223333:role/reports"
	s.TrustAnchorARN = "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/11111111-2222-4333-8444-555555555555"
	s.ProfileARN = "arn:aws:rolesanywhere:eu-west-1:111122223333:profile/66666666-7777-4888-8999-aaaaaaaaaaaa"
	s.Endpoint, s.CABundle = aws.URL, aws.CAFile
	return s
}

// check counts what AWS saw: every call allowed, and enough generations that
// renewal was tried at all.
func (r *rotation) check(seen []world.Decision, rounds, asked int) {
	r.t.Helper()
	callers := map[string]bool{}
	for _, d := range seen {
		if !d.Allowed {
			r.t.Errorf("AWS refused a call: %s: %s", d.Reason, d.Detail)
		}
		callers[d.Caller] = true
	}
	if len(seen) != asked || asked < 16*rounds {
		r.t.Errorf("%d calls were made, AWS saw %d", asked, len(seen))
	}
	if len(callers) < rounds/2 {
		r.t.Errorf("AWS saw only %d callers: %v", len(callers), callers)
	}
}
