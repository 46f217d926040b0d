package rolesanywhere

import (
	"crypto/x509"
	"fmt"
	"math/big"
	"unicode/utf8"
)

// An identity is what a leaf says about its holder.
type identity struct {
	subject, issuer []attribute
	names           altNames
	serial          *big.Int
}

func identify(leaf *x509.Certificate) (identity, error) {
	id := identity{serial: leaf.SerialNumber}
	var err error
	if id.subject, err = parseName(leaf.RawSubject); err != nil {
		return id, fmt.Errorf("reading the Subject: %w", err)
	}
	if id.issuer, err = parseName(leaf.RawIssuer); err != nil {
		return id, fmt.Errorf("reading the Issuer: %w", err)
	}
	if id.names, err = parseAltNames(leaf); err != nil {
		return id, fmt.Errorf("reading the subject alternative names: %w", err)
	}
	return id, nil
}

// hexSerial is the serial number in hex, of even length: the session's default
// name. The User Guide says so of the source identity; that the session name
// is padded too follows from STS's least length of two characters.
func hexSerial(serial *big.Int) string {
	s := serial.Text(16)
	if len(s)%2 == 1 {
		s = "0" + s
	}
	return s
}

// The longest common name behind "CN=", and the longest at all, in characters.
const (
	maxPrefixedName = 61
	maxCommonName   = 64
)

// sourceIdentity follows the User Guide's source identity rules: CN=NAME, the
// bare name if it has 62 to 64 characters, ID=SERIAL without one. A repeated
// common name is taken as its tag is, joined with "/"; that, and that a name
// which does not fit is refused, are unchecked.
func sourceIdentity(id identity) (string, *fault) {
	cn := values(id.subject)["CN"]
	if cn == "" {
		return "ID=" + hexSerial(id.serial), nil
	}
	length := utf8.RuneCountInString(cn)
	switch {
	case !tagAlphabet(cn):
		return "", faultf("source-identity", "the common name %q has characters outside letters, digits, spaces and _.:/=+-@", cn)
	case length > maxCommonName:
		return "", faultf("source-identity", "the common name has %d characters", length)
	case length > maxPrefixedName:
		return cn, nil
	}
	return "CN=" + cn, nil
}
