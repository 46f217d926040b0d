package rolesanywhere

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"math/big"
)

const revoked = "certificate-revoked"

// maxCRLBytes bounds a revocation list (API reference, ImportCrl).
const maxCRLBytes = 300_000

// parseCRL reads one revocation list in PEM, as AWS's text asks for, or DER,
// as its users report to work.
func parseCRL(data []byte) (*x509.RevocationList, *fault) {
	if len(data) > maxCRLBytes {
		return nil, faultf("crl-unreadable", "the list has %d bytes, more than %d", len(data), maxCRLBytes)
	}
	der := data
	if block, rest := pem.Decode(data); block != nil {
		if block.Type != "X509 CRL" || len(bytes.TrimSpace(rest)) > 0 {
			return nil, faultf("crl-unreadable", "the data is a PEM block %q with %d bytes behind it", block.Type, len(rest))
		}
		der = block.Bytes
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, faultf("crl-unreadable", "%v", err)
	}
	return list, nil
}

// crlSigner finds the CA that issued a list among those given. It is nil
// without a fault if none of them has the issuer's name: the list is then of a
// CA that only a session's chain can show.
func crlSigner(list *x509.RevocationList, cas []*x509.Certificate) (*x509.Certificate, *fault) {
	named := false
	for _, ca := range cas {
		if !bytes.Equal(ca.RawSubject, list.RawIssuer) {
			continue
		}
		named = true
		if ca.CheckSignature(list.SignatureAlgorithm, list.RawTBSRevocationList, list.Signature) != nil {
			continue
		}
		if ca.KeyUsage&x509.KeyUsageCRLSign == 0 {
			return nil, faultf("ca-crl-sign", "%q has keyUsage %s", ca.Subject, usages(ca.KeyUsage))
		}
		return ca, nil
	}
	if named {
		return nil, faultf("crl-signature", "the list of %q is signed by no key of that CA, with %s", list.Issuer, list.SignatureAlgorithm)
	}
	return nil, nil
}

// revocationFault looks for each certificate of a path on the lists. A list
// whose nextUpdate has passed still counts, so that a revoked certificate
// stays revoked: what AWS does with such a list is not documented and unchecked.
func revocationFault(path, anchors []*x509.Certificate, lists []*x509.RevocationList) *fault {
	cas := append(anchors[:len(anchors):len(anchors)], path[1:]...)
	for _, list := range lists {
		signer, f := crlSigner(list, cas)
		if f != nil {
			return f
		}
		if signer == nil {
			continue
		}
		for i, c := range path[:len(path)-1] {
			issuer := path[i+1]
			if !bytes.Equal(issuer.RawSubject, signer.RawSubject) || !bytes.Equal(issuer.RawSubjectPublicKeyInfo, signer.RawSubjectPublicKeyInfo) {
				continue
			}
			if e := entry(list, c.SerialNumber); e != nil {
				return faultf(revoked, "%q, serial %X, was revoked at %s by the list number %v of %q",
					c.Subject, c.SerialNumber, utc(e.RevocationTime), list.Number, list.Issuer)
			}
		}
	}
	return nil
}

func entry(list *x509.RevocationList, serial *big.Int) *x509.RevocationListEntry {
	for i, e := range list.RevokedCertificateEntries {
		if e.SerialNumber.Cmp(serial) == 0 {
			return &list.RevokedCertificateEntries[i]
		}
	}
	return nil
}
