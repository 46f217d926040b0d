package acmpca

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"strconv"
	"strings"
)

// A subject is the API's ASN1Subject. AWS writes the attributes in an order of
// its own, which is unchecked; here it is that of the API reference.
type subject struct {
	Country, Organization, OrganizationalUnit, DistinguishedNameQualifier, State, CommonName string
	SerialNumber, Locality, Title, Surname, GivenName, Initials, Pseudonym                   string
	GenerationQualifier                                                                      string
	CustomAttributes                                                                         []customAttribute
}

type customAttribute struct{ ObjectIdentifier, Value string }

func (s *subject) encode() ([]byte, error) {
	var name pkix.RDNSequence
	add := func(oid asn1.ObjectIdentifier, value string) {
		name = append(name, pkix.RelativeDistinguishedNameSET{{Type: oid, Value: value}})
	}
	for _, a := range []struct {
		value string
		last  int // arc below 2.5.4
		most  int
	}{
		{s.Country, 6, 2}, {s.Organization, 10, 64}, {s.OrganizationalUnit, 11, 64},
		{s.DistinguishedNameQualifier, 46, 64}, {s.State, 8, 128}, {s.CommonName, 3, 64},
		{s.SerialNumber, 5, 64}, {s.Locality, 7, 128}, {s.Title, 12, 64},
		{s.Surname, 4, 40}, {s.GivenName, 42, 16}, {s.Initials, 43, 5},
		{s.Pseudonym, 65, 128}, {s.GenerationQualifier, 44, 3},
	} {
		if len(a.value) > a.most {
			return nil, faultf("pca-subject", "%q has more than %d characters", a.value, a.most)
		}
		if a.value != "" {
			add(asn1.ObjectIdentifier{2, 5, 4, a.last}, a.value)
		}
	}
	for _, c := range s.CustomAttributes {
		oid, err := parseOID(c.ObjectIdentifier)
		if err != nil {
			return nil, err
		}
		add(oid, c.Value)
	}
	der, err := asn1.Marshal(name)
	if err != nil {
		return nil, faultf("pca-subject", "%v", err)
	}
	return der, nil
}

func parseOID(text string) (asn1.ObjectIdentifier, error) {
	var oid asn1.ObjectIdentifier
	for part := range strings.SplitSeq(text, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return nil, faultf("pca-parameter", "%q is no object identifier", text)
		}
		oid = append(oid, n)
	}
	if len(oid) < 2 {
		return nil, faultf("pca-parameter", "%q is no object identifier", text)
	}
	return oid, nil
}
