package proof

import (
	"context"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"software.sslmate.com/src/go-pkcs12"
)

// Both are openssl's, of keys that are kept nowhere; the password is x.
const (
	encryptedPKCS8 = `-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAil5UK87JhdegICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEB3RKEIAL2u+RITOhtOLqwIEgZAQ
C1nz5JzN2Lvljfv4acya8SpRUHad3c11ChqfPN5Ip86sHOAZngSiTpByKzxR6Cpj
Ca3icp+G4t2Z6GqJ+Sv5wAS5oxDqN1yWV2/AwF0Bl+9yXL69HisCJRcq6MS1KA+h
7CNoXVFs9TwqJMon54IX7+upZWcc3aUwjGwVJifXIhwkIEB+UZhnK0YF14EMfVk=
-----END ENCRYPTED PRIVATE KEY-----
`
	encryptedSEC1 = `-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,7D31A146CFA0586C5B4DD80DC5DF4BB5

+UgtsIgShJPkT/qk8CSBTObLmxcw6J1zEurk0nfVTk27Bl2mvP2scDsvv+Ysu5zL
jS8GGYXzTlWDfLNbISgbiM0ySgt8Y4S0DACXb525XeHPk3IOjmrxp9fQdBGVQ8QU
wLXgjZXlJ6bwi83pw8tTTZB0jjBZhO1TmPkVjtupibM=
-----END EC PRIVATE KEY-----
`
)

// A blunder is content that people name in place of what is wanted.
type blunder struct {
	cert, key string
	what      string // the part that is blamed
	cause     string // a word of the error
	hint      string // a word of the hint; empty: none
}

func blunders(t testing.TB) map[string]blunder {
	p, other := newPair(t, "mine", nil), newPair(t, "another", nil)
	cert, key := p.certPEM(), p.keyPEM(t)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edwardsDER, err := x509.MarshalPKCS8PrivateKey(edwards)
	if err != nil {
		t.Fatal(err)
	}
	p12, err := pkcs12.Modern.Encode(p.key, p.cert, nil, "x")
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{p.cert}, "")
	if err != nil {
		t.Fatal(err)
	}
	encrypted, _ := pem.Decode([]byte(encryptedPKCS8))
	csr := block("CERTIFICATE REQUEST", request(t, p.key))
	public, err := x509.MarshalPKIXPublicKey(p.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	const c, k = certificateFile, keyFile
	return map[string]blunder{
		"encrypted PKCS#8":                {cert, encryptedPKCS8, k, "encrypted: no password", "its password"},
		"encrypted PKCS#8 in DER":         {cert, string(encrypted.Bytes), k, "DER", "openssl pkcs8"},
		"encrypted PKCS#8 in DER cut off": {cert, "\x30\x82" + string(encrypted.Bytes[3:40]), k, "cut off", "whole"},
		"encrypted SEC 1":                 {cert, encryptedSEC1, k, "encrypted: no password", "its password"},
		"key in DER":                      {cert, string(p.keyDER(t)), k, "DER", "openssl pkey -inform DER"},
		"certificate in DER":              {string(p.cert.Raw), key, c, "DER", "openssl x509 -inform DER"},
		"PKCS#12":                         {string(p12), "", c, "encrypted: no password", "its password"},
		"PKCS#12 cut off":                 {string(p12[:len(p12)/2]), "", c, "cut off", "whole"},
		"PKCS#12 damaged":                 {string(p12[:len(p12)-1]) + "\x30", "", c, "encrypted: no password", "its password"},
		"PKCS#12 without a key":           {string(trusted), "", c, "private key missing", "openssl pkcs12"},
		"PKCS#7 in DER":                   {"\x30\x0f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x02\x30\x00", key, c, "PKCS#7", "openssl pkcs7"},
		"PKCS#7 in PEM":                   {block("PKCS7", []byte{0x30, 0}), key, c, "PKCS#7", "openssl pkcs7"},
		"request for a certificate":       {csr, key, c, "request", "certificate authority"},
		"request in DER":                  {string(request(t, p.key)), key, c, "request", "certificate authority"},
		"request for a key":               {cert, csr, k, "request", "certificate authority"},
		"OpenSSL's trusted certificate":   {block("TRUSTED CERTIFICATE", p.cert.Raw), key, c, "OpenSSL", "openssl x509"},
		"Ed25519":                         {cert, block("PRIVATE KEY", edwardsDER), k, "Ed25519", "RSA"},
		"P-224":                           {cert, block("EC PRIVATE KEY", sec1DER(t, ecKey(t, elliptic.P224()))), k, "P-224", "P-256"},
		"OpenSSH key":                     {cert, block("OPENSSH PRIVATE KEY", []byte("x")), k, "OpenSSH", "ssh-keygen"},
		"TPM key":                         {cert, block("TSS2 PRIVATE KEY", []byte("x")), k, "TPM", "PEM"},
		"DSA key":                         {cert, block("DSA PRIVATE KEY", []byte("x")), k, "does not take", "RSA"},
		"public key":                      {cert, block("PUBLIC KEY", public), k, "public key", ""},
		"two keys":                        {cert, key + other.keyPEM(t), k, "2 private keys", "leave only"},
		"key and certificate exchanged":   {key, cert, k, "no private key", "changed places"},
		"key in place of the certificate": {key, key, c, "no certificate", "changed places"},
		"no key anywhere":                 {cert, "", c, "no private key", "name the private key"},
		"another's key":                   {cert, other.keyPEM(t), k, "belongs to no certificate", "made for"},
		"RSA key, EC certificate":         {cert, block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey(t))), k, "RSA 2048", "made for"},
		"empty certificate":               {" \n", key, c, "empty", ""},
		"empty key":                       {cert, "\n", k, "empty", ""},
		"certificate cut off":             {cert[:len(cert)/2], key, c, "damaged or cut off", "whole"},
		"key cut off":                     {cert, key[:len(key)/2], k, "damaged or cut off", "whole"},
		"damaged base64 before the leaf":  {strings.Replace(other.certPEM(), "MII", "M!I", 1) + cert, key, c, "1 of its 2", "whole"},
		"damaged DER":                     {block("CERTIFICATE", p.cert.Raw[:40]), key, c, "certificate 1 is damaged", ""},
		"damaged key":                     {cert, block("PRIVATE KEY", p.keyDER(t)[:40]), k, "does not parse", "openssl pkey"},
		"UTF-16":                          {"\xff\xfe-\x00-\x00", key, c, "UTF-16", "UTF-8"},
		"indented PEM":                    {strings.ReplaceAll(cert, "-----BEGIN", "  -----BEGIN"), key, c, "no PEM block", "start of a line"},
		"some text":                       {"not a certificate", key, c, "no PEM block", "BEGIN"},
		"no certificate, parameters only": {block("DH PARAMETERS", []byte{0x30, 0}), key, c, "no certificate", ""},
		"no key, parameters only":         {cert, block("EC PARAMETERS", []byte{0x30, 0}), k, "no private key", ""},
		"too large":                       {cert + strings.Repeat("\n", maxFile), key, c, "larger than", ""},
	}
}

