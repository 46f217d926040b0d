// Package stage sets up what end-to-end tests play on: a sandbox with one role
// that a certificate may become, that certificate in files, and an object to
// read.
package stage

import (
	"crypto/x509/pkix"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
      readers: {id: 22222222-2222-4333-8444-555555555555, roles: [reader]}
    buckets:
      quarterly-reports:
        objects:
          q3.txt: third quarter
`

// A Stage is one sandbox with files around it, until the test ends.
type Stage struct {
	*sandboxtest.Sandbox
	// Dir holds tls.crt, tls.key and ca.pem.
	Dir string
	CA  pki.CA
}

// Start sets a stage whose sessions live for life (zero: as AWS), with keys of
// a kind that pki knows.
func Start(t testing.TB, life time.Duration, kind string) *Stage {
	t.Helper()
	s := &Stage{Dir: t.TempDir()}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	caKey, err := pki.NewKey(kind)
	must(err)
	s.CA, err = pki.NewCA(caKey, pkix.Name{CommonName: "Stage CA"}, 24*time.Hour, time.Now())
	must(err)
	key, err := pki.NewKey(kind)
	must(err)
	leaf, err := s.CA.Issue(pki.Leaf{Subject: pkix.Name{CommonName: "reports"}, PublicKey: key.Public(), Lifetime: 12 * time.Hour}, time.Now())
	must(err)
	keyPEM, err := pki.EncodeKey(key)
	must(err)
	must(os.WriteFile(s.File("ca.pem"), pki.EncodeCertificate(s.CA.Certificate), 0o600))
	must(os.WriteFile(s.File("tls.crt"), pki.EncodeCertificate(leaf), 0o600))
	must(os.WriteFile(s.File("tls.key"), keyPEM, 0o600))
	text := strings.Replace(worldText, "CA}", s.File("ca.pem")+"}", 1)
	sessions := ""
	if life > 0 {
		sessions = "sessions: {life: " + life.String() + "}"
	}
	s.Sandbox = sandboxtest.Start(t, strings.Replace(text, "SESSIONS", sessions, 1))
	return s
}

// File is a path in the stage's folder.
func (s *Stage) File(name string) string { return filepath.Join(s.Dir, name) }

// Settings configure daypass by environment alone, for this stage.
func (s *Stage) Settings() []string {
	return []string{
		"DAYPASS_CERTIFICATE=" + s.File("tls.crt"),
		"DAYPASS_PRIVATE_KEY=" + s.File("tls.key"),
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

// Binary builds one of our programs as it is shipped, for this test.
func Binary(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "daypass.dev/cmd/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, out)
	}
	return path
}
