package cadir

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"daypass.dev/pki"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newCA(now time.Time) pki.CA {
	return must(pki.NewCA(must(pki.NewKey("ec-p256")), pkix.Name{CommonName: "ca"}, 365*24*time.Hour, now))
}

func leaf(life time.Duration) pki.Leaf {
	return pki.Leaf{Subject: pkix.Name{CommonName: "web"}, URI: "spiffe://example.org/web",
		PublicKey: must(pki.NewKey("ec-p256")).Public(), Lifetime: life}
}

// create makes a CA in a folder with a foreign file.
func create(t *testing.T) *Dir {
	t.Helper()
	d, err := Create(filepath.Join(t.TempDir(), "ca"), newCA(noon), noon)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.File("README"), []byte("ours"), 0o640); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { foreignUntouched(t, d) })
	return d
}

func foreignUntouched(t *testing.T, d *Dir) {
	t.Helper()
	data, err := os.ReadFile(d.File("README"))
	info, statErr := os.Stat(d.File("README"))
	if err != nil || statErr != nil || string(data) != "ours" || info.Mode().Perm() != 0o640 {
		t.Errorf("the foreign file holds %q, %v, %v", data, err, statErr)
	}
}

// list reads crl.pem and checks its signature.
func list(t *testing.T, d *Dir) *x509.RevocationList {
	t.Helper()
	block, _ := pem.Decode(must(os.ReadFile(d.File(CRLFile))))
	if block == nil {
		t.Fatal("crl.pem is no PEM file")
	}
	l, err := x509.ParseRevocationList(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.CheckSignatureFrom(d.Certificate()); err != nil {
		t.Error(err)
	}
	return l
}

func revokedSerials(l *x509.RevocationList) []string {
	var all []string
	for _, e := range l.RevokedCertificateEntries {
		all = append(all, e.SerialNumber.Text(16))
	}
	return all
}

func TestCreate(t *testing.T) {
	d := create(t)
	for name, mode := range map[string]fs.FileMode{".": 0o700, KeyFile: 0o600, CertificateFile: 0o644, "ledger.json": 0o600} {
		if info, err := os.Stat(d.File(name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, %v; want %v", name, info.Mode().Perm(), err, mode)
		}
	}
	again, err := Open(d.path)
	if err != nil {
		t.Fatal(err)
	}
	if !again.Certificate().Equal(d.Certificate()) {
		t.Error("the CA that is opened is another than the one that was made")
	}
	before := must(os.ReadFile(d.File(KeyFile)))
	if _, err := Create(d.path, newCA(noon), noon); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create over a CA: %v", err)
	}
	if !bytes.Equal(before, must(os.ReadFile(d.File(KeyFile)))) {
		t.Error("the key was overwritten")
	}
	parent := filepath.Dir(d.path)
	ca := newCA(noon)
	ca.Signer = must(pki.NewKey("ec-p256"))
	var refused *pki.RefusedError
	if _, err := Create(filepath.Join(parent, "other"), ca, noon); !errors.As(err, &refused) || refused.Slug != "key-mismatch" {
		t.Errorf("Create with another key: %v", err)
	}
	if _, err := Create(filepath.Join(parent, "no", "such"), newCA(noon), noon); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Create below a folder that is not there: %v", err)
	}
	if left := must(os.ReadDir(parent)); len(left) != 1 {
		t.Errorf("left over: %v", left)
	}
}

