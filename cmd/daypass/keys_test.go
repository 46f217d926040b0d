package main

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"daypass.dev/internal/cli"
	"daypass.dev/pki"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

// A locksmith makes keys by openssl, and certificates for them that the
// sandbox trusts, in a folder.
type locksmith struct {
	t   *testing.T
	dir string
	ca  pki.CA
	aws *sandboxtest.Sandbox
}

func newLocksmith(t *testing.T) *locksmith {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("skipped: openssl is not installed")
	}
	l := &locksmith{t: t, dir: t.TempDir()}
	key, err := pki.NewKey("ec-p256")
	if err != nil {
		t.Fatal(err)
	}
	if l.ca, err = pki.NewCA(key, pkix.Name{CommonName: "Test CA"}, 24*time.Hour, time.Now()); err != nil {
		t.Fatal(err)
	}
	l.write("ca.pem", pki.EncodeCertificate(l.ca.Certificate))
	text, err := os.ReadFile("testdata/world.yaml")
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.Parse(filepath.Join(l.dir, "world.yaml"), text)
	if err != nil {
		t.Fatal(err)
	}
	l.aws = sandboxtest.Start(t, w)
	t.Setenv("AWS_ENDPOINT_URL", l.aws.URL)
	t.Setenv("AWS_CA_BUNDLE", l.aws.CAFile)
	return l
}

func (l *locksmith) path(name string) string { return filepath.Join(l.dir, name) }

func (l *locksmith) write(name string, data []byte) {
	l.t.Helper()
	if err := os.WriteFile(l.path(name), data, 0o600); err != nil {
		l.t.Fatal(err)
	}
}

func (l *locksmith) read(name string) []byte {
	l.t.Helper()
	data, err := os.ReadFile(l.path(name))
	if err != nil {
		l.t.Fatal(err)
	}
	return data
}

