package inject

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Serving yields the certificate that the webhook serves with: made in memory
// by the Authority in File, renewed at half its life, and made anew when
// another Authority is in File, as when Kubernetes swaps the files of a Secret.
// Each replica makes its own. While File cannot be read, the last serves on.
type Serving struct {
	// File holds what Authority.PEM wrote.
	File string
	// Log tells of what goes wrong; nil: nobody.
	Log *slog.Logger

	now func() time.Time // nil: time.Now

	mu      sync.Mutex
	looked  time.Time
	text    []byte // of File
	signer  Authority
	current *tls.Certificate
}

// File is looked at again after this long.
const look = 5 * time.Second

// GetCertificate is for tls.Config. Errors, which are of no certificate at all,
// name File and quote nothing of it.
func (s *Serving) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.now != nil {
		now = s.now()
	}
	if s.current != nil && now.Sub(s.looked) < look {
		return s.current, nil
	}
	s.looked = now
	if err := s.renew(now); err != nil {
		if s.current == nil || !s.current.Leaf.NotAfter.After(now) {
			return nil, fmt.Errorf("webhook certificate from %s: %w", s.File, err)
		}
		if s.Log != nil {
			s.Log.Error("webhook certificate is not renewed", "file", s.File, "error", err, "ends", s.current.Leaf.NotAfter)
		}
	}
	return s.current, nil
}

// Ends are when the certificate that is served with ends, and its authority;
// not ok while there is none.
func (s *Serving) Ends() (certificate, authority time.Time, ok bool) {
	if _, err := s.GetCertificate(nil); err != nil {
		return certificate, authority, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current.Leaf.NotAfter, s.signer.Certificate.NotAfter, true
}

// renew makes a certificate if there is none, or another authority, or half of
// its life is over.
func (s *Serving) renew(now time.Time) error {
	text, err := readAuthority(s.File)
	if err != nil {
		return err
	}
	signer := s.signer
	if s.current == nil || !bytes.Equal(text, s.text) {
		if signer, err = ParseAuthority(text); err != nil {
			return err
		}
	} else if leaf := s.current.Leaf; now.Before(leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2)) {
		return nil
	}
	made, err := signer.serving(now)
	if err != nil {
		return err
	}
	s.text, s.signer, s.current = text, signer, made
	return nil
}

// maxAuthority is more than any certificate with its key.
const maxAuthority = 64 << 10

func readAuthority(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxAuthority+1))
	if err == nil && len(text) > maxAuthority {
		err = errors.New("it is too large for a certificate and key")
	}
	return text, err
}
