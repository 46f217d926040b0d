package proof

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"strings"
)

// blocks returns the file's PEM blocks, at least one, or those that PKCS#12
// amounts to.
func (p *part) blocks(ask asker) ([]*pem.Block, error) {
	var err error
	switch {
	case p.opened != nil:
	case isPFX(p.data):
		p.opened, err = openPFX(p, ask)
	default:
		p.opened, err = p.pem()
	}
	return p.opened, err
}

// pem reads PEM blocks; text between them is passed over. pem.Decode skips a
// damaged block in silence, so that the leaf could be missing unseen: they are
// counted.
func (p *part) pem() ([]*pem.Block, error) {
	data := bytes.TrimPrefix(p.data, []byte("\xef\xbb\xbf"))
	begun := bytes.Count(data, []byte("\n-----BEGIN "))
	if bytes.HasPrefix(data, []byte("-----BEGIN ")) {
		begun++
	}
	var out []*pem.Block
	for rest := data; ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		out = append(out, b)
	}
	switch {
	case len(out) < begun:
		return nil, &mistake{
			text: fmt.Sprintf("%d of its %d PEM blocks is damaged or cut off", begun-len(out), begun),
			hint: "write the file anew, whole",
		}
	case len(out) == 0:
		return nil, notPEM(data, p.path)
	}
	return out, nil
}

// notPEM tells what a file is that holds no PEM block.
func notPEM(data []byte, path string) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return &mistake{text: "the file is empty"}
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return &mistake{text: "the file is UTF-16 text", hint: "write it in ASCII or UTF-8"}
	}
	to := fmt.Sprintf(" -in %s -out %s.pem", path, path)
	if _, err := x509.ParseCertificate(data); err == nil {
		return &mistake{text: "the certificate is DER, not PEM", hint: "openssl x509 -inform DER" + to}
	}
	if isKeyDER(data) {
		return &mistake{text: "the key is DER, not PEM", hint: "openssl pkey -inform DER" + to + ", with umask 077"}
	}
	if _, err := x509.ParseCertificateRequest(data); err == nil {
		return &mistake{text: "it is a certificate request, not a certificate", hint: requestHint}
	}
	var outer struct{ First asn1.RawValue } // asn1 passes over what follows
	switch _, err := asn1.Unmarshal(data, &outer); {
	case err == nil && outer.First.Tag == asn1.TagOID: // ContentInfo, RFC 5652 section 3
		return &mistake{text: "it is PKCS#7, not PEM", hint: "openssl pkcs7 -inform DER -print_certs" + to}
	case unmarshal(data, new(encryptedKey)) == nil:
		return &mistake{text: "the encrypted key is DER, not PEM", hint: "openssl pkcs8 -topk8 -v2 aes-256-cbc -inform DER" + to}
	case err != nil && bytes.HasPrefix(data, []byte{0x30, 0x82}): // a SEQUENCE of 256 bytes or more
		return &mistake{text: "it looks like DER or PKCS#12, damaged or cut off", hint: "write the file anew, whole"}
	}
	return &mistake{text: "it holds no PEM block", hint: "a PEM block begins with -----BEGIN at the start of a line"}
}

func isKeyDER(data []byte) bool {
	_, pkcs8 := x509.ParsePKCS8PrivateKey(data)
	_, sec1 := x509.ParseECPrivateKey(data)
	_, pkcs1 := x509.ParsePKCS1PrivateKey(data)
	return pkcs8 == nil || sec1 == nil || pkcs1 == nil
}

const requestHint = "send the request to your certificate authority and name the certificate that it returns"

// noCertificate tells what stands in the place of a certificate.
func noCertificate(blocks []*pem.Block, path string) error {
	switch kind := blocks[0].Type; {
	case strings.HasSuffix(kind, "CERTIFICATE REQUEST"):
		return &mistake{text: "it holds a certificate request, no certificate", hint: requestHint}
	case kind == "TRUSTED CERTIFICATE":
		return &mistake{text: "it holds OpenSSL's own form of a certificate", hint: fmt.Sprintf("openssl x509 -in %s -out %s.pem", path, path)}
	case kind == "PKCS7" || kind == "CMS":
		return &mistake{text: "it is PKCS#7", hint: fmt.Sprintf("openssl pkcs7 -print_certs -in %s -out %s.pem", path, path)}
	case strings.HasSuffix(kind, "PRIVATE KEY"):
		return &mistake{text: "it holds a private key, no certificate", hint: "have certificate and private key changed places?"}
	default:
		return &mistake{text: "it holds no certificate"}
	}
}

// noKey tells what stands in the place of a private key, in the file that is
// asked for it.
func noKey(blocks []*pem.Block, what string) error {
	kind := blocks[0].Type
	switch {
	case strings.HasSuffix(kind, "CERTIFICATE REQUEST"):
		return &mistake{text: "it holds a certificate request, no private key", hint: requestHint}
	case what == certificateFile:
		return &mistake{text: "it holds no private key, and no file of its own is named for that", hint: "name the private key's file"}
	case strings.HasSuffix(kind, "PUBLIC KEY"):
		return &mistake{text: "it holds a public key, no private key"}
	case kind == "CERTIFICATE":
		return &mistake{text: "it holds a certificate, no private key", hint: "have certificate and private key changed places?"}
	}
	return &mistake{text: "it holds no private key"}
}

// unknownKey tells what a private key is that cannot be read.
func unknownKey(kind, path string) error {
	switch kind {
	case "OPENSSH PRIVATE KEY":
		return &mistake{text: "the key is in OpenSSH's form", hint: "ssh-keygen -p -m PKCS8 -f " + path}
	case "TSS2 PRIVATE KEY":
		return &mistake{text: "keys in TPMs are not supported yet", hint: "name a PEM file"}
	}
	return &mistake{text: "the private key is of a kind that Roles Anywhere does not take", hint: "make an RSA key, or an EC key on P-256, P-384 or P-521, and a certificate for it"}
}
