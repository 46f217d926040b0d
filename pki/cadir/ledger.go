package cadir

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"time"

	"daypass.dev/internal/atomicfile"
	"daypass.dev/pki"
)

// A ledger is the content of ledger.json.
type ledger struct {
	// CRLNumber and CRLTime are those of the last list, which may not have been
	// written if the process was killed.
	CRLNumber    int64     `json:"crlNumber"`
	CRLTime      time.Time `json:"crlTime,omitzero"`
	Certificates []Entry   `json:"certificates"`
}

// An Entry is one certificate that the CA issued.
type Entry struct {
	// Serial is lower-case hex of even length.
	Serial    string    `json:"serial"`
	Subject   string    `json:"subject"`
	URI       string    `json:"uri,omitempty"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	// Revoked is when; zero if it is not.
	Revoked time.Time `json:"revoked,omitzero"`
}

func entryOf(c *x509.Certificate) Entry {
	e := Entry{Serial: pki.HexSerial(c), Subject: c.Subject.String(), NotBefore: c.NotBefore, NotAfter: c.NotAfter}
	if len(c.URIs) > 0 {
		e.URI = c.URIs[0].String()
	}
	return e
}

// find returns the entry of a serial number, nil if there is none.
func (l *ledger) find(serial string) *Entry {
	for i := range l.Certificates {
		if l.Certificates[i].Serial == serial {
			return &l.Certificates[i]
		}
	}
	return nil
}

func (d *Dir) readLedger() (*ledger, error) {
	data, err := read(d.File(ledgerFile), maxLedger)
	if err != nil {
		return nil, fmt.Errorf("reading the CA's ledger: %w", err)
	}
	var l ledger
	if err := json.Unmarshal(data, &l); err != nil {
		return nil, fmt.Errorf("reading the CA's ledger %s: %w", d.File(ledgerFile), err)
	}
	return &l, nil
}

func (d *Dir) writeLedger(l *ledger) error {
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the CA's ledger: %w", err)
	}
	if err := atomicfile.Write(d.File(ledgerFile), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the CA's ledger: %w", err)
	}
	return nil
}

// ParseSerial reads a serial number in hex, as openssl and the ledger print
// it: colons, a leading 0x and upper case are allowed.
func ParseSerial(s string) (*big.Int, error) {
	digits := strings.TrimPrefix(strings.ReplaceAll(strings.ToLower(s), ":", ""), "0x")
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) == 0 || len(b) > 20 {
		return nil, fmt.Errorf("%q is no serial number in hex", s)
	}
	return new(big.Int).SetBytes(b), nil
}
