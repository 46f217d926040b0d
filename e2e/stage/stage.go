// Package stage sets up what end-to-end tests play on: a sandbox with one role
// that a certificate may become, that certificate in files, and an object to
// read.
package stage

import (
	"crypto/x509/pkix"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/build"
	"daypass.dev/pki"
	"daypass.dev/sandbox/sandboxtest"
)

// What every stage has.
const (
	Bucket     = "quarterly-reports"
	Object     = "q3.txt"
	Text       = "third quarter"
	RoleARN    = "arn:aws:iam::111122223333:role/reader"
	AnchorARN  = "arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/11111111-2222-4333-8444-555555555555"
	ProfileARN = "arn:aws:rolesanywhere:us-east-1:111122223333:profile/22222222-2222-4333-8444-555555555555"
)

const worldText = `
SESSIONS
accounts:
  "111122223333":
    roles:
      reader:
        trust:
          Version: 2012-10-17
          Statement:
            - Effect: Allow
              Principal: {Service: rolesanywhere.amazonaws.com}
              Action: [sts:AssumeRole, sts:TagSession, sts:SetSourceIdentity]
              Condition: {StringEquals: {"aws:PrincipalTag/x509Subject/CN": reports}}
        policies:
          read:
            Version: 2012-10-17
            Statement: {Effect: Allow, Action: "s3:GetObject", Resource: "arn:aws:s3:::quarterly-reports/*"}
    trustAnchors:
      own: {id: 11111111-2222-4333-8444-555555555555, certificateFile: CA}
    profiles:
      readers: {id: 22222222-2222-4333-8444-555555555555, roles: [reader], acceptRoleSessionName: true}
    buckets:
      quarterly-reports:
        objects:
          q3.txt: third quarter
`

// Files are a CA, a certificate of it, and a world that trusts both, in a
// folder.
type Files struct {
	// Dir holds tls.crt, tls.key, ca.pem and world.yaml.
	Dir string
	CA  pki.CA
}

// Make writes the files of a world whose sessions live for life (zero: as
// AWS), with keys of a kind that pki knows.
func Make(t testing.TB, life time.Duration, kind string) *Files {
	t.Helper()
	f := &Files{Dir: t.TempDir()}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	issued := time.Now().Add(-time.Hour) // so that the world's clock may be set back
	caKey, err := pki.NewKey(kind)
	must(err)
	f.CA, err = pki.NewCA(caKey, pkix.Name{CommonName: "Stage CA"}, 24*time.Hour, issued)
	must(err)
	key, err := pki.NewKey(kind)
	must(err)
	leaf, err := f.CA.Issue(pki.Leaf{Subject: pkix.Name{CommonName: "reports"}, PublicKey: key.Public(), Lifetime: 12 * time.Hour}, issued)
	must(err)
	keyPEM, err := pki.EncodeKey(key)
	must(err)
	sessions := ""
	if life > 0 {
		sessions = "sessions: {life: " + life.String() + "}"
	}
	world := strings.NewReplacer("SESSIONS", sessions, "CA}", f.File("ca.pem")+"}").Replace(worldText)
	for name, text := range map[string][]byte{
		"ca.pem": pki.EncodeCertificate(f.CA.Certificate), "tls.crt": pki.EncodeCertificate(leaf), "tls.key": keyPEM,
		"world.yaml": []byte(world),
	} {
		must(os.WriteFile(f.File(name), text, 0o600))
	}
	return f
}

// A Stage is one sandbox with files around it, until the test ends.
type Stage struct {
	*sandboxtest.Sandbox
	*Files
}

// Start sets a stage; life and kind are as for Make.
func Start(t testing.TB, life time.Duration, kind string) *Stage {
	t.Helper()
	files := Make(t, life, kind)
	world, err := os.ReadFile(files.File("world.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return &Stage{Sandbox: sandboxtest.Start(t, string(world)), Files: files}
}

// File is a path in the folder.
func (f *Files) File(name string) string { return filepath.Join(f.Dir, name) }

// Settings configure daypass by environment alone, for these files.
func (f *Files) Settings() []string {
	return []string{
		"DAYPASS_CERTIFICATE=" + f.File("tls.crt"),
		"DAYPASS_PRIVATE_KEY=" + f.File("tls.key"),
		"DAYPASS_TRUST_ANCHOR_ARN=" + AnchorARN,
		"DAYPASS_PROFILE_ARN=" + ProfileARN,
		"DAYPASS_ROLE_ARN=" + RoleARN,
	}
}

// Reach are the variables by which AWS clients find the sandbox, without any
// credentials, and nothing of the user's own.
func (s *Stage) Reach() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.Dir, "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
		"AWS_ENDPOINT_URL=" + s.URL, "AWS_CA_BUNDLE=" + s.CAFile, "NODE_EXTRA_CA_CERTS=" + s.CAFile,
	}
}

// Binary is one of our programs as it is shipped.
func Binary(t testing.TB, name string) string {
	t.Helper()
	path, err := build.Ours(t.Context(), "", "daypass.dev/cmd/"+name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