func TestCreateOverAnEmptyFolder(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(dir, newCA(noon), noon); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if left := must(os.ReadDir(dir)); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, row := range []struct {
		name, want string
		spoil      func(d *Dir) error
	}{
		{"folder open to others", "chmod go=", func(d *Dir) error { return os.Chmod(d.path, 0o750) }},
		{"key open to others", "chmod go=", func(d *Dir) error { return os.Chmod(d.File(KeyFile), 0o604) }},
		{"no key", "no such file", func(d *Dir) error { return os.Remove(d.File(KeyFile)) }},
		{"no certificate", "no such file", func(d *Dir) error { return os.Remove(d.File(CertificateFile)) }},
		{"key of nonsense", "no PEM block", func(d *Dir) error { return os.WriteFile(d.File(KeyFile), []byte("x"), 0o600) }},
		{"another's key", "not that of its certificate", func(d *Dir) error {
			return os.WriteFile(d.File(KeyFile), must(pki.EncodeKey(must(pki.NewKey("ec-p256")))), 0o600)
		}},
		{"certificate of nonsense", "no PEM block", func(d *Dir) error { return os.WriteFile(d.File(CertificateFile), []byte("x"), 0o600) }},
		{"endless certificate", "too long", func(d *Dir) error {
			return errors.Join(os.Remove(d.File(CertificateFile)), os.Symlink("/dev/zero", d.File(CertificateFile)))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := create(t)
			if err := row.spoil(d); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(d.path); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

func TestADamagedLedgerIsNotOverwritten(t *testing.T) {
	d := create(t)
	if err := os.WriteFile(d.File("ledger.json"), []byte(`{"certificates": [`), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if _, err := d.Issue(ctx, leaf(time.Hour), noon); err == nil {
		t.Error("issued on a damaged ledger")
	}
	if _, err := d.WriteCRL(ctx, time.Hour, noon); err == nil {
		t.Error("wrote a list on a damaged ledger")
	}
	if got := must(os.ReadFile(d.File("ledger.json"))); string(got) != `{"certificates": [` {
		t.Errorf("the ledger holds %q", got)
	}
}

func TestEveryCertificateOfManyHandsIsInTheLedger(t *testing.T) {
	d := create(t)
	var (
		wait   sync.WaitGroup
		mu     sync.Mutex
		issued []string
	)
	for range 4 {
		own := must(Open(d.path))
		for range 5 {
			wait.Go(func() {
				c, err := own.Issue(t.Context(), leaf(time.Hour), noon)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				issued = append(issued, pki.HexSerial(c))
			})
		}
	}
	wait.Wait()
	var entered []string
	for _, e := range must(d.readLedger()).Certificates {
		if e.Subject != "CN=web" || e.URI != "spiffe://example.org/web" || !e.NotAfter.Equal(noon.Add(time.Hour)) || !e.Revoked.IsZero() {
			t.Errorf("entry %+v", e)
		}
		entered = append(entered, e.Serial)
	}
	slices.Sort(issued)
	slices.Sort(entered)
	if len(issued) != 20 || !slices.Equal(issued, entered) {
		t.Errorf("issued %d: %v\nentered %d: %v", len(issued), issued, len(entered), entered)
	}
}

func TestWaitingForTheLockEndsWithTheContext(t *testing.T) {
	d := create(t)
	err := d.locked(t.Context(), func() error {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := must(Open(d.path)).Issue(ctx, leaf(time.Hour), noon)
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestARefusedLeafLeavesNoTrace(t *testing.T) {
	d := create(t)
	before := must(os.ReadFile(d.File("ledger.json")))
	var refused *pki.RefusedError
	if _, err := d.Issue(t.Context(), leaf(1000*24*time.Hour), noon); !errors.As(err, &refused) || refused.Slug != "request-lifetime" {
		t.Errorf("got %v", err)
	}
	if !bytes.Equal(before, must(os.ReadFile(d.File("ledger.json")))) {
		t.Error("the ledger changed")
	}
}

func TestParseSerial(t *testing.T) {
	for s, want := range map[string]int64{"01": 1, "1": 1, "0x1ABC": 0x1abc, "1a:bc": 0x1abc, "1A:BC": 0x1abc} {
		if got, err := ParseSerial(s); err != nil || got.Cmp(big.NewInt(want)) != 0 {
			t.Errorf("ParseSerial(%q) = %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "0x", ":", "leaf.pem", "-1", strings.Repeat("f", 41)} {
		if got, err := ParseSerial(s); err == nil {
			t.Errorf("ParseSerial(%q) = %v", s, got)
		}
	}
}