func TestBlundersAreNamedAndMended(t *testing.T) {
	for name, b := range blunders(t) {
		t.Run(name, func(t *testing.T) {
			f := files(t, b.cert, b.key)
			_, err := f.Key(context.Background())
			path := f.Certificate
			if b.what == keyFile {
				path = f.PrivateKey
			}
			expect(t, err, b.what, path, b.cause, b.hint)
			quotesNothing(t, err, b.cert+b.key)
		})
	}
}

// expect checks that err blames what at path, for a cause, with a hint.
func expect(t *testing.T, err error, what, path, cause, hint string) {
	t.Helper()
	fe := (*FileError)(nil)
	if !errors.As(err, &fe) {
		t.Fatalf("got %v, want a FileError", err)
	}
	if fe.What != what || fe.Path != path {
		t.Errorf("%q blames %s %q, want %s %q", err, fe.What, fe.Path, what, path)
	}
	if !strings.Contains(err.Error(), cause) {
		t.Errorf("error %q does not say %q", err, cause)
	}
	if !strings.Contains(fe.Hint, hint) || (hint == "") != (fe.Hint == "") {
		t.Errorf("hint of %q is %q, want %q in it", err, fe.Hint, hint)
	}
}

const base64Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="

// quotesNothing fails where an error holds a run of characters of the content
// that could be part of a key.
func quotesNothing(t testing.TB, err error, content string) {
	t.Helper()
	const run = 16
	said := err.Error()
	if fe := (*FileError)(nil); errors.As(err, &fe) {
		said += fe.Hint
	}
	for _, line := range strings.Split(content, "\n") {
		if line = strings.TrimSpace(line); strings.Trim(line, base64Letters) != "" {
			continue // words, not a key
		}
		for i := 0; i+run <= len(line); i++ {
			if strings.Contains(said, line[i:i+run]) {
				t.Fatalf("%q quotes what stands in the file", said)
			}
		}
	}
}

