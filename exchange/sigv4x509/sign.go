// Package sigv4x509 signs requests to AWS with a certificate's private key in
// place of a secret access key. It is pure: no clock, no files, no network.
//
// https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication-sign-process.html
package sigv4x509

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// MaxChain is the deepest chain that AWS takes beside the leaf.
const MaxChain = 5

// A Signer signs for one certificate, region and service.
type Signer struct {
	// Key is an RSA key or an ECDSA key on P-256, P-384 or P-521, the one of
	// Leaf. It is asked for PKCS#1 v1.5 or ASN.1 signatures of SHA-256 hashes.
	Key  crypto.Signer
	Leaf *x509.Certificate
	// Chain is sent beside the leaf, at most MaxChain certificates.
	Chain []*x509.Certificate
	// Region and Service stand in the scope: "eu-west-1", "rolesanywhere".
	Region, Service string
}

// Sign sets X-Amz-Date, X-Amz-X509, X-Amz-X509-Chain and Authorization, and
// brings the query into canonical order. It signs the host, Content-Type and
// every X-Amz- header; others are not protected. body is what r will send;
// Sign does not touch r.Body.
func (s Signer) Sign(r *http.Request, body []byte, at time.Time) error {
	algorithm, err := algorithm(s.Key)
	if err != nil {
		return err
	}
	if len(s.Chain) > MaxChain {
		return fmt.Errorf("the chain holds %d certificates, AWS takes at most %d", len(s.Chain), MaxChain)
	}
	date := at.UTC().Format("20060102T150405Z")
	r.Header.Del("Authorization")
	r.Header.Set("X-Amz-Date", date)
	r.Header.Set("X-Amz-X509", base64.StdEncoding.EncodeToString(s.Leaf.Raw))
	r.Header.Del("X-Amz-X509-Chain")
	if len(s.Chain) > 0 {
		var chain []string
		for _, c := range s.Chain {
			chain = append(chain, base64.StdEncoding.EncodeToString(c.Raw))
		}
		r.Header.Set("X-Amz-X509-Chain", strings.Join(chain, ","))
	}
	if r.URL.RawQuery, err = canonicalQuery(r.URL.RawQuery); err != nil {
		return err
	}
	signed := signedHeaders(r)
	canonical := canonicalRequest(r, signed, body)
	scope := strings.Join([]string{date[:8], s.Region, s.Service, "aws4_request"}, "/")
	signature, err := sign(s.Key, stringToSign(algorithm, date, scope, canonical))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", fmt.Sprintf("%s Credential=%s/%s, SignedHeaders=%s, Signature=%s",
		algorithm, s.Leaf.SerialNumber, scope, strings.Join(signed, ";"), signature))
	return nil
}

func algorithm(key crypto.Signer) (string, error) {
	if key == nil {
		return "", errors.New("there is no key to sign with")
	}
	switch public := key.Public().(type) {
	case *rsa.PublicKey:
		return "AWS4-X509-RSA-SHA256", nil
	case *ecdsa.PublicKey:
		switch public.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return "AWS4-X509-ECDSA-SHA256", nil
		}
		return "", fmt.Errorf("cannot sign with a key on curve %s", public.Curve.Params().Name)
	default:
		return "", fmt.Errorf("cannot sign with a key of type %T", public)
	}
}

func stringToSign(algorithm, date, scope, canonical string) string {
	return algorithm + "\n" + date + "\n" + scope + "\n" + hexSHA256([]byte(canonical))
}

// sign hashes with SHA-256 whatever the curve; there is no derived key.
func sign(key crypto.Signer, text string) (string, error) {
	sum := sha256.Sum256([]byte(text))
	signature, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("signing with the certificate's key: %w", err)
	}
	return hex.EncodeToString(signature), nil
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