// age makes all files old, so that nobody waits for others to come.
func (l *locksmith) age() {
	l.t.Helper()
	all, err := filepath.Glob(l.path("*"))
	if err != nil {
		l.t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	for _, path := range all {
		if err := os.Chtimes(path, old, old); err != nil {
			l.t.Fatal(err)
		}
	}
}

func (l *locksmith) openssl(args ...string) {
	l.t.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Dir = l.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		l.t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// key makes KIND.key in PKCS#8, and KIND.crt for the workload of world.yaml.
func (l *locksmith) key(kind string) {
	l.t.Helper()
	args := map[string][]string{
		"rsa-2048": {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"},
		"rsa-3072": {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"},
		"rsa-4096": {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"},
		"p-256":    {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"},
		"p-384":    {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"},
		"p-521":    {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"},
	}[kind]
	l.openssl(append([]string{"genpkey", "-out", kind + ".key"}, args...)...)
	block, _ := pem.Decode(l.read(kind + ".key"))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		l.t.Fatal(err)
	}
	leaf, err := l.ca.Issue(pki.Leaf{Subject: pkix.Name{CommonName: "reports"}, PublicKey: key.(crypto.Signer).Public(), Lifetime: time.Hour}, time.Now())
	if err != nil {
		l.t.Fatal(err)
	}
	l.write(kind+".crt", pki.EncodeCertificate(leaf))
}

const lockword = "sesame-sesame-sesame"

// credentialProcess runs the command in this process.
func (l *locksmith) credentialProcess(args ...string) (stdout, stderr string, code int) {
	c := root(all()...)
	var out, told bytes.Buffer
	c.SetOut(&out)
	c.SetErr(&told)
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(append([]string{
		"credential-process", "--no-cache", "--role-arn", "arn:aws:iam::111122223333:role/reports",
		"--trust-anchor-arn", "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/11111111-2222-4333-8444-555555555555",
		"--profile-arn", "arn:aws:rolesanywhere:eu-west-1:111122223333:profile/66666666-7777-4888-8999-aaaaaaaaaaaa",
	}, args...))
	code = cli.Exit(c.ExecuteContext(l.t.Context()), "daypass", &told)
	return out.String(), told.String(), code
}

// A form is one way in which a key and its certificate are written.
type form struct {
	name string
	// make writes files "certificate" and "key", or the first alone.
	make func(l *locksmith, kind string)
}

// forms are all that openssl writes and daypass reads.
func forms() []form {
	key := func(name string, args ...string) form { // in a file of its own
		return form{name, func(l *locksmith, kind string) {
			l.openssl(append(args, "-in", kind+".key", "-out", "key", "-passout", "pass:"+lockword)...)
			l.write("certificate", l.read(kind+".crt"))
		}}
	}
	together := func(of form) form {
		return form{of.name + ", one file", func(l *locksmith, kind string) {
			of.make(l, kind)
			l.write("certificate", append(l.read("certificate"), l.read("key")...))
			if err := os.Remove(l.path("key")); err != nil {
				l.t.Fatal(err)
			}
		}}
	}
	bundle := func(name string, args ...string) form {
		return form{name, func(l *locksmith, kind string) {
			l.openssl(append([]string{"pkcs12", "-export", "-inkey", kind + ".key", "-in", kind + ".crt", "-certfile", "ca.pem",
				"-out", "certificate", "-passout", "pass:" + lockword}, args...)...)
		}}
	}
	pkcs8 := key("PKCS#8", "pkcs8", "-topk8", "-nocrypt")
	locked := key("PBES2", "pkcs8", "-topk8", "-v2", "aes-256-cbc")
	return []form{
		pkcs8, together(pkcs8), locked, together(locked),
		key("PBES2, SHA-1, AES-128", "pkcs8", "-topk8", "-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1"),
		key("PBES2, SHA-384, AES-192", "pkcs8", "-topk8", "-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA384"),
		key("PBES2, SHA-512, AES-256", "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512"),
		key("PBES2, scrypt", "pkcs8", "-topk8", "-scrypt"),
		traditional(""), traditional("-aes128"), traditional("-aes256"), traditional("-des3"),
		bundle("PKCS#12"), bundle("PKCS#12, old", "-legacy"),
	}
}

// traditional is PKCS#1 for RSA and SEC 1 for EC.
func traditional(cipher string) form {
	return form{strings.TrimSpace("PKCS#1 or SEC 1 " + cipher), func(l *locksmith, kind string) {
		args := []string{"ec", "-in", kind + ".key", "-out", "key", "-passout", "pass:" + lockword}
		if strings.HasPrefix(kind, "rsa") {
			args[0] = "rsa"
			args = append(args, "-traditional")
		}
		if cipher != "" {
			args = append(args, cipher)
		}
		l.openssl(args...)
		l.write("certificate", l.read(kind+".crt"))
	}}
}

func TestEveryFormOfEveryKeyGivesCredentials(t *testing.T) {
	l := newLocksmith(t)
	tried := 0
	kinds := []string{"rsa-2048", "p-256", "rsa-3072", "rsa-4096", "p-384", "p-521"}
	for i, kind := range kinds {
		l.key(kind)
		tries := forms()
		if i >= 2 && !everyPair {
			tries = tries[:1]
		}
		for _, f := range tries {
			t.Run(kind+" "+f.name, func(t *testing.T) {
				_ = os.Remove(l.path("key"))
				f.make(l, kind)
				args := []string{"--certificate", l.path("certificate"), "--password", lockword}
				if _, err := os.Stat(l.path("key")); err == nil {
					args = append(args, "--private-key", l.path("key"))
				}
				stdout, stderr, code := l.credentialProcess(args...)
				var got struct{ AccessKeyId, SecretAccessKey, SessionToken string }
				if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 0 || stderr != "" {
					t.Fatalf("code %d: %s (%v)", code, stderr, err)
				}
				if got.AccessKeyId == "" || got.SecretAccessKey == "" || got.SessionToken == "" {
					t.Error("the document is not whole")
				}
				tried++
			})
		}
	}
	if seen := len(l.aws.Decisions()); tried < 2*len(forms())+len(kinds)-2 || seen != tried {
		t.Errorf("%d forms were tried, AWS saw %d calls", tried, seen)
	}
}

func TestEveryMistakeWithKeysIsOneErrorAndCode2(t *testing.T) {
	l := newLocksmith(t)
	for _, kind := range []string{"p-256", "p-384", "rsa-2048"} {
		l.key(kind)
	}
	l.openssl("genpkey", "-algorithm", "ED25519", "-out", "ed25519.key")
	l.openssl("req", "-new", "-x509", "-key", "ed25519.key", "-subj", "/CN=reports", "-out", "ed25519.crt")
	l.openssl("pkcs8", "-topk8", "-in", "p-256.key", "-out", "locked.key", "-passout", "pass:"+lockword)
	l.openssl("pkcs8", "-topk8", "-scrypt", "-in", "p-256.key", "-out", "scrypt.key", "-passout", "pass:"+lockword)
	l.openssl("ec", "-aes256", "-in", "p-256.key", "-out", "old.key", "-passout", "pass:"+lockword)
	l.openssl("pkcs12", "-export", "-inkey", "p-256.key", "-in", "p-256.crt", "-out", "modern.p12", "-passout", "pass:"+lockword)
	l.openssl("pkcs12", "-export", "-legacy", "-inkey", "p-256.key", "-in", "p-256.crt", "-out", "legacy.p12", "-passout", "pass:"+lockword)
	l.openssl("req", "-new", "-key", "p-256.key", "-subj", "/CN=reports", "-out", "request.pem")
	l.openssl("req", "-new", "-key", "p-256.key", "-subj", "/CN=reports", "-outform", "DER", "-out", "request.der")
	l.openssl("pkey", "-in", "p-256.key", "-outform", "DER", "-out", "key.der")
	l.openssl("x509", "-in", "p-256.crt", "-outform", "DER", "-out", "crt.der")
	l.openssl("pkcs8", "-topk8", "-in", "p-256.key", "-outform", "DER", "-out", "locked.der", "-passout", "pass:"+lockword)
	l.openssl("crl2pkcs7", "-nocrl", "-certfile", "p-256.crt", "-out", "chain.p7b")
	l.write("empty", nil)
	for _, name := range []string{"p-256.crt", "p-256.key", "locked.key", "old.key", "modern.p12", "legacy.p12"} {
		whole := l.read(name)
		l.write("half-"+name, whole[:len(whole)/2])
	}
	l.age()
	tried := 0
	for _, c := range []struct{ certificate, key, password, says string }{
		{"p-256.crt", "locked.key", "wrong", "the password is wrong"},
		{"p-256.crt", "scrypt.key", "wrong", "the password is wrong"},
		{"p-256.crt", "old.key", "wrong", "the password is wrong"},
		{"modern.p12", "", "wrong", "the password is wrong"},
		{"legacy.p12", "", "wrong", "the password is wrong"},
		{"request.pem", "p-256.key", "", "certificate request"},
		{"request.der", "p-256.key", "", "certificate request"},
		{"p-256.crt", "request.pem", "", "certificate request"},
		{"ed25519.crt", "ed25519.key", "", "Ed25519"},
		{"p-256.crt", "ed25519.key", "", "Ed25519"},
		{"p-256.crt", "p-384.key", "", "belongs to no certificate"},
		{"p-256.crt", "rsa-2048.key", "", "belongs to no certificate"},
		{"rsa-2048.crt", "modern.p12", lockword, "belongs to no certificate"},
		{"p-256.key", "p-256.crt", "", "changed places"},
		{"empty", "p-256.key", "", "empty"},
		{"p-256.crt", "empty", "", "empty"},
		{"half-p-256.crt", "p-256.key", "", "cut off"},
		{"p-256.crt", "half-p-256.key", "", "cut off"},
		{"p-256.crt", "half-locked.key", lockword, "cut off"},
		{"p-256.crt", "half-old.key", lockword, "cut off"},
		{"half-modern.p12", "", lockword, "cut off"},
		{"half-legacy.p12", "", lockword, "cut off"},
		{"crt.der", "p-256.key", "", "DER"},
		{"p-256.crt", "key.der", "", "DER"},
		{"p-256.crt", "locked.der", lockword, "DER"},
		{"chain.p7b", "p-256.key", "", "PKCS#7"},
		{"p-256.crt", "nowhere", "", "no such file"},
	} {
		args := []string{"--certificate", l.path(c.certificate)}
		if c.key != "" {
			args = append(args, "--private-key", l.path(c.key))
		}
		if c.password != "" {
			args = append(args, "--password", c.password)
		}
		stdout, stderr, code := l.credentialProcess(args...)
		if code != cli.Usage || stdout != "" || strings.Count(stderr, "daypass: error: ") != 1 || !strings.Contains(stderr, c.says) {
			t.Errorf("%s and %q: code %d, %q, want code 2 and %q", c.certificate, c.key, code, stderr, c.says)
		}
		if lines := strings.Count(stderr, "\n"); lines > 2 {
			t.Errorf("%s and %q: %d lines on stderr", c.certificate, c.key, lines)
		}
		tried++
	}
	if seen := len(l.aws.Decisions()); tried < 20 || seen != 0 {
		t.Errorf("%d mistakes were tried, AWS saw %d calls", tried, seen)
	}
}
