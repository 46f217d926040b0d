package acmpca

import (
	"crypto/x509"
	"encoding/asn1"
	"strconv"
	"strings"
)

// A template is what AWS fixes of a certificate (User Guide, "certificate
// template definitions"). What it fixes, neither API nor CSR can change.
type template struct {
	name string
	// fixed are key usage, extended key usage and basic constraints.
	fixed []extension
	// isCA templates make CAs; self is that of a root's own certificate.
	isCA, self bool
	pathLen    int // of a CA; -1: none
	// fromAPI and fromCSR say whose extensions are taken. Subject and subject
	// alternative name are always the CSR's, unless the API gives others.
	fromAPI, fromCSR bool
}

const templateName = ":acm-pca:::template/"

var (
	oidKeyUsage    = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidExtKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidBasic       = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidAltName     = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidCRLPoints   = asn1.ObjectIdentifier{2, 5, 29, 31}
)

// ownExtensions are always the CA's to write.
func ownExtensions() []asn1.ObjectIdentifier {
	return []asn1.ObjectIdentifier{oidBasic, oidCRLPoints, {2, 5, 29, 14}, {2, 5, 29, 35}}
}

// The extended key usages of templates and API (RFC 5280, section 4.2.1.12).
func extendedUsage(name string) (asn1.ObjectIdentifier, bool) {
	last, ok := map[string]int{
		"SERVER_AUTH": 1, "CLIENT_AUTH": 2, "CODE_SIGNING": 3, "EMAIL_PROTECTION": 4, "TIME_STAMPING": 8, "OCSP_SIGNING": 9,
	}[name]
	return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, last}, ok
}

const (
	signs     = x509.KeyUsageDigitalSignature
	enciphers = x509.KeyUsageKeyEncipherment
	certifies = x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign | x509.KeyUsageCRLSign
)

// templateOf reads a template's ARN; none is EndEntityCertificate/V1.
func templateOf(arn string) (template, error) {
	if arn == "" {
		arn = "arn:aws:acm-pca:::template/EndEntityCertificate/V1"
	}
	prefix, name, ok := strings.Cut(arn, templateName)
	for _, t := range templates() {
		if ok && strings.HasPrefix(prefix, "arn:aws") && t.name == name {
			return t, nil
		}
	}
	return template{}, faultf("pca-template", "TemplateArn is %q", arn)
}

// templates are all that AWS lists.
func templates() []template {
	all := []template{
		{name: "RootCACertificate/V1", self: true, isCA: true, pathLen: -1, fixed: fixed(basic(true, true, -1), usage(certifies))},
		{name: "RootCACertificate_APIPassthrough/V1", self: true, isCA: true, pathLen: -1, fromAPI: true, fixed: fixed(basic(true, true, -1), usage(certifies))},
		{name: "BlankRootCACertificate_APIPassthrough/V1", self: true, isCA: true, pathLen: -1, fromAPI: true, fixed: fixed(basic(true, true, -1))},
	}
	for n := range 4 {
		length := "_PathLen" + strconv.Itoa(n)
		all = append(all, passing(template{name: "SubordinateCACertificate" + length, isCA: true, pathLen: n, fixed: fixed(basic(true, true, n), usage(certifies))}, true)...)
		all = append(all, passing(template{name: "BlankSubordinateCACertificate" + length, isCA: true, pathLen: n, fixed: fixed(basic(true, true, n))}, false)...)
		all = append(all, template{
			name: "BlankRootCACertificate" + length + "_APIPassthrough/V1", self: true, isCA: true, pathLen: n, fromAPI: true,
			fixed: fixed(basic(true, true, n)),
		})
	}
	leaf := basic(false, false, -1)
	for _, t := range []template{
		{name: "EndEntityCertificate", fixed: fixed(leaf, usage(signs|enciphers), extended(false, "SERVER_AUTH", "CLIENT_AUTH"))},
		{name: "EndEntityClientAuthCertificate", fixed: fixed(leaf, usage(signs|enciphers), extended(false, "CLIENT_AUTH"))},
		{name: "EndEntityServerAuthCertificate", fixed: fixed(leaf, usage(signs|enciphers), extended(false, "SERVER_AUTH"))},
		{name: "CodeSigningCertificate", fixed: fixed(leaf, usage(signs), extended(true, "CODE_SIGNING"))},
		{name: "OCSPSigningCertificate", fixed: fixed(leaf, usage(signs), extended(true, "OCSP_SIGNING"))},
	} {
		all = append(all, passing(t, true)...)
	}
	all = append(all, passing(template{name: "BlankEndEntityCertificate", fixed: fixed(leaf)}, false)...)
	return append(all, passing(template{name: "BlankEndEntityCertificate_CriticalBasicConstraints", fixed: fixed(basic(true, false, -1))}, false)...)
}

// passing are a template's variants by what passes through it; plain says
// whether there is one through which nothing passes.
func passing(t template, plain bool) []template {
	var all []template
	for _, v := range []struct {
		suffix   string
		api, csr bool
	}{{"", false, false}, {"_APICSRPassthrough", true, true}, {"_APIPassthrough", true, false}, {"_CSRPassthrough", false, true}} {
		if v.suffix == "" && !plain {
			continue
		}
		one := t
		one.name, one.fromAPI, one.fromCSR = t.name+v.suffix+"/V1", v.api, v.csr
		all = append(all, one)
	}
	return all
}

func fixed(e ...extension) []extension { return e }

func basic(critical, ca bool, pathLen int) extension {
	value := struct {
		IsCA       bool `asn1:"optional"`
		MaxPathLen int  `asn1:"optional,default:-1"`
	}{ca, pathLen}
	return extension{Id: oidBasic, Critical: critical, Value: must(asn1.Marshal(value))}
}

func extended(critical bool, names ...string) extension {
	var oids []asn1.ObjectIdentifier
	for _, n := range names {
		oid, _ := extendedUsage(n)
		oids = append(oids, oid)
	}
	return extension{Id: oidExtKeyUsage, Critical: critical, Value: must(asn1.Marshal(oids))}
}

// usage writes keyUsage, whose first bit is the highest of the first byte.
func usage(u x509.KeyUsage) extension {
	bits := asn1.BitString{Bytes: make([]byte, 2)}
	for i := range 9 {
		if u&(1<<i) != 0 {
			bits.Bytes[i/8] |= 0x80 >> (i % 8)
			bits.BitLength = i + 1
		}
	}
	bits.Bytes = bits.Bytes[:(bits.BitLength+7)/8]
	return extension{Id: oidKeyUsage, Critical: true, Value: must(asn1.Marshal(bits))}
}

// must is for values that are the program's own.
func must(der []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return der
}
