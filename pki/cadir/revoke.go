package cadir

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"time"

	"daypass.dev/internal/atomicfile"
	"daypass.dev/pki"
)

// ErrUnknown is returned for a certificate that this CA did not issue, as far
// as it can tell.
var ErrUnknown = errors.New("this CA did not issue that certificate")

// A CRL is a revocation list in CRLFile.
type CRL struct {
	Number  int64     `json:"number"`
	Entries int       `json:"entries"`
	Next    time.Time `json:"nextUpdate"`
}

// Revoke records that a certificate of the ledger is revoked, the first time
// it is asked to, and returns its entry. WriteCRL makes it known. Errors are
// ErrUnknown, or a *pki.RefusedError if this CA may sign no lists; then nothing
// is recorded.
func (d *Dir) Revoke(ctx context.Context, serial *big.Int, now time.Time) (Entry, error) {
	return d.revoke(ctx, pki.HexSerial(&x509.Certificate{SerialNumber: serial}), nil, now)
}

// RevokeCertificate is Revoke for a certificate at hand. One that is not in
// the ledger, because the CA signed it elsewhere, is entered into it.
func (d *Dir) RevokeCertificate(ctx context.Context, c *x509.Certificate, now time.Time) (Entry, error) {
	if !d.ca.Issued(c) {
		return Entry{}, ErrUnknown
	}
	return d.revoke(ctx, pki.HexSerial(c), c, now)
}

func (d *Dir) revoke(ctx context.Context, serial string, c *x509.Certificate, now time.Time) (Entry, error) {
	// Signing an empty list is the proof that lists can be signed at all.
	if _, err := d.ca.CRL(nil, 1, now, now.Add(time.Hour)); err != nil {
		return Entry{}, err
	}
	var revoked Entry
	err := d.change(ctx, func(l *ledger) error {
		e := l.find(serial)
		if e == nil && c == nil {
			return ErrUnknown
		}
		if e == nil {
			l.Certificates = append(l.Certificates, entryOf(c))
			e = &l.Certificates[len(l.Certificates)-1]
		}
		if e.Revoked.IsZero() {
			e.Revoked = now.UTC().Truncate(time.Second)
		}
		revoked = *e
		return nil
	})
	return revoked, err
}

// WriteCRL writes a new revocation list, good for lifetime, into CRLFile. A
// revoked certificate leaves the list only after one list that is later than
// its end (RFC 5280, 3.3).
func (d *Dir) WriteCRL(ctx context.Context, lifetime time.Duration, now time.Time) (CRL, error) {
	now = now.UTC().Truncate(time.Second)
	var list CRL
	err := d.locked(ctx, func() error {
		l, err := d.readLedger()
		if err != nil {
			return err
		}
		entries, err := l.revoked()
		if err != nil {
			return err
		}
		list = CRL{Number: l.CRLNumber + 1, Entries: len(entries), Next: now.Add(lifetime)}
		data, err := d.ca.CRL(entries, list.Number, now, list.Next)
		if err != nil {
			return err
		}
		// The number is used up before it is seen, so that none comes twice.
		l.CRLNumber, l.CRLTime = list.Number, now
		if err := d.writeLedger(l); err != nil {
			return err
		}
		if err := atomicfile.Write(d.File(CRLFile), data, 0o644); err != nil {
			return fmt.Errorf("writing revocation list: %w", err)
		}
		return nil
	})
	return list, err
}

// revoked lists what belongs on the next list.
func (l *ledger) revoked() ([]pki.Revoked, error) {
	var list []pki.Revoked
	for _, e := range l.Certificates {
		if e.Revoked.IsZero() || e.NotAfter.Before(l.CRLTime) {
			continue
		}
		serial, err := ParseSerial(e.Serial)
		if err != nil {
			return nil, fmt.Errorf("reading the CA's ledger: %w", err)
		}
		list = append(list, pki.Revoked{Serial: serial, Time: e.Revoked})
	}
	return list, nil
}
