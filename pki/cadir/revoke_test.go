package cadir

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"daypass.dev/pki"
)

func TestRevoke(t *testing.T) {
	d := create(t)
	ctx := t.Context()
	one := must(d.Issue(ctx, leaf(time.Hour), noon))
	two := must(d.Issue(ctx, leaf(time.Hour), noon))
	first := must(d.Revoke(ctx, one.SerialNumber, noon.Add(time.Minute)))
	if first.Serial != pki.HexSerial(one) || !first.Revoked.Equal(noon.Add(time.Minute)) {
		t.Errorf("entry %+v", first)
	}
	if again := must(d.RevokeCertificate(ctx, one, noon.Add(time.Hour))); !again.Revoked.Equal(first.Revoked) {
		t.Errorf("revoked again, at %s", again.Revoked)
	}
	if _, err := d.Revoke(ctx, big.NewInt(1), noon); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown serial number: %v", err)
	}
	stranger := must(newCA(noon).Issue(leaf(time.Hour), noon)) // under a CA of the same name
	if _, err := d.RevokeCertificate(ctx, stranger, noon); !errors.Is(err, ErrUnknown) {
		t.Errorf("a certificate of another CA: %v", err)
	}
	got := must(d.WriteCRL(ctx, 24*time.Hour, noon.Add(time.Hour)))
	if got.Number != 1 || got.Entries != 1 || !got.Next.Equal(noon.Add(25*time.Hour)) {
		t.Errorf("list %+v", got)
	}
	l := list(t, d)
	if s := revokedSerials(l); !slices.Equal(s, []string{one.SerialNumber.Text(16)}) || l.Number.Int64() != 1 {
		t.Errorf("list %s revokes %v; the second leaf is %x", l.Number, s, two.SerialNumber)
	}
	if info := must(os.Stat(d.File(CRLFile))); info.Mode().Perm() != 0o644 {
		t.Errorf("crl.pem has mode %v", info.Mode())
	}
	if got := must(d.WriteCRL(ctx, time.Hour, noon.Add(time.Hour))); got.Number != 2 {
		t.Errorf("the next list has number %d", got.Number)
	}
}

func TestRevokeWhatTheCASignedElsewhere(t *testing.T) {
	ca := newCA(noon)
	d := must(Create(filepath.Join(t.TempDir(), "ca"), ca, noon))
	c := must(ca.Issue(leaf(time.Hour), noon))
	if _, err := d.Revoke(t.Context(), c.SerialNumber, noon); !errors.Is(err, ErrUnknown) {
		t.Errorf("by serial number: %v", err)
	}
	must(d.RevokeCertificate(t.Context(), c, noon))
	must(d.WriteCRL(t.Context(), time.Hour, noon))
	if s := revokedSerials(list(t, d)); !slices.Equal(s, []string{c.SerialNumber.Text(16)}) {
		t.Errorf("the list revokes %v", s)
	}
}

func TestARevokedCertificateStaysUntilAListLaterThanItsEnd(t *testing.T) {
	d := create(t)
	ctx := t.Context()
	c := must(d.Issue(ctx, leaf(time.Hour), noon))
	must(d.Revoke(ctx, c.SerialNumber, noon))
	for _, row := range []struct {
		after   time.Duration
		entries int
	}{{0, 1}, {30 * time.Minute, 1}, {2 * time.Hour, 1}, {3 * time.Hour, 0}, {4 * time.Hour, 0}} {
		if got := must(d.WriteCRL(ctx, time.Hour, noon.Add(row.after))); got.Entries != row.entries {
			t.Errorf("after %s the list has %d entries, want %d", row.after, got.Entries, row.entries)
		}
	}
}

// withoutCRLSign is a CA as that of the original walk.
func withoutCRLSign(t *testing.T) pki.CA {
	t.Helper()
	key := must(pki.NewKey("ec-p256"))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotBefore: noon, NotAfter: noon.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return pki.CA{Certificate: must(x509.ParseCertificate(der)), Signer: key}
}

func TestACAWithoutCRLSignRecordsNoRevocation(t *testing.T) {
	d := must(Create(filepath.Join(t.TempDir(), "ca"), withoutCRLSign(t), noon))
	ctx := t.Context()
	c := must(d.Issue(ctx, leaf(time.Hour), noon))
	before := must(os.ReadFile(d.File("ledger.json")))
	_, bySerial := d.Revoke(ctx, c.SerialNumber, noon)
	_, byFile := d.RevokeCertificate(ctx, c, noon)
	_, listed := d.WriteCRL(ctx, time.Hour, noon)
	for _, err := range []error{bySerial, byFile, listed} {
		var refused *pki.RefusedError
		if !errors.As(err, &refused) || refused.Slug != "ca-crl-sign" {
			t.Errorf("got %v", err)
		}
	}
	if !bytes.Equal(before, must(os.ReadFile(d.File("ledger.json")))) {
		t.Error("the ledger changed")
	}
	if _, err := os.Stat(d.File(CRLFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a list: %v", err)
	}
}