func TestSettingsThatAreNoPaths(t *testing.T) {
	p := newPair(t, "p", nil)
	dir := t.TempDir()
	good := put(t, filepath.Join(dir, "both.pem"), p.certPEM()+p.keyPEM(t))
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ setting, path, cause, hint string }{
		"PEM text":         {p.keyPEM(t), "", "content, not its path", "write the content"},
		"PEM in base64":    {base64.StdEncoding.EncodeToString([]byte(p.keyPEM(t))), "", "content, not its path", "write the content"},
		"base64 of no PEM": {strings.Repeat("QUJD", 2000), "", "no path", "PEM file"},
		"several lines":    {"a\nb", "", "no path", "PEM file"},
		"token":            {"pkcs11:token=x?pin-value=1234", "", "not supported", "PEM file"},
		"TPM handle":       {"handle:0x81000001", "", "not supported", "PEM file"},
		"folder":           {dir, dir, "directory", "name the file"},
		"pipe":             {pipe, pipe, "regular", "name a file"},
		"missing":          {dir + "/none", dir + "/none", "no such file", "mounted"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, part := range []struct {
				what string
				f    *KeyFiles
			}{
				{certificateFile, &KeyFiles{Certificate: c.setting}},
				{keyFile, &KeyFiles{Certificate: good, PrivateKey: c.setting}},
				{intermediatesFile, &KeyFiles{Certificate: good, Intermediates: c.setting}},
			} {
				_, err := part.f.Key(context.Background())
				expect(t, err, part.what, c.path, c.cause, c.hint)
				if c.path == "" {
					quotesNothing(t, err, c.setting)
				}
			}
		})
	}
	_, err := (&KeyFiles{}).Key(context.Background())
	expect(t, err, certificateFile, "", "no file is named", "")
}

// Root may read everything, so the cause cannot be staged everywhere.
func TestNoPermissionHasAHint(t *testing.T) {
	err := bare(&fs.PathError{Op: "open", Path: "key.pem", Err: syscall.EACCES})
	if got := fileHint(err); !strings.Contains(got, "file's owner") || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("hint of %v is %q", err, got)
	}
}

func TestBrokenIntermediatesAreBlamed(t *testing.T) {
	p := newPair(t, "p", nil)
	f := files(t, p.certPEM(), p.keyPEM(t))
	f.Intermediates = put(t, filepath.Join(t.TempDir(), "more.pem"), p.keyPEM(t))
	_, err := f.Key(context.Background())
	expect(t, err, intermediatesFile, f.Intermediates, "no certificate", "changed places")
	quotesNothing(t, err, p.keyPEM(t))
}

func FuzzPEM(f *testing.F) {
	root := newPair(f, "root", nil)
	leaf := newPair(f, "leaf", &root)
	chain := leaf.certPEM() + root.certPEM()
	f.Add([]byte(chain), []byte(leaf.keyPEM(f)))
	f.Add([]byte(leaf.keyPEM(f)+chain), []byte(nil))
	f.Add([]byte(readFile(f, "../exchange/sigv4x509/testdata/ca.pem")), []byte(block("EC PRIVATE KEY", sec1DER(f, ecKey(f, elliptic.P384())))))
	for _, b := range blunders(f) {
		if len(b.cert) < 1<<16 {
			f.Add([]byte(b.cert), []byte(b.key))
		}
	}
	f.Fuzz(func(t *testing.T, cert, key []byte) {
		s := snapshot{parts: []part{{what: certificateFile, path: "cert.pem", data: cert}}}
		if len(key) > 0 {
			s.parts = append(s.parts, part{what: keyFile, path: "key.pem", data: key})
		}
		got, err := (&KeyFiles{}).parse(t.Context(), s)
		if err != nil {
			if fe := (*FileError)(nil); !errors.As(err, &fe) || fe.Err.Error() == "" {
				t.Fatalf("%v is no FileError with a cause", err)
			}
			quotesNothing(t, err, string(key))
			return
		}
		if !matches(got) {
			t.Fatal("the signer is not the leaf's")
		}
		for _, c := range got.Chain {
			if c.Equal(got.Leaf) {
				t.Fatal("the leaf stands in its own chain")
			}
		}
	})
}
