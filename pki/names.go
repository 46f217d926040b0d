package pki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode"
)

// attributeName returns the short name of an attribute that becomes a tag,
// empty for others: all of RFC 4514, section 3. AWS names C, O, OU, ST, L, CN
// and UID in its texts; that it maps the other two and no further ones is not
// checked.
func attributeName(id asn1.ObjectIdentifier) string {
	switch id.String() {
	case "2.5.4.3":
		return "CN"
	case "2.5.4.6":
		return "C"
	case "2.5.4.7":
		return "L"
	case "2.5.4.8":
		return "ST"
	case "2.5.4.9":
		return "STREET"
	case "2.5.4.10":
		return "O"
	case "2.5.4.11":
		return "OU"
	case "0.9.2342.19200300.100.1.1":
		return "UID"
	case "0.9.2342.19200300.100.1.25":
		return "DC"
	}
	return ""
}

// A named is one attribute with all its values, in the order of the Subject.
type named struct {
	name   string
	values []string
}

// byName gathers the attributes of a name that have a short name.
func byName(list []pkix.AttributeTypeAndValue) []named {
	var all []named
next:
	for _, a := range list {
		name := attributeName(a.Type)
		value, ok := a.Value.(string)
		if name == "" || !ok {
			continue
		}
		for i := range all {
			if all[i].name == name {
				all[i].values = append(all[i].values, value)
				continue next
			}
		}
		all = append(all, named{name, []string{value}})
	}
	return all
}

// alternatives are a certificate's subject alternative names of the types that
// Roles Anywhere looks at, byte for byte and in order.
type alternatives struct {
	dns, uri []string
	dir      [][]pkix.AttributeTypeAndValue
}

// The context tags of GeneralName, RFC 5280, 4.2.1.6.
const (
	tagDNS = 2
	tagDir = 4
	tagURI = 6
)

// alternativesOf reads what Go's parser has already found well formed.
func alternativesOf(c *x509.Certificate) alternatives {
	var alt alternatives
	for _, ext := range c.Extensions {
		if !ext.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) {
			continue
		}
		var list []asn1.RawValue
		if _, err := asn1.Unmarshal(ext.Value, &list); err != nil {
			continue
		}
		for _, v := range list {
			alt.add(v)
		}
	}
	return alt
}

func (alt *alternatives) add(v asn1.RawValue) {
	if v.Class != asn1.ClassContextSpecific {
		return
	}
	switch v.Tag {
	case tagDNS:
		alt.dns = append(alt.dns, string(v.Bytes))
	case tagURI:
		alt.uri = append(alt.uri, string(v.Bytes))
	case tagDir:
		var seq pkix.RDNSequence
		if _, err := asn1.Unmarshal(v.Bytes, &seq); err != nil {
			return
		}
		var name pkix.Name
		name.FillFromRDNSequence(&seq)
		alt.dir = append(alt.dir, name.Names)
	}
}

// HexSerial is the serial number as CreateSession shows it: lower-case hex of
// even length.
func HexSerial(c *x509.Certificate) string {
	b := c.SerialNumber.Bytes()
	if len(b) == 0 {
		b = []byte{0}
	}
	return hex.EncodeToString(b)
}

// Printable is s, or s quoted where it holds what would upset a terminal.
func Printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}
