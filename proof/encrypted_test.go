package proof

import (
	"context"
	"crypto/elliptic"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"software.sslmate.com/src/go-pkcs12"

	"daypass.dev"
)

const password = "tröst-42"

func answering(p daypass.Secret) func(context.Context, string) (daypass.Secret, error) {
	return func(context.Context, string) (daypass.Secret, error) { return p, nil }
}

// openssl runs the program and returns what it writes to the file after -out.
func openssl(t *testing.T, dir string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("skipped: openssl is not installed")
	}
	cmd := exec.Command("openssl", append(args, "-out", "out")...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return readFile(t, filepath.Join(dir, "out"))
}

func TestEncryptedKeysOfOpenSSL(t *testing.T) {
	p := newPair(t, "p", nil)
	dir := t.TempDir()
	put(t, filepath.Join(dir, "key"), p.keyPEM(t))
	put(t, filepath.Join(dir, "cert"), p.certPEM())
	forms := map[string][]string{
		"no PRF, as ACM": {"pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA1"},
		"many rounds":    {"pkcs8", "-topk8", "-v2", "aes-128-cbc", "-iter", "100000"},
		"scrypt":         {"pkcs8", "-topk8", "-scrypt"},
		"scrypt, large":  {"pkcs8", "-topk8", "-scrypt", "-scrypt_N", "16384", "-scrypt_r", "8", "-scrypt_p", "4"},
	}
	for _, cipher := range []string{"aes-128-cbc", "aes-192-cbc", "aes-256-cbc"} {
		for _, prf := range []string{"hmacWithSHA256", "hmacWithSHA384", "hmacWithSHA512"} {
			forms[cipher+" "+prf] = []string{"pkcs8", "-topk8", "-v2", cipher, "-v2prf", prf}
		}
	}
	for _, cipher := range []string{"-aes128", "-aes192", "-aes256", "-des3"} {
		forms["SEC 1"+cipher] = []string{"ec", cipher}
	}
	for name, args := range forms {
		t.Run(name, func(t *testing.T) {
			key := openssl(t, dir, append(args, "-in", "key", "-passout", "pass:"+password)...)
			if !strings.Contains(key, "ENCRYPTED") {
				t.Fatalf("openssl did not encrypt:\n%s", key)
			}
			opens(t, p, files(t, p.certPEM(), key))
			opens(t, p, files(t, key+p.certPEM(), ""))
		})
	}
}

// opens checks that the password, and only that, opens the files.
func opens(t *testing.T, p pair, f *KeyFiles) {
	t.Helper()
	f.Password = answering(password)
	k, err := f.Key(t.Context())
	if err != nil || !k.Leaf.Equal(p.cert) || !matches(k) {
		t.Fatalf("got %v, %v", k, err)
	}
	for _, wrong := range []daypass.Secret{"", "trost-42", password + " "} {
		f := &KeyFiles{Certificate: f.Certificate, PrivateKey: f.PrivateKey, Password: answering(wrong)}
		_, err := f.Key(t.Context())
		if fe := (*FileError)(nil); !errors.As(err, &fe) || !strings.Contains(err.Error(), "password is wrong") {
			t.Errorf("with a wrong password: %v", err)
		}
		if strings.Contains(err.Error(), "trost") {
			t.Errorf("%v tells the password", err)
		}
	}
}

