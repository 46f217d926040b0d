package doctor

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"daypass.dev/e2e/build"
	"daypass.dev/e2e/stage"
	"daypass.dev/pki"
)

func TestWhatProgramsSay(t *testing.T) { said(t, programRefusals(), newCaller) }

// ctl asks the Go toolchain but once, for it takes its time, and there are many
// calls.
var ctl = sync.OnceValues(func() (string, error) {
	return build.Ours(context.Background(), "", "daypass.dev/cmd/daypassctl")
})

// daypassctl runs it in the scene's folder, as the sandbox's administrator; the
// error is what it says.
func (c *caller) daypassctl(args ...string) error {
	c.Helper()
	program, err := ctl()
	c.must(nil, err)
	cmd := exec.CommandContext(c.Context(), program, args...)
	var said bytes.Buffer
	cmd.Dir, cmd.Stderr, cmd.Env = c.dir, &said, append(c.box.Env(), "HOME="+c.dir, "PATH="+os.Getenv("PATH"))
	if cmd.Run() != nil {
		return errors.New(said.String())
	}
	return nil
}

func programRefusals() []refusal {
	all := slices.Concat(setupRefusals(), requestRefusals(), endpointRefusals())
	for i := range all {
		all[i].alone = true
	}
	return all
}

// setupRefusals: daypassctl setup does nothing.
func setupRefusals() []refusal {
	const (
		head = "name: prod\naccount: \"" + account + "\"\nregion: us-east-1\n"
		role = "roles:\n  reports:\n    usedBy: [{serviceAccount: shop/web}]\n    allow: [{actions: [\"s3:GetObject\"], resources: [\"arn:aws:s3:::reports/*\"]}]\n"
		own  = head + "cluster: {name: prod, method: web-identity, issuer: \"https://issuer.example\"}\n" + role
	)
	anchored := head + "trustAnchor: {certificateFile: ca.pem}\nroles:\n  reports:\n    usedBy: [{commonName: backup}]\n"
	plan := func(text string, args ...string) func(*caller) error {
		return func(c *caller) error {
			c.write("setup.yaml", []byte(text))
			return c.daypassctl(append([]string{"setup"}, args...)...)
		}
	}
	planned := func(text string) func(*caller) error { return plan(text, "plan") }
	by := func(c *caller) *iam.Client { return iam.NewFromConfig(c.admin) }
	const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"sts:AssumeRole"}]}`
	ca := func(c *caller) {
		c.write("ca.pem", pki.EncodeCertificate(forger{}.issue(c, caTemplate("Test CA"), newKey(c)).cert))
	}
	const provider = "arn:aws:iam::" + account + ":oidc-provider/issuer.example"
	return []refusal{
		{slug: "setup-file", call: planned(strings.Replace(own, "us-east-1", "mars", 1)), instead: planned(own)},
		{slug: "setup-account", call: planned(strings.Replace(own, account, elsewhere, 1)), instead: planned(own)},
		{slug: "setup-foreign", call: planned(own),
			spoil: func(c *caller) {
				c.must(by(c).CreateRole(c.Context(), &iam.CreateRoleInput{RoleName: aws.String("reports"), AssumeRolePolicyDocument: aws.String(trust)}))
			},
			mend: func(c *caller) {
				c.must(by(c).DeleteRole(c.Context(), &iam.DeleteRoleInput{RoleName: aws.String("reports")}))
			}},
		{slug: "setup-provider", call: planned(own),
			spoil: func(c *caller) {
				c.must(by(c).CreateOpenIDConnectProvider(c.Context(), &iam.CreateOpenIDConnectProviderInput{
					Url: aws.String("https://issuer.example"), ClientIDList: []string{"other"}, ThumbprintList: []string{strings.Repeat("a", 40)}}))
			},
			mend: func(c *caller) {
				c.must(by(c).AddClientIDToOpenIDConnectProvider(c.Context(), &iam.AddClientIDToOpenIDConnectProviderInput{
					OpenIDConnectProviderArn: aws.String(provider), ClientID: aws.String("sts.amazonaws.com")}))
			}},
		{slug: "setup-ack", spoil: ca, call: plan(anchored, "render", "--as", "ack"), instead: plan(anchored, "render", "--as", "terraform")},
	}
}

// requestRefusals: daypassctl pki issue.
func requestRefusals() []refusal {
	key := func(c *caller, curve elliptic.Curve) crypto.Signer {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		c.must(nil, err)
		return k
	}
	web := func(c *caller, key crypto.Signer, extensions ...pkix.Extension) []byte {
		return request(c, key, x509.CertificateRequest{Subject: pkix.Name{CommonName: "web"}, ExtraExtensions: extensions})
	}
	written := func(c *caller, der []byte) { c.write("web.csr", asPEM(der)) }
	issue := func(args ...string) func(*caller) error {
		return func(c *caller) error {
			return c.daypassctl(append([]string{"pki", "issue", "--csr", "web.csr", "--out", "web"}, args...)...)
		}
	}
	plain := func(c *caller) { written(c, web(c, newKey(c))) }
	named := issue("--common-name", "web")
	ca := pkix.Extension{Id: []int{2, 5, 29, 19}, Value: []byte{0x30, 3, 1, 1, 0xff}} // CA:TRUE
	all := []refusal{
		{slug: "request-unreadable", call: named, spoil: func(c *caller) { c.write("web.csr", []byte("hello")) }, mend: plain},
		{slug: "request-signature", call: named, mend: plain, spoil: func(c *caller) {
			der := web(c, newKey(c))
			der[len(der)-1] ^= 1
			written(c, der)
		}},
		{slug: "request-asks-for-ca", call: named, mend: plain, spoil: func(c *caller) { written(c, web(c, newKey(c), ca)) }},
		{slug: "request-key", call: named, mend: plain, spoil: func(c *caller) { written(c, web(c, key(c, elliptic.P224()))) }},
		{slug: "request-names", spoil: plain, call: issue("--common-name", strings.Repeat("w", 65)), instead: named},
		{slug: "request-lifetime", spoil: plain, call: issue("--common-name", "web", "--lifetime", "9000d"), instead: named},
	}
	for i, r := range all {
		all[i].spoil = func(c *caller) {
			c.must(nil, c.daypassctl("pki", "init"))
			r.spoil(c)
		}
	}
	return all
}

// endpointRefusals: daypass serve does not start.
func endpointRefusals() []refusal {
	return []refusal{{slug: "listen-routable",
		call: func(c *caller) error {
			files := stage.Make(c, 0, "ec-p256")
			cmd := exec.CommandContext(c.Context(), stage.Binary(c, "daypass"), "serve", "--listen", "0.0.0.0:0")
			cmd.Env = files.Settings()
			said, err := cmd.CombinedOutput()
			if err == nil {
				return nil
			}
			return errors.New(string(said))
		},
		instead: func(c *caller) error {
			stage.Serve(c, stage.Binary(c, "daypass"), stage.Make(c, 0, "ec-p256").Settings()) // on loopback
			return nil
		}}}
}
