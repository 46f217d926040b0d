package privateca

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acmpca"
	"github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
)

const (
	// otherwise is the life of a certificate that none was asked for.
	otherwise = 30 * 24 * time.Hour
	// maxShortLived is what a CA in short-lived mode issues at most.
	maxShortLived = 7 * 24 * time.Hour
	// slack is for AWS's clock being behind ours.
	slack = time.Minute
)

// ask is the call that a request comes to. It is the same for every try of a
// while, so that Private CA takes them for one. said is what the request does
// not get as asked; nil: it gets all.
func ask(cr *cmapi.CertificateRequest, ca *authority, now time.Time) (in *acmpca.IssueCertificateInput, said *sorted, err error) {
	csr, err := readCSR(cr.Spec.Request)
	if err != nil {
		return nil, nil, err
	}
	switch key := csr.PublicKey.(type) {
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < 2048 || n > 4096 {
			return nil, nil, failf("pca-csr-key", "the CSR's key is RSA of %d bits", n)
		}
	case *ecdsa.PublicKey:
	default:
		return nil, nil, failf("pca-csr-key", "the CSR's key is of the kind %s", csr.PublicKeyAlgorithm)
	}
	if len(csr.Subject.Names) == 0 && len(csr.DNSNames)+len(csr.URIs)+len(csr.IPAddresses)+len(csr.EmailAddresses) == 0 {
		return nil, nil, failf("pca-csr-name", "the CSR has no name at all")
	}
	end, said := until(cr, ca, now)
	token := sha256.Sum256(append([]byte(cr.UID), cr.Spec.Request...))
	return &acmpca.IssueCertificateInput{
		CertificateAuthorityArn: &ca.arn, Csr: cr.Spec.Request, SigningAlgorithm: ca.signing,
		TemplateArn:      aws.String(ca.templateARN(templateOf(cr, ca))),
		Validity:         &types.Validity{Type: types.ValidityPeriodTypeAbsolute, Value: aws.Int64(end.Unix())},
		IdempotencyToken: aws.String(hex.EncodeToString(token[:16])),
	}, said, nil
}

func readCSR(text []byte) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, failf("pca-csr", "spec.request holds no PEM")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err == nil {
		err = csr.CheckSignature()
	}
	if err != nil {
		return nil, failf("pca-csr", "spec.request: %v", err)
	}
	return csr, nil
}

// until is when the certificate ends: so long after the request's approval as
// was asked for. Where a request waits for longer than half of that, it counts
// from later, by whole halves: between them, all tries ask for the same.
func until(cr *cmapi.CertificateRequest, ca *authority, now time.Time) (time.Time, *sorted) {
	life := otherwise
	if cr.Spec.Duration != nil {
		life = cr.Spec.Duration.Duration
	}
	var said *sorted
	if ca.shortLived && life > maxShortLived {
		said = &sorted{fails, "pca-short-lived", fmt.Sprintf("%s was asked for; the certificate lives 7 days", life)}
		life = maxShortLived
	}
	from := cr.CreationTimestamp.Time
	if c := condition(cr, cmapi.CertificateRequestConditionApproved); c != nil && c.Status == cmmeta.ConditionTrue && c.LastTransitionTime != nil {
		from = c.LastTransitionTime.Time
	}
	if half := life / 2; half > 0 {
		from = from.Add(max(now.Sub(from), 0) / half * half)
	}
	end := from.Add(life - slack)
	if end.After(ca.end) {
		end = ca.end
		said = &sorted{fails, "pca-beyond-ca", fmt.Sprintf("the certificate ends with the CA's own, at %s", ca.end.UTC().Format(time.RFC3339))}
	}
	return end, said
}

// templateOf is the template that fits what a request asks for, as
// aws-privateca-issuer chooses: policies in AWS are written for it.
func templateOf(cr *cmapi.CertificateRequest, ca *authority) string {
	if ca.template != "" {
		return ca.template
	}
	if cr.Spec.IsCA {
		return "SubordinateCACertificate_PathLen0/V1"
	}
	usages := slices.Clone(cr.Spec.Usages)
	slices.Sort(usages)
	switch {
	case slices.Equal(usages, []cmapi.KeyUsage{cmapi.UsageCodeSigning}):
		return "CodeSigningCertificate/V1"
	case slices.Equal(usages, []cmapi.KeyUsage{cmapi.UsageClientAuth}):
		return "EndEntityClientAuthCertificate/V1"
	case slices.Equal(usages, []cmapi.KeyUsage{cmapi.UsageServerAuth}):
		return "EndEntityServerAuthCertificate/V1"
	case slices.Equal(usages, []cmapi.KeyUsage{cmapi.UsageOCSPSigning}):
		return "OCSPSigningCertificate/V1"
	case slices.Equal(usages, []cmapi.KeyUsage{cmapi.UsageClientAuth, cmapi.UsageServerAuth}):
		return "EndEntityCertificate/V1"
	}
	return "BlankEndEntityCertificate_APICSRPassthrough/V1"
}