func TestPKCS12(t *testing.T) {
	root := newPair(t, "root", nil)
	ca := newPair(t, "ca", &root)
	p := newPair(t, "p", &ca)
	dir := t.TempDir()
	put(t, filepath.Join(dir, "both"), p.keyPEM(t)+p.certPEM()+ca.certPEM()+root.certPEM())
	for name, args := range map[string][]string{
		"modern":      nil,
		"AES-128":     {"-keypbe", "AES-128-CBC", "-certpbe", "AES-128-CBC", "-macalg", "sha512"},
		"legacy":      {"-legacy"},
		"3DES":        {"-legacy", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES"},
		"plain certs": {"-certpbe", "NONE"},
	} {
		t.Run(name, func(t *testing.T) {
			p12 := openssl(t, dir, append([]string{"pkcs12", "-export", "-in", "both", "-passout", "pass:" + password}, args...)...)
			f := files(t, p12, "")
			opens(t, p, f)
			if k := mustKey(t, withPassword(f)); len(k.Chain) != 1 || !k.Chain[0].Equal(ca.cert) {
				t.Errorf("the chain is %v", k.Chain)
			}
			opens(t, p, files(t, p.certPEM(), p12)) // for its key alone
			more := withPassword(files(t, p.certPEM(), p.keyPEM(t)))
			more.Intermediates = f.Certificate // for its certificates alone
			if k := mustKey(t, more); len(k.Chain) != 1 {
				t.Errorf("as intermediates it gives %v", k.Chain)
			}
		})
	}
	t.Run("no MAC", func(t *testing.T) {
		f := withPassword(files(t, openssl(t, dir, "pkcs12", "-export", "-in", "both", "-nomac", "-passout", "pass:"+password), ""))
		_, err := f.Key(t.Context())
		expect(t, err, certificateFile, f.Certificate, "no MAC", "openssl pkcs12")
	})
	t.Run("empty password", func(t *testing.T) {
		f := files(t, openssl(t, dir, "pkcs12", "-export", "-in", "both", "-passout", "pass:"), "")
		f.Password = func(context.Context, string) (daypass.Secret, error) {
			t.Error("somebody was asked for a password")
			return "", nil
		}
		mustKey(t, f)
	})
}

func withPassword(f *KeyFiles) *KeyFiles {
	return &KeyFiles{Certificate: f.Certificate, PrivateKey: f.PrivateKey, Password: answering(password)}
}

func TestPasswordIsAskedForTheFile(t *testing.T) {
	p := newPair(t, "p", nil)
	f := files(t, p.certPEM(), encryptedPKCS8)
	refused := errors.New("nobody is there")
	var asked []string
	f.Password = func(_ context.Context, path string) (daypass.Secret, error) {
		asked = append(asked, path)
		return "", refused
	}
	_, err := f.Key(t.Context())
	expect(t, err, keyFile, f.PrivateKey, "encrypted: nobody is there", "")
	if !errors.Is(err, refused) || len(asked) != 1 || asked[0] != f.PrivateKey {
		t.Errorf("asked for %q: %v", asked, err)
	}
	plain := files(t, p.certPEM(), p.keyPEM(t))
	plain.Password = f.Password
	mustKey(t, plain)
	if len(asked) != 1 {
		t.Error("a password was asked for where nothing is encrypted")
	}
}

func TestWhoLeavesThePromptGetsItsContext(t *testing.T) {
	p := newPair(t, "p", nil)
	f := files(t, p.certPEM(), encryptedPKCS8)
	ctx, cancel := context.WithCancel(t.Context())
	f.Password = func(ctx context.Context, _ string) (daypass.Secret, error) {
		cancel()
		return "", ctx.Err()
	}
	if _, err := f.Key(ctx); err != context.Canceled {
		t.Errorf("got %v", err)
	}
}

// Who waits for a key that somebody else is being asked the password of, waits
// no longer than its own context.
func TestAPromptHoldsUpNobodyElse(t *testing.T) {
	p := newPair(t, "p", nil)
	f := files(t, p.certPEM(), block("ENCRYPTED PRIVATE KEY", pbes2(t, kdf(t, scryptID, lanes{[]byte("salt"), 2, 1, 1}))))
	asked, answer, first := make(chan bool), make(chan bool), make(chan error)
	f.Password = func(context.Context, string) (daypass.Secret, error) {
		close(asked)
		<-answer
		return "", errors.New("nobody answers")
	}
	go func() { _, err := f.Key(context.Background()); first <- err }()
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Key(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if f.Changed() {
		t.Error("the files have changed while they are read")
	}
	close(answer)
	if err := <-first; err == nil {
		t.Error("a key without its password")
	}
}

// What a file may cost is bounded, whatever it asks for.
func TestDearFilesAreRefused(t *testing.T) {
	p := newPair(t, "p", nil)
	for name, c := range map[string]struct {
		kdf   pkix.AlgorithmIdentifier
		cause string
	}{
		"PBKDF2":        {kdf(t, pbkdf2ID, rounds{[]byte("salt"), maxRounds + 1}), "rounds of PBKDF2"},
		"scrypt, N":     {kdf(t, scryptID, lanes{[]byte("salt"), 1 << 26, 8, 1}), "more than 64 MiB"},
		"scrypt, N · r": {kdf(t, scryptID, lanes{[]byte("salt"), 1 << 16, 9, 1}), "more than 64 MiB"},
		"scrypt, p":     {kdf(t, scryptID, lanes{[]byte("salt"), 2, 1, 17}), "16 lanes"},
		"scrypt, r · p": {kdf(t, scryptID, lanes{[]byte("salt"), 2, 1 << 18, 16}), "more than 64 MiB"},
		"no rounds":     {kdf(t, pbkdf2ID, rounds{[]byte("salt"), 0}), "does not parse"},
		"odd N":         {kdf(t, scryptID, lanes{[]byte("salt"), 3, 1, 1}), "does not parse"},
		"another KDF":   {kdf(t, asn1.ObjectIdentifier{1, 2, 3}, rounds{nil, 1}), "neither PBKDF2 nor scrypt"},
	} {
		t.Run(name, func(t *testing.T) {
			f := files(t, p.certPEM(), block("ENCRYPTED PRIVATE KEY", pbes2(t, c.kdf)))
			f.Password = answering(password)
			_, err := f.Key(t.Context())
			expect(t, err, keyFile, f.PrivateKey, c.cause, "openssl pkey")
		})
	}
}

func TestDearPKCS12IsRefused(t *testing.T) {
	p := newPair(t, "p", nil)
	cheap, err := pkcs12.Modern.Encode(p.key, p.cert, nil, password)
	if err != nil {
		t.Fatal(err)
	}
	var pfx struct {
		Version  int
		Contents asn1.RawValue
		MAC      struct {
			Digest asn1.RawValue
			Salt   []byte
			Rounds asn1.RawValue
		}
	}
	if err := unmarshal(cheap, &pfx); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int64{maxRounds + 1, 1 << 40} {
		pfx.MAC.Rounds = asn1.RawValue{FullBytes: der(t, n)}
		f := withPassword(files(t, string(der(t, pfx)), ""))
		_, err := f.Key(t.Context())
		expect(t, err, certificateFile, f.Certificate, "rounds of hashing", "")
	}
	pfx.MAC.Rounds = asn1.RawValue{FullBytes: []byte{2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0}}
	if !tooDear(der(t, pfx), 0) {
		t.Error("2^64 rounds are not too dear")
	}
	pfx.MAC.Rounds = asn1.RawValue{FullBytes: der(t, maxRounds)}
	if tooDear(der(t, pfx), 0) {
		t.Error("as many rounds as are allowed are too dear")
	}
}

var (
	pbkdf2ID = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	scryptID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
)

type rounds struct {
	Salt []byte
	N    int
}

type lanes struct {
	Salt    []byte
	N, R, P int
}

func kdf(t *testing.T, id asn1.ObjectIdentifier, params any) pkix.AlgorithmIdentifier {
	return pkix.AlgorithmIdentifier{Algorithm: id, Parameters: asn1.RawValue{FullBytes: der(t, params)}}
}

func der(t *testing.T, v any) []byte {
	t.Helper()
	out, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func pbes2(t *testing.T, kdf pkix.AlgorithmIdentifier) []byte {
	cipher := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}, Parameters: asn1.RawValue{FullBytes: der(t, make([]byte, 16))}}
	params := der(t, struct{ KDF, Cipher pkix.AlgorithmIdentifier }{kdf, cipher})
	return der(t, encryptedKey{pkix.AlgorithmIdentifier{
		Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}, Parameters: asn1.RawValue{FullBytes: params}}, make([]byte, 32)})
}

