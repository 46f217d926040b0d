package rolesanywhere

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
)

// An attribute is one attribute of a distinguished name, in its short name.
type attribute struct{ name, value string }

// The attributes that become tags. AWS speaks of "supported" or "recognisable"
// ones and shows C, O, OU, ST, L, CN and UID; these are all of RFC 4514,
// section 3. That AWS maps the other two, and no further ones, is unchecked.
func shortName(oid asn1.ObjectIdentifier) string {
	switch oid.String() {
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
	case "0.9.2342.19200300.100.1.25":
		return "DC"
	case "0.9.2342.19200300.100.1.1":
		return "UID"
	}
	return ""
}

// parseName reads the known attributes of a DER name in their order, from
// multi-valued RDNs too.
func parseName(der []byte) ([]attribute, error) {
	var rdns pkix.RDNSequence
	rest, err := asn1.Unmarshal(der, &rdns)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, errors.New("trailing data")
	}
	var all []attribute
	for _, rdn := range rdns {
		for _, a := range rdn {
			name := shortName(a.Type)
			if value, ok := a.Value.(string); ok && name != "" {
				all = append(all, attribute{name, value})
			}
		}
	}
	return all, nil
}

// values joins the values of each attribute with "/", in the order of the
// certificate, whether they stand in one RDN or in several.
func values(attributes []attribute) map[string]string {
	joined := map[string]string{}
	for _, a := range attributes {
		if before, ok := joined[a.name]; ok {
			joined[a.name] = before + "/" + a.value
		} else {
			joined[a.name] = a.value
		}
	}
	return joined
}

// altNames are the first subject alternative name of each type that Roles
// Anywhere maps; the others of a type are not looked at.
type altNames struct {
	dns, uri  string
	directory []attribute
}

// The context-specific tags of GeneralName (RFC 5280, section 4.2.1.6).
const (
	tagDNS       = 2
	tagDirectory = 4
	tagURI       = 6
)

func parseAltNames(c *x509.Certificate) (altNames, error) {
	var names altNames
	for _, e := range c.Extensions {
		if e.Id.String() != "2.5.29.17" {
			continue
		}
		var list []asn1.RawValue
		if _, err := asn1.Unmarshal(e.Value, &list); err != nil {
			return names, err
		}
		for _, n := range list {
			if n.Class != asn1.ClassContextSpecific {
				continue
			}
			switch {
			case n.Tag == tagDNS && names.dns == "":
				names.dns = string(n.Bytes)
			case n.Tag == tagURI && names.uri == "":
				names.uri = string(n.Bytes)
			case n.Tag == tagDirectory && names.directory == nil:
				var err error
				if names.directory, err = parseName(n.Bytes); err != nil {
					return names, err
				}
			}
		}
	}
	return names, nil
}
