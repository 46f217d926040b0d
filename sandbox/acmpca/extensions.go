package acmpca

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net"
	"slices"
)

type extension = pkix.Extension

// passthrough is the API's ApiPassthrough.
type passthrough struct {
	Subject    *subject
	Extensions *struct {
		CertificatePolicies []any
		CustomExtensions    []struct {
			ObjectIdentifier string
			Value            []byte
			Critical         bool
		}
		ExtendedKeyUsage []struct {
			ExtendedKeyUsageType, ExtendedKeyUsageObjectIdentifier string
		}
		KeyUsage                *keyUsage
		SubjectAlternativeNames []generalName
	}
}

type keyUsage struct {
	DigitalSignature, NonRepudiation, KeyEncipherment, DataEncipherment, KeyAgreement bool
	KeyCertSign, CRLSign, EncipherOnly, DecipherOnly                                  bool
}

type generalName struct {
	DNS       string   `json:"DnsName"`
	URI       string   `json:"UniformResourceIdentifier"`
	IP        string   `json:"IpAddress"`
	Mail      string   `json:"Rfc822Name"`
	Directory *subject `json:"DirectoryName"`
}

// extensions puts together what template, API and CSR say, in this order of
// precedence (User Guide, "order of operations").
func extensions(t template, api *passthrough, csr *x509.CertificateRequest) ([]extension, error) {
	all := t.fixed
	add := func(more []extension) {
		for _, e := range more {
			known := slices.ContainsFunc(all, func(have extension) bool { return have.Id.Equal(e.Id) })
			if !known {
				all = append(all[:len(all):len(all)], e)
			}
		}
	}
	if api != nil {
		given, err := api.extensions()
		if err != nil {
			return nil, err
		}
		add(given)
	}
	for _, e := range csr.Extensions {
		own := slices.ContainsFunc(ownExtensions(), e.Id.Equal)
		if e.Id.Equal(oidAltName) || t.fromCSR && !own {
			add([]extension{e})
		}
	}
	return all, nil
}

func (p *passthrough) extensions() ([]extension, error) {
	if p.Extensions == nil {
		return nil, nil
	}
	if len(p.Extensions.CertificatePolicies) > 0 {
		return nil, faultf("operation-not-built", "CertificatePolicies of IssueCertificate")
	}
	var all []extension
	if u := p.Extensions.KeyUsage; u != nil {
		all = append(all, u.encode())
	}
	var usages []asn1.ObjectIdentifier
	for _, u := range p.Extensions.ExtendedKeyUsage {
		oid, ok := extendedUsage(u.ExtendedKeyUsageType)
		if !ok {
			var err error
			if oid, err = parseOID(u.ExtendedKeyUsageObjectIdentifier); err != nil {
				return nil, err
			}
		}
		usages = append(usages, oid)
	}
	if usages != nil {
		der, err := asn1.Marshal(usages)
		if err != nil {
			return nil, faultf("pca-parameter", "ExtendedKeyUsage: %v", err)
		}
		all = append(all, extension{Id: oidExtKeyUsage, Value: der})
	}
	if names := p.Extensions.SubjectAlternativeNames; len(names) > 0 {
		e, err := altNames(names)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	for _, c := range p.Extensions.CustomExtensions {
		oid, err := parseOID(c.ObjectIdentifier)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(ownExtensions(), oid.Equal) {
			return nil, faultf("pca-parameter", "the custom extension %s is the CA's to write", c.ObjectIdentifier)
		}
		all = append(all, extension{Id: oid, Critical: c.Critical, Value: c.Value})
	}
	return all, nil
}

func (u *keyUsage) encode() extension {
	var all x509.KeyUsage
	for i, on := range []bool{
		u.DigitalSignature, u.NonRepudiation, u.KeyEncipherment, u.DataEncipherment, u.KeyAgreement,
		u.KeyCertSign, u.CRLSign, u.EncipherOnly, u.DecipherOnly,
	} {
		if on {
			all |= 1 << i
		}
	}
	return usage(all)
}

// altNames writes a SubjectAltName (RFC 5280, section 4.2.1.6).
func altNames(names []generalName) (extension, error) {
	var all []asn1.RawValue
	add := func(tag int, value []byte) {
		all = append(all, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: value})
	}
	for _, n := range names {
		switch {
		case n.Mail != "":
			add(1, []byte(n.Mail))
		case n.DNS != "":
			add(2, []byte(n.DNS))
		case n.URI != "":
			add(6, []byte(n.URI))
		case n.Directory != nil:
			der, err := n.Directory.encode()
			if err != nil {
				return extension{}, err
			}
			all = append(all, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: der})
		case n.IP != "":
			ip := net.ParseIP(n.IP)
			if ip == nil {
				return extension{}, faultf("pca-parameter", "%q is no IP address", n.IP)
			}
			if v4 := ip.To4(); v4 != nil {
				ip = v4
			}
			add(7, ip)
		default:
			return extension{}, faultf("operation-not-built", "this kind of SubjectAlternativeNames")
		}
	}
	der, err := asn1.Marshal(all)
	if err != nil {
		return extension{}, faultf("pca-parameter", "SubjectAlternativeNames: %v", err)
	}
	return extension{Id: oidAltName, Value: der}, nil
}
