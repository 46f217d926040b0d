package setup

import (
	"crypto/x509/pkix"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"daypass.dev/e2e/peers"
	"daypass.dev/pki"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
	"daypass.dev/setup"
)

const file = `name: prod
account: "111122223333"
region: us-east-1
trustAnchor: {certificateFile: ca.pem, sessions: 2h}
cluster: {name: prod, trustDomain: prod.example.org, method: web-identity, issuer: "https://oidc.example.com/id/1"}
roles:
  reports:
    usedBy: [{serviceAccount: shop/web}, {commonName: "o'neill"}]
    allow: [{actions: ["s3:GetObject"], resources: ["arn:aws:s3:::reports/*"]}]
    policies: [arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess]
`

// The rendered script, run by sh with the real AWS CLI, leaves nothing for apply
// to do.
func TestTheScriptDoesWhatApplyDoes(t *testing.T) {
	cli, err := peers.AWSCLI(t.Context())
	peers.Need(t, "aws", err)
	dir := t.TempDir()
	key, err := pki.NewKey("ec-p256")
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.NewCA(key, pkix.Name{CommonName: "Test CA"}, 365*24*time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"ca.pem": pki.EncodeCertificate(ca.Certificate), "setup.yaml": []byte(file)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := setup.Read(filepath.Join(dir, "setup.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	script, err := f.Render("aws-cli")
	if err != nil {
		t.Fatal(err)
	}
	w := world.New()
	w.SetIssuer("https://oidc.example.com/id/1", world.Issuer{JWKS: []byte(`{"keys":[]}`)})
	box := sandboxtest.Start(t, w)
	cmd := exec.CommandContext(t.Context(), "sh", "-c", string(script))
	cmd.Env = append(box.Env(), "PATH="+filepath.Dir(cli)+":"+os.Getenv("PATH"), "HOME="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, script)
	}
	s, err := setup.NewClient(f, box.Config()).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Plan(s, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Steps) > 0 {
		t.Errorf("apply would still do %+v", p.Steps)
	}
}
