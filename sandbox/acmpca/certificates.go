package acmpca

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"strings"

	"daypass.dev/sandbox/world"
)

// keyBits is what a key identifier is the hash of (RFC 5280, section 4.2.1.2).
func keyBits(csr *x509.CertificateRequest) []byte {
	var spki struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(csr.RawSubjectPublicKeyInfo, &spki); err != nil {
		return csr.RawSubjectPublicKeyInfo
	}
	return spki.Key.Bytes
}

func get(q *request) (any, error) {
	var in struct {
		named
		CertificateArn string
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	if err := q.enter(in.CertificateAuthorityArn); err != nil {
		return nil, err
	}
	answer := map[string]string{}
	err := q.view(in.CertificateAuthorityArn, func(owner *world.Account, ca *world.PrivateCA) error {
		id := strings.TrimPrefix(in.CertificateArn, ca.ARN+"/certificate/")
		c := owner.PrivateCertificates[ca.ID+"/"+id]
		switch {
		case c == nil:
			return faultf("pca-certificate-missing", "%s has no certificate %s", ca.ARN, in.CertificateArn)
		case q.Time.Before(c.Ready):
			return faultf("pca-in-progress", "%s is being issued", c.ARN)
		}
		answer["Certificate"] = strings.TrimSpace(c.PEM)
		if c.Chain != "" {
			answer["CertificateChain"] = strings.TrimSpace(c.Chain)
		}
		return nil
	})
	return answer, err
}

// reasons are the revocation reasons with their codes of RFC 5280, section
// 5.3.1.
func reasons() map[string]int {
	return map[string]int{
		"UNSPECIFIED": 0, "KEY_COMPROMISE": 1, "CERTIFICATE_AUTHORITY_COMPROMISE": 2, "AFFILIATION_CHANGED": 3,
		"SUPERSEDED": 4, "CESSATION_OF_OPERATION": 5, "PRIVILEGE_WITHDRAWN": 9, "A_A_COMPROMISE": 10,
	}
}

func revoke(q *request) (any, error) {
	var in struct {
		named
		CertificateSerial, RevocationReason string
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	if err := q.enter(in.CertificateAuthorityArn); err != nil {
		return nil, err
	}
	if _, ok := reasons()[in.RevocationReason]; !ok {
		return nil, faultf("pca-parameter", "RevocationReason is %q", in.RevocationReason)
	}
	number, ok := new(big.Int).SetString(strings.ReplaceAll(in.CertificateSerial, ":", ""), 16)
	if !ok {
		return nil, faultf("pca-parameter", "CertificateSerial is %q, not hexadecimal", in.CertificateSerial)
	}
	return nil, q.change(in.CertificateAuthorityArn, func(owner *world.Account, ca *world.PrivateCA) error {
		if s := status(ca, q.Time); s != active && s != disabled {
			return faultf("pca-state", "%s is %s", ca.ARN, s)
		}
		if certificateOf(ca).SerialNumber.Cmp(number) == 0 {
			return faultf("pca-revoke-self", "%X is the CA's own certificate", number)
		}
		c := owner.PrivateCertificates[ca.ID+"/"+number.Text(16)]
		switch {
		case c == nil:
			return faultf("pca-certificate-missing", "%s has no certificate of serial %X", ca.ARN, number)
		case !c.Revoked.IsZero():
			return faultf("pca-revoked-already", "%s was revoked at %s", c.ARN, c.Revoked)
		}
		before := *c
		c.Revoked, c.Reason = q.Time, in.RevocationReason
		if err := q.publish(owner, ca); err != nil {
			*c = before
			return err
		}
		q.Changed(world.Thing{Kind: "private-certificate", Account: owner.ID, Name: c.ID})
		return nil
	})
}