func TestOtherEncryptionsAreNamed(t *testing.T) {
	p := newPair(t, "p", nil)
	dir := t.TempDir()
	put(t, filepath.Join(dir, "key"), p.keyPEM(t))
	for cause, args := range map[string][]string{
		"is not PBES2":            {"-v1", "PBE-SHA1-3DES"},
		"is not AES in CBC mode":  {"-v2", "des3"},
		"not HMAC with SHA-1 or ": {"-v2", "aes128", "-v2prf", "hmacWithSHA224"},
	} {
		key := openssl(t, dir, append([]string{"pkcs8", "-topk8", "-in", "key", "-passout", "pass:" + password}, args...)...)
		f := withPassword(files(t, p.certPEM(), key))
		_, err := f.Key(t.Context())
		expect(t, err, keyFile, f.PrivateKey, cause, "openssl pkey")
	}
}

// Files that hold nothing encrypted are not kept in memory, nor are passwords.
func TestContentIsForgotten(t *testing.T) {
	p := newPair(t, "p", nil)
	f := files(t, p.certPEM(), block("EC PRIVATE KEY", sec1DER(t, ecKey(t, elliptic.P256()))))
	put(t, f.PrivateKey, p.keyPEM(t))
	mustKey(t, f)
	for _, part := range f.seen.parts {
		if part.data != nil || part.opened != nil {
			t.Errorf("the content of the %s is kept", part.what)
		}
	}
}

func FuzzEncrypted(f *testing.F) {
	b, _ := pem.Decode([]byte(encryptedPKCS8))
	f.Add(b.Bytes)
	p := newPair(f, "p", nil)
	for _, encoder := range []*pkcs12.Encoder{pkcs12.Modern2023, pkcs12.Modern2026, pkcs12.LegacyDES, pkcs12.LegacyRC2} {
		p12, err := encoder.Encode(p.key, p.cert, nil, "x")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p12)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		der, err := decryptPKCS8(data, "x")
		if err == nil && len(der) >= len(data) {
			t.Error("what was encrypted is longer than the file")
		}
		p := &part{what: certificateFile, path: "a.p12", data: data}
		if !isPFX(data) {
			return
		}
		blocks, err := p.blocks(func(string) (daypass.Secret, error) { return "x", nil })
		if (err == nil) != (len(blocks) >= 2) {
			t.Errorf("%d blocks, %v", len(blocks), err)
		}
	})
}
