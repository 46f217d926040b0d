// Package cadir keeps a certificate authority in a folder:
//
//	ca.pem        its certificate, for the trust anchor
//	ca-key.pem    its private key, mode 0600, not encrypted
//	ledger.json   what it issued and revoked
//	crl.pem       its last revocation list
//
// The folder has mode 0700. Every change happens under a lock, and each file
// is replaced whole: a process killed at any moment leaves a folder that
// works, in which every certificate that was handed out is in the ledger.
// Other files in the folder are left alone. A name beginning with a dot may be
// left over from a killed process.
package cadir

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"daypass.dev/internal/atomicfile"
	"daypass.dev/pki"
)

// The files of the folder.
const (
	CertificateFile = "ca.pem"
	KeyFile         = "ca-key.pem"
	CRLFile         = "crl.pem"
	ledgerFile      = "ledger.json"
	lockFile        = ".lock"
)

const (
	maxPEM    = 1 << 20
	maxLedger = 256 << 20
	lockPoll  = 20 * time.Millisecond
)

// A Dir is a CA in a folder. It may be used by many goroutines, and the folder
// by many processes.
type Dir struct {
	path string
	ca   pki.CA
}

// Create makes the folder path, which must not exist, with this CA in it. Its
// parent must exist. It appears whole or not at all. A CA that could not issue
// now is refused with a *pki.RefusedError.
func Create(path string, ca pki.CA, now time.Time) (d *Dir, err error) {
	if err := ca.Check(now); err != nil {
		return nil, err
	}
	path = filepath.Clean(path)
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("making the CA's folder %s: %w", path, fs.ErrExist)
	}
	key, err := pki.EncodeKey(ca.Signer)
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, fmt.Errorf("making the CA's folder: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(temp)
		}
	}()
	made := &Dir{temp, ca}
	if err := atomicfile.Create(made.File(KeyFile), key, 0o600); err != nil {
		return nil, fmt.Errorf("writing the CA's key: %w", err)
	}
	if err := atomicfile.Create(made.File(CertificateFile), pki.EncodeCertificate(ca.Certificate), 0o644); err != nil {
		return nil, fmt.Errorf("writing the CA's certificate: %w", err)
	}
	if err := made.writeLedger(&ledger{}); err != nil {
		return nil, err
	}
	// os.Rename refuses where a folder stands, even an empty one.
	if err := os.Rename(temp, path); err != nil {
		return nil, fmt.Errorf("making the CA's folder: %w", err)
	}
	return &Dir{path, ca}, nil
}

// Open reads the CA in the folder path. It refuses a folder or key that others
// can read or write, and a key that is not the certificate's.
func Open(path string) (*Dir, error) {
	d := &Dir{path: filepath.Clean(path)}
	if err := private(d.path); err != nil {
		return nil, fmt.Errorf("opening the CA's folder: %w", err)
	}
	if err := private(d.File(KeyFile)); err != nil {
		return nil, fmt.Errorf("opening the CA's key: %w", err)
	}
	data, err := read(d.File(CertificateFile), maxPEM)
	if err != nil {
		return nil, fmt.Errorf("reading the CA's certificate: %w", err)
	}
	certs, err := pki.ParseCertificates(data)
	if err != nil {
		return nil, fmt.Errorf("reading the CA's certificate %s: %w", d.File(CertificateFile), err)
	}
	if data, err = read(d.File(KeyFile), maxPEM); err != nil {
		return nil, fmt.Errorf("reading the CA's key: %w", err)
	}
	key, err := pki.ParseKey(data)
	if err != nil {
		return nil, fmt.Errorf("reading the CA's key %s: %w", d.File(KeyFile), err)
	}
	d.ca = pki.CA{Certificate: certs[0], Signer: key}
	if err := d.ca.CheckKey(); err != nil {
		return nil, fmt.Errorf("opening the CA's folder %s: %w", d.path, err)
	}
	return d, nil
}

// Certificate returns the CA's certificate.
func (d *Dir) Certificate() *x509.Certificate { return d.ca.Certificate }

// File returns the path of one of the folder's files.
func (d *Dir) File(name string) string { return filepath.Join(d.path, name) }

// Issue certifies a leaf as pki.CA does. When it returns a certificate, the
// ledger has it.
func (d *Dir) Issue(ctx context.Context, leaf pki.Leaf, now time.Time) (*x509.Certificate, error) {
	var c *x509.Certificate
	err := d.change(ctx, func(l *ledger) (err error) {
		if c, err = d.ca.Issue(leaf, now); err != nil {
			return err
		}
		l.Certificates = append(l.Certificates, entryOf(c))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// change applies f to the ledger under the lock and writes it if f succeeds.
func (d *Dir) change(ctx context.Context, f func(*ledger) error) error {
	return d.locked(ctx, func() error {
		l, err := d.readLedger()
		if err != nil {
			return err
		}
		if err := f(l); err != nil {
			return err
		}
		return d.writeLedger(l)
	})
}

func (d *Dir) locked(ctx context.Context, f func() error) error {
	lock := flock.New(d.File(lockFile), flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, lockPoll); err != nil {
		return fmt.Errorf("locking the CA's folder: %w", err)
	}
	defer func() { _ = lock.Close() }()
	return f()
}

// private refuses what others than the owner may use.
func private(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s has mode %04o and is open to others: chmod go= %s", path, mode, path)
	}
	return nil
}

// read reads a file of at most limit bytes.
func read(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = errors.New(path + " is too long")
	}
	return data, err
}
