package pki

import (
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// openssl runs the program in dir; the test is skipped where there is none.
func openssl(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("skipped: openssl is not installed")
	}
	cmd := exec.Command("openssl", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func mustOpenssl(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := openssl(t, dir, args...)
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// walkCertificates makes the CA and the leaf of the original walk, with its
// configuration and its commands.
func walkCertificates(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	config, err := filepath.Abs("testdata/v3.ext")
	if err != nil {
		t.Fatal(err)
	}
	mustOpenssl(t, dir, "genrsa", "-aes256", "-passout", "pass:CA", "-out", "ca_key.pem", "2048")
	mustOpenssl(t, dir, "req", "-batch", "-new", "-x509", "-nodes", "-days", "1095", "-config", config,
		"-key", "ca_key.pem", "-passin", "pass:CA", "-out", "ca_cert.pem")
	mustOpenssl(t, dir, "req", "-newkey", "rsa:2048", "-passout", "pass:leaf", "-subj", "/C=AU/ST=Some-State/O=Internet Widgits Pty Ltd/CN=myContainer",
		"-keyout", "key.pem", "-out", "csr.pem")
	mustOpenssl(t, dir, "x509", "-req", "-days", "1", "-sha256", "-set_serial", "01", "-in", "csr.pem", "-out", "cert.pem",
		"-CA", "ca_cert.pem", "-CAkey", "ca_key.pem", "-passin", "pass:CA", "-extfile", config, "-extensions", "v3_cert")
	mustOpenssl(t, dir, "pkey", "-in", "key.pem", "-passin", "pass:leaf", "-out", "plainkey.pem")
	mustOpenssl(t, dir, "pkey", "-in", "ca_key.pem", "-passin", "pass:CA", "-out", "plain_ca_key.pem")
	return dir
}

func file(t *testing.T, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestTheCertificatesOfTheOriginalWalkPass(t *testing.T) {
	dir := walkCertificates(t)
	leaf := must(ParseCertificates(file(t, dir, "cert.pem")))
	anchors := must(ParseCertificates(file(t, dir, "ca_cert.pem")))
	key := must(ParseKey(file(t, dir, "plainkey.pem")))
	var remarks []string
	findings := Check(Evidence{Leaf: leaf[0], Key: key.Public(), Anchors: anchors, Bundle: file(t, dir, "ca_cert.pem")}, time.Now())
	for _, f := range findings {
		if f.Verdict != Pass {
			remarks = append(remarks, fmt.Sprintf("%s %s %s", f.Rule, f.Verdict, f.On))
		}
	}
	want := []string{"ca-crl-sign warn anchor", "leaf-client-auth warn leaf"}
	if Refused(findings) || !slices.Equal(remarks, want) {
		t.Errorf("got %q, want %q", remarks, want)
	}
	s := SessionOf(leaf[0])
	if s.Name != "01" || s.SourceIdentity != "CN=myContainer" || len(s.Dropped) != 0 {
		t.Errorf("session %+v", s)
	}
	caKey := must(ParseKey(file(t, dir, "plain_ca_key.pem")))
	_, err := CA{Certificate: anchors[0], Signer: caKey}.CRL(nil, 1, time.Now(), time.Now().Add(time.Hour))
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Slug != "ca-crl-sign" {
		t.Errorf("revoking under that CA: %v", err)
	}
}

func TestOpensslTakesWhatIsIssued(t *testing.T) {
	for _, kind := range []string{"ec-p256", "ec-p384", "rsa-2048"} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name string, data []byte) {
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			now := time.Now()
			ca := must(NewCA(must(NewKey(kind)), pkix.Name{CommonName: "ca"}, 24*time.Hour, now))
			key := must(NewKey(kind))
			leaf := must(ca.Issue(testLeaf(key.Public()), now))
			write("ca.pem", EncodeCertificate(ca.Certificate))
			write("leaf.pem", EncodeCertificate(leaf))
			write("key.pem", must(EncodeKey(key)))
			write("crl0.pem", must(ca.CRL(nil, 1, now, now.Add(time.Hour))))
			write("crl1.pem", must(ca.CRL([]Revoked{{leaf.SerialNumber, now}}, 2, now, now.Add(time.Hour))))

			verify := []string{"verify", "-x509_strict", "-purpose", "sslclient", "-crl_check", "-CAfile", "ca.pem"}
			mustOpenssl(t, dir, append(verify, "-CRLfile", "crl0.pem", "leaf.pem")...)
			out, err := openssl(t, dir, append(verify, "-CRLfile", "crl1.pem", "leaf.pem")...)
			if err == nil || !strings.Contains(out, "certificate revoked") {
				t.Errorf("verifying the revoked leaf: %v\n%s", err, out)
			}
			if out := mustOpenssl(t, dir, "crl", "-in", "crl1.pem", "-CAfile", "ca.pem", "-noout", "-text", "-crlnumber"); !strings.Contains(out, "verify OK") {
				t.Errorf("openssl crl: %s", out)
			}
			if got, want := mustOpenssl(t, dir, "pkey", "-in", "key.pem", "-pubout"), mustOpenssl(t, dir, "x509", "-in", "leaf.pem", "-noout", "-pubkey"); got != want {
				t.Errorf("the key's public half is\n%s\nthe leaf's\n%s", got, want)
			}
		})
	}
}

func TestOpensslsRequestsAndKeysAreRead(t *testing.T) {
	dir := t.TempDir()
	for _, row := range []struct {
		name string
		args []string
	}{
		{"RSA in PKCS#8", []string{"genrsa", "-out", "key", "2048"}},
		{"RSA in PKCS#1", []string{"genrsa", "-traditional", "-out", "key", "2048"}},
		{"EC with parameters, SEC 1", []string{"ecparam", "-name", "prime256v1", "-genkey", "-out", "key"}},
		{"EC in PKCS#8", []string{"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out", "key"}},
	} {
		mustOpenssl(t, dir, row.args...)
		mustOpenssl(t, dir, "req", "-new", "-key", "key", "-subj", "/CN=web", "-out", "csr", "-text",
			"-addext", "basicConstraints=CA:FALSE", "-addext", "keyUsage=digitalSignature,keyEncipherment")
		key, err := ParseKey(file(t, dir, "key"))
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		public, err := RequestKey(file(t, dir, "csr"))
		if err != nil || !sameKey(public, key.Public()) {
			t.Errorf("%s: request: %v", row.name, err)
		}
	}
	mustOpenssl(t, dir, "genrsa", "-aes256", "-passout", "pass:x", "-out", "key", "2048")
	if _, err := ParseKey(file(t, dir, "key")); err == nil || !strings.Contains(err.Error(), "encrypted") {
		t.Errorf("encrypted key: %v", err)
	}
	mustOpenssl(t, dir, "genrsa", "-aes256", "-traditional", "-passout", "pass:x", "-out", "key", "2048")
	if _, err := ParseKey(file(t, dir, "key")); err == nil || !strings.Contains(err.Error(), "encrypted") {
		t.Errorf("encrypted key, older form: %v", err)
	}
}
