package acmpca

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"time"

	"daypass.dev/sandbox/world"
)

func getCSR(q *request) (any, error) {
	var in named
	if err := q.read(&in); err != nil {
		return nil, err
	}
	if err := q.enter(in.CertificateAuthorityArn); err != nil {
		return nil, err
	}
	var csr string
	err := q.view(in.CertificateAuthorityArn, func(_ *world.Account, ca *world.PrivateCA) error {
		if status(ca, q.Time) == creating {
			return faultf("pca-in-progress", "the key of %s is being made", ca.ARN)
		}
		csr = ca.CSR
		return nil
	})
	return map[string]string{"Csr": csr}, err
}

func getCACertificate(q *request) (any, error) {
	var in named
	if err := q.read(&in); err != nil {
		return nil, err
	}
	if err := q.enter(in.CertificateAuthorityArn); err != nil {
		return nil, err
	}
	answer := map[string]string{}
	err := q.view(in.CertificateAuthorityArn, func(_ *world.Account, ca *world.PrivateCA) error {
		if ca.Certificate == "" {
			return faultf("pca-state", "%s is %s", ca.ARN, status(ca, q.Time))
		}
		answer["Certificate"] = ca.Certificate
		if ca.Chain != "" {
			answer["CertificateChain"] = ca.Chain
		}
		return nil
	})
	return answer, err
}

func importCertificate(q *request) (any, error) {
	var in struct {
		named
		Certificate, CertificateChain []byte
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	if err := q.enter(in.CertificateAuthorityArn); err != nil {
		return nil, err
	}
	c, err := parseCertificate(in.Certificate)
	if err != nil {
		return nil, err
	}
	return nil, q.change(in.CertificateAuthorityArn, func(owner *world.Account, ca *world.PrivateCA) error {
		if s := status(ca, q.Time); s == creating || s == deleted {
			return faultf("pca-state", "%s is %s", ca.ARN, s)
		}
		if err := fits(ca, c, in.CertificateChain, q.Time); err != nil {
			return err
		}
		ca.Certificate, ca.Chain = string(bytes.TrimSpace(in.Certificate))+"\n", string(in.CertificateChain)
		return q.publish(owner, ca)
	})
}

// fits holds a certificate to what the CA's own must be.
func fits(ca *world.PrivateCA, c *x509.Certificate, chain []byte, now time.Time) error {
	block, _ := pem.Decode([]byte(ca.CSR))
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return err
	}
	switch {
	case !bytes.Equal(csr.RawSubjectPublicKeyInfo, c.RawSubjectPublicKeyInfo):
		return faultf("pca-import-mismatch", "the certificate of %q is not for the CA's key", c.Subject)
	case !bytes.Equal(csr.RawSubject, c.RawSubject):
		return faultf("pca-import-mismatch", "the certificate's subject is %q, the CSR's %q", c.Subject, csr.Subject)
	case !c.BasicConstraintsValid || !c.IsCA || c.KeyUsage&x509.KeyUsageCertSign == 0:
		return faultf("pca-import", "%q is not certified as a CA", c.Subject)
	case now.After(c.NotAfter):
		return faultf("pca-import", "%q was valid until %s", c.Subject, c.NotAfter)
	case ca.Type == root && len(chain) > 0:
		return faultf("pca-import", "a root CA has no chain")
	case ca.Type == root && c.CheckSignatureFrom(c) != nil:
		return faultf("pca-import", "the certificate of the root CA %q is not signed by itself", c.Subject)
	case ca.Type == subordinate:
		return chainFits(c, chain)
	}
	return nil
}

// chainFits wants each certificate to be signed by the next, the last by
// itself.
func chainFits(c *x509.Certificate, chain []byte) error {
	if len(bytes.TrimSpace(chain)) == 0 {
		return faultf("pca-import", "a subordinate CA's certificate needs its chain")
	}
	for {
		block, rest := pem.Decode(chain)
		if block == nil {
			break
		}
		chain = rest
		issuer, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return faultf("pca-import", "the chain: %v", err)
		}
		if err := c.CheckSignatureFrom(issuer); err != nil {
			return faultf("pca-import", "%q is not signed by %q: %v", c.Subject, issuer.Subject, err)
		}
		c = issuer
	}
	if err := c.CheckSignatureFrom(c); err != nil {
		return faultf("pca-import", "the chain ends at %q, which is no root", c.Subject)
	}
	return nil
}

func update(q *request) (any, error) {
	var in struct {
		named
		Status     string
		Revocation json.RawMessage `json:"RevocationConfiguration"`
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	if err := q.enter(in.CertificateAuthorityArn); err != nil {
		return nil, err
	}
	if in.Status != "" && in.Status != active && in.Status != disabled {
		return nil, faultf("pca-parameter", "Status is %q", in.Status)
	}
	return nil, q.change(in.CertificateAuthorityArn, func(owner *world.Account, ca *world.PrivateCA) error {
		if s := status(ca, q.Time); s != active && s != disabled {
			return faultf("pca-state", "%s is %s", ca.ARN, s)
		}
		if len(in.Revocation) > 0 {
			if err := q.setRevocation(owner, ca, in.Revocation); err != nil {
				return err
			}
		}
		if in.Status != "" {
			ca.Disabled = in.Status == disabled
		}
		return q.publish(owner, ca)
	})
}

func remove(q *request) (any, error) {
	var in struct {
		named
		PermanentDeletionTimeInDays int
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	if err := q.enter(in.CertificateAuthorityArn); err != nil {
		return nil, err
	}
	days := in.PermanentDeletionTimeInDays
	if days == 0 {
		days = 30
	}
	if days < 7 || days > 30 {
		return nil, faultf("pca-parameter", "PermanentDeletionTimeInDays is %d, not 7 to 30", days)
	}
	return nil, q.change(in.CertificateAuthorityArn, func(_ *world.Account, ca *world.PrivateCA) error {
		if s := status(ca, q.Time); s != pending && s != disabled && s != expired {
			return faultf("pca-state", "%s is %s", ca.ARN, s)
		}
		ca.Removed, ca.Restorable = q.Time, q.Time.AddDate(0, 0, days)
		return nil
	})
}

func restore(q *request) (any, error) {
	var in named
	if err := q.read(&in); err != nil {
		return nil, err
	}
	if err := q.enter(in.CertificateAuthorityArn); err != nil {
		return nil, err
	}
	return nil, q.change(in.CertificateAuthorityArn, func(_ *world.Account, ca *world.PrivateCA) error {
		if s := status(ca, q.Time); s != deleted {
			return faultf("pca-state", "%s is %s", ca.ARN, s)
		}
		ca.Removed, ca.Restorable, ca.Disabled = time.Time{}, time.Time{}, ca.Certificate != ""
		return nil
	})
}
