package privateca

import (
	"bytes"
	"crypto/x509"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"

	"daypass.dev/pki"
)

// check holds what Private CA has issued to what was asked for, and returns it
// as cert-manager wants it: the leaf with its intermediates, and the top of the
// chain.
func check(cr *cmapi.CertificateRequest, certificate, chain string) (leaf, authority []byte, err error) {
	all, err := issued(cr, certificate+"\n"+chain)
	if err != nil {
		return nil, nil, err
	}
	if first := all[0]; first.IsCA != cr.Spec.IsCA {
		return nil, nil, failf("issuer-foreign-certificate", "isCA is %v and the certificate's basicConstraints say CA:%v", cr.Spec.IsCA, first.IsCA)
	}
	top := all[len(all)-1]
	for i, c := range all {
		// A root is nothing to send with a leaf. Where the chain ends below one,
		// its last certificate is all that is known of the top.
		if i == 0 || !bytes.Equal(c.RawIssuer, c.RawSubject) {
			leaf = append(leaf, pki.EncodeCertificate(c)...)
		}
	}
	return leaf, pki.EncodeCertificate(top), nil
}

// issued parses what Private CA has issued, of which the first must be for the
// CSR's key.
func issued(cr *cmapi.CertificateRequest, text string) ([]*x509.Certificate, error) {
	csr, err := readCSR(cr.Spec.Request)
	if err != nil {
		return nil, err
	}
	all, err := pki.ParseCertificates([]byte(text))
	switch {
	case err != nil:
		return nil, failf("issuer-foreign-certificate", "Private CA's answer: %v", err)
	case !bytes.Equal(all[0].RawSubjectPublicKeyInfo, csr.RawSubjectPublicKeyInfo):
		return nil, failf("issuer-foreign-certificate", "the certificate %q is not for the CSR's key", all[0].Subject)
	}
	return all, nil
}
