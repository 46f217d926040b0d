package proof

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"software.sslmate.com/src/go-pkcs12"
)

// isPFX tells whether data is PKCS#12: version 3 stands first (RFC 7292
// section 4).
func isPFX(data []byte) bool {
	var outer struct{ Version asn1.RawValue } // asn1 passes over what follows
	_, err := asn1.Unmarshal(data, &outer)
	return err == nil && bytes.Equal(outer.Version.FullBytes, []byte{asn1.TagInteger, 1, 3})
}

// openPFX makes PEM blocks of what PKCS#12 holds. Many such files have an empty
// password, so that one is tried before anybody is asked.
func openPFX(p *part, ask asker) ([]*pem.Block, error) {
	if tooDear(p.data, 0) {
		return nil, &mistake{text: fmt.Sprintf("opening the PKCS#12 takes more than %d rounds of hashing", maxRounds)}
	}
	blocks, err := decodePFX(p.data, "")
	if errors.Is(err, errPassword) {
		password, asked := ask(p.path)
		if asked != nil {
			return nil, fmt.Errorf("the PKCS#12 is encrypted: %w", asked)
		}
		blocks, err = decodePFX(p.data, password.Reveal())
	}
	return blocks, unopened(err, "openssl pkcs12 -in "+p.path+" -out "+p.path+".pem writes it as PEM")
}

func decodePFX(data []byte, password string) ([]*pem.Block, error) {
	key, leaf, others, err := pkcs12.DecodeChain(data, password)
	switch unknown := pkcs12.NotImplementedError(""); {
	case errors.Is(err, pkcs12.ErrIncorrectPassword),
		err != nil && strings.Contains(err.Error(), pkcs12.ErrDecryption.Error()): // it is not always wrapped
		return nil, errPassword
	case errors.As(err, &unknown):
		return nil, fmt.Errorf("the PKCS#12 is of a kind that is not supported: %s", strings.TrimPrefix(err.Error(), "pkcs12: "))
	case err != nil:
		return nil, fmt.Errorf("the PKCS#12 cannot be read: %s", strings.TrimPrefix(err.Error(), "pkcs12: "))
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, errors.New("the PKCS#12 holds a key that cannot sign")
	}
	blocks := []*pem.Block{{Type: "PRIVATE KEY", Bytes: der}, {Type: "CERTIFICATE", Bytes: leaf.Raw}}
	for _, c := range others {
		blocks = append(blocks, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return blocks, nil
}

// tooDear looks for a count of rounds above the bound, which the decoder does
// not have: wherever a salt stands, the count follows it. What is encrypted is
// not seen, so that who knows the password can still waste the time of who
// trusts the file.
func tooDear(der []byte, depth int) bool {
	const deepest = 32
	for salt := false; len(der) > 0 && depth < deepest; {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(der, &v)
		if err != nil {
			return false // no DER, or none any more
		}
		der = rest
		universal := v.Class == asn1.ClassUniversal
		if salt && universal && v.Tag == asn1.TagInteger {
			var rounds int
			if _, err := asn1.Unmarshal(v.FullBytes, &rounds); err != nil || rounds > maxRounds {
				return true
			}
		}
		salt = universal && v.Tag == asn1.TagOctetString
		if (v.IsCompound || salt) && tooDear(v.Bytes, depth+1) {
			return true
		}
	}
	return false
}
