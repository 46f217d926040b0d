// Floor does the least that any client of CreateSession must do, with nothing
// around it: load a key and a certificate, sign, one TLS handshake, one POST.
// The CPU that it takes is the measure for daypass credential-process.
//
// usage: floor CERTIFICATE KEY CA ENDPOINT REGION PROFILE-ARN ROLE-ARN ANCHOR-ARN
package main

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "floor: error:", err)
		os.Exit(1)
	}
}

func run(a []string) error {
	if len(a) != 8 {
		return fmt.Errorf("want 8 arguments, got %d", len(a))
	}
	leaf, err := block(a[0])
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(leaf)
	if err != nil {
		return err
	}
	der, err := block(a[1])
	if err != nil {
		return err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(a[2])
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	req, err := signed(cert, key.(crypto.Signer), a[3], a[4], a[5], a[6], a[7])
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	var set struct {
		CredentialSet []struct {
			Credentials struct{ AccessKeyID string }
		}
	}
	if err := json.Unmarshal(answer, &set); err != nil || len(set.CredentialSet) == 0 {
		return fmt.Errorf("status %d: %s", resp.StatusCode, answer)
	}
	return nil
}

func block(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b, _ := pem.Decode(data)
	if b == nil {
		return nil, fmt.Errorf("%s: no PEM block", path)
	}
	return b.Bytes, nil
}

func signed(cert *x509.Certificate, key crypto.Signer, endpoint, region, profile, role, anchor string) (*http.Request, error) {
	const body = `{"durationSeconds":3600}`
	query := "profileArn=" + escape(profile) + "&roleArn=" + escape(role) + "&trustAnchorArn=" + escape(anchor)
	req, err := http.NewRequest("POST", endpoint+"/sessions?"+query, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	algorithm := "AWS4-X509-RSA-SHA256"
	if cert.PublicKeyAlgorithm == x509.ECDSA {
		algorithm = "AWS4-X509-ECDSA-SHA256"
	}
	date := time.Now().UTC().Format("20060102T150405Z")
	x := base64.StdEncoding.EncodeToString(cert.Raw)
	scope := date[:8] + "/" + region + "/rolesanywhere/aws4_request"
	const names = "content-type;host;x-amz-date;x-amz-x509"
	canonical := "POST\n/sessions\n" + query + "\ncontent-type:application/json\nhost:" + req.URL.Host +
		"\nx-amz-date:" + date + "\nx-amz-x509:" + x + "\n\n" + names + "\n" + hash(body)
	digest := sha256.Sum256([]byte(algorithm + "\n" + date + "\n" + scope + "\n" + hash(canonical)))
	signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Amz-Date", date)
	req.Header.Set("X-Amz-X509", x)
	req.Header.Set("Authorization", algorithm+" Credential="+cert.SerialNumber.String()+"/"+scope+
		", SignedHeaders="+names+", Signature="+hex.EncodeToString(signature))
	return req, nil
}

func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
