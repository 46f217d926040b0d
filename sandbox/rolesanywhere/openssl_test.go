package rolesanywhere_test

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
)

// An opensslPKI holds the files that the original walk makes, in its own words.
type opensslPKI struct {
	t   *testing.T
	dir string
	cnf string
}

func newOpenSSL(t *testing.T) *opensslPKI {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	cnf, err := filepath.Abs(filepath.Join("testdata", "openssl", "v3ext.cnf"))
	if err != nil {
		t.Fatal(err)
	}
	p := &opensslPKI{t, t.TempDir(), cnf}
	p.run("genrsa -aes256 -passout pass:ca -out ca_key.pem 2048")
	p.run("req -new -x509 -nodes -batch -days 1095 -config " + cnf + " -key ca_key.pem -passin pass:ca -out ca_cert.pem")
	p.run("req -newkey rsa:2048 -days 1 -subj /C=AU/ST=Some-State/O=Widgits/CN=myContainer -passout pass:leaf -keyout key.pem -out csr.pem")
	return p
}

func (p *opensslPKI) run(line string) {
	p.t.Helper()
	c := exec.Command("openssl", strings.Fields(line)...)
	c.Dir = p.dir
	if out, err := c.CombinedOutput(); err != nil {
		p.t.Fatalf("openssl %s: %v\n%s", line, err, out)
	}
}

// sign issues the leaf, with what the walk adds to the command or not.
func (p *opensslPKI) sign(more string) *x509.Certificate {
	p.t.Helper()
	p.run("x509 -req -days 1 -set_serial 01 -in csr.pem -out cert.pem -CA ca_cert.pem -CAkey ca_key.pem -passin pass:ca " + more)
	return p.certificate("cert.pem")
}

func (p *opensslPKI) certificate(name string) *x509.Certificate {
	p.t.Helper()
	return parse(p.t, p.block(name))
}

func (p *opensslPKI) block(name string) []byte {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		p.t.Fatalf("%s is no PEM", name)
	}
	return block.Bytes
}

func (p *opensslPKI) key(name, password string) crypto.Signer {
	p.t.Helper()
	p.run("pkcs8 -topk8 -nocrypt -in " + name + " -passin pass:" + password + " -out plain.pem")
	key, err := x509.ParsePKCS8PrivateKey(p.block("plain.pem"))
	if err != nil {
		p.t.Fatal(err)
	}
	return key.(crypto.Signer)
}

// TestTheWalksCertificates takes the exact certificates of the original walk:
// a CA whose basicConstraints are not critical and that has keyCertSign alone,
// and a leaf with the serial number 01, no extended key usage, and a day to
// live. They work; a revocation list under that CA does not.
func TestTheWalksCertificates(t *testing.T) {
	p := newOpenSSL(t)
	d := newDesk(t)
	d.leaf = p.sign("-sha256 -extfile " + p.cnf + " -extensions v3_cert")
	d.key, d.signedAt = p.key("key.pem", "leaf"), time.Now().UTC()
	ca := p.certificate("ca_cert.pem")
	if ca.KeyUsage != x509.KeyUsageCertSign || len(d.leaf.ExtKeyUsage) != 0 {
		t.Fatalf("openssl made other certificates than the walk's: keyUsage %b, %v", ca.KeyUsage, d.leaf.ExtKeyUsage)
	}
	made, err := d.CreateTrustAnchor(t.Context(), &rolesanywhere.CreateTrustAnchorInput{
		Name: aws.String("walk"), Source: bundle(pemOf(ca)), Enabled: aws.Bool(true),
	})
	if err != nil {
		t.Fatal(err)
	}
	arn := made.TrustAnchor.TrustAnchorArn
	d.query.Set("trustAnchorArn", *arn)
	d.trust(trusting(allActions, `{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"myContainer"}}`))
	in, _ := d.session()
	if got := d.identified(in).Name; got != "01" {
		t.Errorf("session name %q", got)
	}
	d.trust(trusting(allActions, `{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"anotherContainer"}}`))
	d.refused("policy-condition")

	list := authority{ca, p.key("ca_key.pem", "ca")}.crl(t, p.key("ca_key.pem", "ca"), d.leaf.SerialNumber)
	_, err = d.ImportCrl(t.Context(), &rolesanywhere.ImportCrlInput{Name: aws.String("l"), TrustAnchorArn: arn, CrlData: list})
	if code(err) != "ValidationException" || !strings.Contains(err.Error(), "cRLSign") || d.sandbox.Last(t, "ImportCrl").Reason != "ca-crl-sign" {
		t.Errorf("importing a list of a CA without cRLSign: %v", err)
	}
}

// TestOpenSSLsPitfalls issues leaves as people do who leave a word out.
func TestOpenSSLsPitfalls(t *testing.T) {
	p := newOpenSSL(t)
	for slug, c := range map[string]struct {
		more string
		late time.Duration // after the leaf's end
	}{
		"leaf-version":             {more: "-sha256"},
		"leaf-ca":                  {more: "-sha256 -extfile " + p.cnf + " -extensions v3_ca"},
		"leaf-signature-algorithm": {more: "-sha1 -extfile " + p.cnf + " -extensions v3_cert"},
		"leaf-expired":             {more: "-sha256 -extfile " + p.cnf + " -extensions v3_cert", late: time.Minute},
	} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			s.leaf, s.key = p.sign(c.more), p.key("key.pem", "leaf")
			s.signedAt = time.Now().UTC()
			if c.late > 0 {
				s.signedAt = s.leaf.NotAfter.Add(c.late)
			}
			s.world.SetTime(s.signedAt)
			s.holds(p.certificate("ca_cert.pem"))
			s.refused(slug)
		})
	}
}
