package rolesanywhere

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"daypass.dev/sandbox/sigv4"
)

// The algorithms of the User Guide's "signing process". The last is AWS's and
// not built here.
const (
	algorithmRSA   = "AWS4-X509-RSA-SHA256"
	algorithmECDSA = "AWS4-X509-ECDSA-SHA256"
	algorithmMLDSA = "AWS4-X509-MLDSA"
)

const (
	maxSkew    = 15 * time.Minute
	maxChain   = 5
	dateLayout = "20060102T150405Z"
)

// A caller is who signed a request: a certificate whose key is proved, and
// nothing more. Whether anybody trusts it is another question.
type caller struct {
	leaf *x509.Certificate
	// chain is as sent, in any order, with whatever else was sent.
	chain []*x509.Certificate
}

// authenticate verifies a request signed with a certificate's key. The raw
// request target counts, and body must be the bytes as sent.
func authenticate(r *http.Request, body []byte, region string, now time.Time) (*caller, *fault) {
	auth, f := authorization(r)
	if f != nil {
		return nil, f
	}
	who, f := certificates(r)
	if f != nil {
		return nil, f
	}
	if f := algorithmFault(auth.Algorithm, who.leaf); f != nil {
		return nil, f
	}
	for _, name := range []string{"content-type", "host", "x-amz-date", "x-amz-x509", "x-amz-x509-chain"} {
		if name == "x-amz-x509-chain" && who.chain == nil {
			continue
		}
		if !slices.Contains(auth.SignedHeaders, name) {
			return nil, faultf("x509-unsigned-header", "%s is not signed; signed are %s", name, strings.Join(auth.SignedHeaders, ";"))
		}
	}
	date, f := signingDate(r, auth, region, now)
	if f != nil {
		return nil, f
	}
	if serial := who.leaf.SerialNumber.String(); auth.KeyID != serial {
		return nil, faultf("x509-serial", "Credential names the serial number %q, the leaf's is %s", auth.KeyID, serial)
	}
	sum := sha256.Sum256(body)
	canonical, err := sigv4.Canonical(r, auth.SignedHeaders, hex.EncodeToString(sum[:]), false)
	if err != nil {
		return nil, faultf("x509-authorization", "%v", err)
	}
	if !verifies(who.leaf, sigv4.StringToSign(auth.Algorithm, date, auth.Scope(), canonical), auth.Signature) {
		return nil, faultf("x509-signature", "the signature over %d signed headers and a body of %d bytes does not verify with the %s key of leaf %q",
			len(auth.SignedHeaders), len(body), who.leaf.PublicKeyAlgorithm, who.leaf.Subject)
	}
	return who, nil
}

func authorization(r *http.Request) (*sigv4.Authorization, *fault) {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 {
		return nil, faultf("x509-authorization", "the request has %d Authorization headers", len(headers))
	}
	auth, err := sigv4.ParseAuthorization(headers[0])
	if err != nil {
		return nil, faultf("x509-authorization", "%v", err)
	}
	return auth, nil
}

// signingDate checks X-Amz-Date, the scope and the clock, and returns the
// date as sent.
func signingDate(r *http.Request, auth *sigv4.Authorization, region string, now time.Time) (string, *fault) {
	dates := r.Header.Values("X-Amz-Date")
	if len(dates) != 1 {
		return "", faultf("x509-date", "the request has %d X-Amz-Date headers", len(dates))
	}
	at, err := time.Parse(dateLayout, dates[0])
	if err != nil {
		return "", faultf("x509-date", "X-Amz-Date is %q", dates[0])
	}
	if auth.Date != dates[0][:8] || auth.Region != region || auth.Service != signingName {
		return "", faultf("x509-scope", "the scope is %s, the request is of %s for %s in %s", auth.Scope(), dates[0][:8], signingName, region)
	}
	if skew := now.Sub(at); skew > maxSkew || skew < -maxSkew {
		return "", faultf("x509-clock", "the request was signed at %s, it is %s", utc(at), utc(now))
	}
	return dates[0], nil
}

// certificates reads the leaf and the chain out of their headers.
func certificates(r *http.Request) (*caller, *fault) {
	leaves := r.Header.Values("X-Amz-X509")
	if len(leaves) != 1 {
		return nil, faultf("x509-header", "the request has %d X-Amz-X509 headers", len(leaves))
	}
	leaf, err := decodeCertificate(leaves[0])
	if err != nil {
		return nil, faultf("x509-header", "%v", err)
	}
	who := &caller{leaf: leaf}
	chains := r.Header.Values("X-Amz-X509-Chain")
	if len(chains) == 0 {
		return who, nil
	}
	if len(chains) > 1 {
		return nil, faultf("x509-chain-header", "the request has %d X-Amz-X509-Chain headers", len(chains))
	}
	links := strings.Split(chains[0], ",")
	if len(links) > maxChain {
		return nil, faultf("chain-depth", "%d certificates are sent as a chain", len(links))
	}
	for i, link := range links {
		c, err := decodeCertificate(link)
		if err != nil {
			return nil, faultf("x509-chain-header", "certificate %d of the chain: %v", i+1, err)
		}
		who.chain = append(who.chain, c)
	}
	return who, nil
}

func decodeCertificate(text string) (*x509.Certificate, error) {
	der, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// algorithmFault checks that algorithm and key fit, and that the key is one
// to verify with.
func algorithmFault(algorithm string, leaf *x509.Certificate) *fault {
	if algorithm == algorithmMLDSA {
		return faultf("x509-mldsa", "the request is signed with %s", algorithm)
	}
	if algorithm != algorithmRSA && algorithm != algorithmECDSA {
		return faultf("x509-algorithm", "the request is signed with %q", algorithm)
	}
	if f := keyFault(leaf); f != nil {
		return f
	}
	if _, isRSA := leaf.PublicKey.(*rsa.PublicKey); isRSA != (algorithm == algorithmRSA) {
		return faultf("x509-algorithm", "the request is signed with %s and the leaf's key is %s", algorithm, leaf.PublicKeyAlgorithm)
	}
	return nil
}

// verifies checks a signature in lower-case hex over SHA-256 of a text:
// RSASSA-PKCS1-v1_5, or ECDSA in DER, with SHA-256 whatever the curve.
func verifies(leaf *x509.Certificate, text, signature string) bool {
	raw, err := hex.DecodeString(signature)
	if err != nil || signature != strings.ToLower(signature) {
		return false
	}
	sum := sha256.Sum256([]byte(text))
	switch key := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], raw) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, sum[:], raw)
	}
	return false
}
