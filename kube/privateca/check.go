package privateca

import (
	"bytes"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"

	"daypass.dev/pki"
)

// check holds what Private CA has issued to what was asked for, and returns it
// as cert-manager wants it: the leaf with its intermediates, and the top of the
// chain.
func check(cr *cmapi.CertificateRequest, certificate, chain string) (leaf, authority []byte, err error) {
	csr, err := readCSR(cr.Spec.Request)
	if err != nil {
		return nil, nil, err
	}
	all, err := pki.ParseCertificates([]byte(certificate + "\n" + chain))
	if err != nil {
		return nil, nil, failf("issuer-foreign-certificate", "Private CA's answer: %v", err)
	}
	first := all[0]
	switch {
	case !bytes.Equal(first.RawSubjectPublicKeyInfo, csr.RawSubjectPublicKeyInfo):
		return nil, nil, failf("issuer-foreign-certificate", "the certificate %q is not for the CSR's key", first.Subject)
	case first.IsCA != cr.Spec.IsCA:
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
