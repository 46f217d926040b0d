package setup

import (
	"crypto/x509/pkix"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/peers"
	"daypass.dev/internal/atomicfile"
	"daypass.dev/pki"
	"daypass.dev/setup"
)

// everything is a file with all that a form can hold.
const everything = `name: prod
account: "111122223333"
region: eu-central-1
ANCHORcluster:
  name: prod
  trustDomain: prod.example.org
  method: METHOD
  issuer: https://oidc.example.com/id/1
  arn: arn:aws:eks:eu-central-1:111122223333:cluster/prod
roles:
  reports:
    usedBy: [{serviceAccount: shop/web}, {serviceAccount: shop/cron}CERTIFICATE]
    allow: [{actions: ["s3:GetObject"], resources: ["arn:aws:s3:::reports/${aws:PrincipalTag/x509Subject/CN}/*"]}]
    policies: [arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess, arn:aws:iam::111122223333:policy/AmazonS3ReadOnlyAccess]
    maxSession: 3h
  "0=mailer":
    usedBy: [{google: "112233445566778899000", audience: gtoken}, {serviceAccount: shop/mail}]
`

// A written file is at a path, beside its CA.
type written struct {
	*setup.File
	path string
}

// authority makes a CA, whose certificate is ca.pem in dir.
func authority(t *testing.T, dir string) {
	t.Helper()
	key, err := pki.NewKey("ec-p256")
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.NewCA(key, pkix.Name{CommonName: "Test CA"}, 365*24*time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), pki.EncodeCertificate(ca.Certificate), 0o600); err != nil {
		t.Fatal(err)
	}
}

// files are those of every method, with a trust anchor and without.
func files(t *testing.T) map[string]written {
	t.Helper()
	dir := t.TempDir()
	authority(t, dir)
	all := map[string]written{}
	for name, row := range map[string]struct{ anchor, certificate, method string }{
		"web-identity":              {"", "", "web-identity"},
		"eks":                       {"", "", "eks"},
		"web-identity and a bundle": {"trustAnchor: {certificateFile: ca.pem}\n", ", {commonName: backup}", "web-identity"},
		"eks and a bundle":          {"trustAnchor: {certificateFile: ca.pem}\n", ", {commonName: backup}", "eks"},
		"roles-anywhere":            {"trustAnchor: {certificateFile: ca.pem, sessions: 2h}\n", ", {uri: 'spiffe://a/b'}", "roles-anywhere"},
		"a private CA, Kubernetes":  {"trustAnchor: {privateCA: 'arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/0f1e2d3c-0000-4000-8000-000000000001'}\n", ", {commonName: backup}", "web-identity"},
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".yaml")
		text := strings.NewReplacer("ANCHOR", row.anchor, "CERTIFICATE", row.certificate, "METHOD", row.method).Replace(everything)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := setup.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = written{f, path}
	}
	return all
}

// specification is AWS's own of CloudFormation's resources, as the CDK uses it.
const specification = "0.1.216"

//go:embed testdata/cloudformation.mjs
var checker string

// A verdict is what the specification has against a template, and how many
// properties were looked at.
type verdict struct {
	Wrong  []string
	Looked int
}

func checked(t *testing.T, templates ...string) (all []verdict) {
	t.Helper()
	dir, err := peers.Cache("cloudformation-" + specification)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		out, err := exec.CommandContext(t.Context(), "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir, "@aws-cdk/aws-service-spec@"+specification).CombinedOutput()
		if err != nil {
			peers.Need(t, "cloudformation", fmt.Errorf("npm: %w: %s: %w", err, out, peers.ErrAbsent))
		}
	}
	script := filepath.Join(dir, "check.mjs") // beside the packages that it imports
	if err := atomicfile.Write(script, []byte(checker), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", script)
	cmd.Stdin, cmd.Stderr = strings.NewReader("["+strings.Join(templates, ",")+"]"), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &all); err != nil || len(all) != len(templates) {
		t.Fatalf("%v\n%s", err, out)
	}
	return all
}

// Templates hold what AWS's specification of CloudFormation allows, and the
// check finds what it does not.
func TestCloudFormation(t *testing.T) {
	var names, templates []string
	for name, f := range files(t) {
		text, err := f.Render("cloudformation")
		if err != nil {
			t.Fatal(err)
		}
		names, templates = append(names, name), append(templates, string(text))
	}
	right := templates[slices.Index(names, "eks and a bundle")]
	for _, change := range [][2]string{
		{`"RoleName":`, `"Rolename":`},
		{`"AssumeRolePolicyDocument":`, `"Description":`},
		{`"MaxSessionDuration": 3600`, `"MaxSessionDuration": "3600"`},
		{`"TrustAnchorArn"` + "\n", `"Arn"`},
		{`AWS::RolesAnywhere::Profile`, `AWS::RolesAnywhere::Profil`},
		{`"X509CertificateData"`, `"CertificateData"`},
		{`"ServiceAccount":`, `"Account":`},
		{`"Rolereports": {`, `"Rolereport": {`},
	} {
		spoiled := strings.Replace(right, change[0], change[1], 1)
		if spoiled == right {
			t.Fatalf("%s is not in the template\n%s", change[0], right)
		}
		names, templates = append(names, "spoiled: "+change[1]), append(templates, spoiled)
	}
	for i, v := range checked(t, templates...) {
		if spoiled := strings.HasPrefix(names[i], "spoiled"); spoiled != (len(v.Wrong) > 0) || v.Looked < 10 {
			t.Errorf("%s, %d properties: %q\n%s", names[i], v.Looked, v.Wrong, templates[i])
		}
	}
}
