package doctor

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"daypass.dev/config"
	"daypass.dev/doctor"
	"daypass.dev/doctor/gather"
	"daypass.dev/pki"
	"daypass.dev/policy"
	"daypass.dev/reason"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
	"daypass.dev/setup"
)

const (
	account    = "111122223333"
	anchorID   = "11111111-2222-4333-8444-555555555555"
	profileID  = "22222222-2222-4333-8444-555555555555"
	anchorARN  = "arn:aws:rolesanywhere:us-east-1:" + account + ":trust-anchor/" + anchorID
	profileARN = "arn:aws:rolesanywhere:us-east-1:" + account + ":profile/" + profileID
	roleARN    = "arn:aws:iam::" + account + ":role/reader"
	spiffe     = "spiffe://prod/ns/shop/sa/web"
)

const worldText = `
accounts:
  "111122223333":
    roles:
      reader:
        trust: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {Service: rolesanywhere.amazonaws.com}, Action: "sts:AssumeRole"}]}
        policies:
          read: {Version: 2012-10-17, Statement: {Effect: Allow, Action: "s3:GetObject", Resource: "arn:aws:s3:::reports/*"}}
    trustAnchors:
      own: {id: 11111111-2222-4333-8444-555555555555, certificateFile: CA}
    profiles:
      readers: {id: 22222222-2222-4333-8444-555555555555, roles: [reader], acceptRoleSessionName: true}
`

// A forger makes certificates of any kind, right and wrong.
type forger struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func serial() *big.Int { n, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); return n }

func caTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(2, 0, 0),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true,
	}
}

func leafTemplate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "web@shop"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(11 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true, URIs: []*url.URL{{Scheme: "spiffe", Host: "prod", Path: "/ns/shop/sa/web"}},
	}
}

func (f forger) issue(t testing.TB, template *x509.Certificate, key crypto.Signer) forger {
	t.Helper()
	parent, signer := f.cert, f.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return forger{cert, key}
}

// A scene is a workload with a certificate, and an AWS that gives it
// credentials, until something is spoiled.
type scene struct {
	testing.TB
	box  *sandboxtest.Sandbox
	dir  string
	ca   forger
	leaf forger
	kase *gather.Case
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{TB: t, dir: t.TempDir()}
	s.ca = forger{}.issue(t, caTemplate("Test CA"), newKey(t))
	s.write("ca.pem", pki.EncodeCertificate(s.ca.cert))
	s.box = sandboxtest.Start(t, strings.ReplaceAll(worldText, "CA}", s.file("ca.pem")+"}"))
	operator := s.box.Config()
	settings := config.Defaults()
	settings.Certificate, settings.PrivateKey = s.file("tls.crt"), s.file("tls.key")
	settings.RoleARN, settings.TrustAnchorARN, settings.ProfileARN = roleARN, anchorARN, profileARN
	settings.Endpoint, settings.CABundle, settings.WithoutProxy = s.box.URL, s.box.CAFile, true
	s.kase = &gather.Case{Settings: &settings, Operator: &operator, Ask: true}
	s.sound()
	return s
}

func (s *scene) file(name string) string { return filepath.Join(s.dir, name) }

func (s *scene) write(name string, data []byte) {
	s.Helper()
	if err := os.WriteFile(s.file(name), data, 0o600); err != nil {
		s.Fatal(err)
	}
}

// certify has a CA issue a leaf, and puts it where the workload has it, with
// what is sent beside it.
func (s *scene) certify(by forger, template *x509.Certificate, key crypto.Signer, chain ...forger) {
	s.Helper()
	s.leaf = by.issue(s, template, key)
	pem, err := pki.EncodeKey(key)
	if err != nil {
		s.Fatal(err)
	}
	text := pki.EncodeCertificate(s.leaf.cert)
	for _, c := range chain {
		text = append(text, pki.EncodeCertificate(c.cert)...)
	}
	s.write("tls.crt", text)
	s.write("tls.key", pem)
}

// anchors makes these the trust anchor's certificates.
func (s *scene) anchors(certs ...forger) {
	var text []byte
	for _, c := range certs {
		text = append(text, pki.EncodeCertificate(c.cert)...)
	}
	s.inAccount(func(a *world.Account) { a.Anchors[anchorID].Bundle = string(text) })
}

const authorityID = "33333333-2222-4333-8444-555555555555"

// privateCA makes one that waits for its certificate, and returns its id.
func (s *scene) privateCA() string {
	arn := "arn:aws:acm-pca:us-east-1:" + account + ":certificate-authority/" + authorityID
	s.inAccount(func(a *world.Account) {
		a.PrivateCAs[authorityID] = &world.PrivateCA{ID: authorityID, ARN: arn, Region: "us-east-1", Type: "ROOT", Created: time.Now()}
	})
	return authorityID
}

// private has the trust anchor stand for a Private CA.
func (s *scene) private(id string) {
	s.inAccount(func(a *world.Account) {
		a.Anchors[anchorID].Type, a.Anchors[anchorID].Bundle = "AWS_ACM_PCA", ""
		a.Anchors[anchorID].PrivateCA = "arn:aws:acm-pca:us-east-1:" + account + ":certificate-authority/" + id
	})
}

// bundled has the trust anchor hold certificates again.
func (s *scene) bundled() {
	s.inAccount(func(a *world.Account) {
		a.Anchors[anchorID].Type, a.Anchors[anchorID].PrivateCA = "CERTIFICATE_BUNDLE", ""
	})
	s.anchors(s.ca)
}

// readReports allows what the scene's role is for.
func readReports(s *scene) *policy.Document {
	s.Helper()
	doc, err := policy.Parse(policy.Identity, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::reports/*"}]}`)
	if err != nil {
		s.Fatal(err)
	}
	return doc
}

func (s *scene) inAccount(change func(*world.Account)) {
	s.box.World.Lock()
	defer s.box.World.Unlock()
	change(s.box.World.Account(account))
}

func (s *scene) role(change func(*world.Role)) {
	s.inAccount(func(a *world.Account) { change(a.Roles["reader"]) })
}

func (s *scene) profile(change func(*world.Profile)) {
	s.inAccount(func(a *world.Account) { change(a.Profiles[profileID]) })
}

// trust gives the role a trust policy.
func (s *scene) trust(text string) {
	s.Helper()
	doc, err := policy.Parse(policy.Trust, text)
	if err != nil {
		s.Fatal(err)
	}
	s.role(func(r *world.Role) { r.Trust = doc })
}

// sound is what mends say of certificates, anchors and trust policies: a CA and
// a leaf that keep the rules, an anchor that holds the CA, and the narrowest
// trust policy.
func (s *scene) sound() {
	s.Helper()
	s.certify(s.ca, leafTemplate(), newKey(s))
	s.anchors(s.ca)
	text, err := setup.TrustPolicy(setup.Certificate{TrustAnchorARN: anchorARN, URI: spiffe})
	if err != nil {
		s.Fatal(err)
	}
	s.trust(string(text))
}

func (s *scene) diagnose() doctor.Report {
	return doctor.Diagnose(s.kase.Collect(s.Context()))
}

// recorded is the reason of the sandbox's last refusal of an exchange; empty if
// the workload's call never came, or was granted.
func (s *scene) recorded() string {
	all := s.box.Decisions()
	for i := len(all) - 1; i >= 0; i-- {
		if op := all[i].Operation; op == "CreateSession" || op == "AssumeRoleWithWebIdentity" || op == "AssumeRole" {
			return all[i].Reason
		}
	}
	return ""
}

// A row breaks one thing.
type row struct {
	slug  string
	name  string
	spoil func(*scene)
	mend  func(*scene) // what the mend says; nil: sound
	// record is the sandbox's word where it is another than ours; "-" where its
	// AWS is never asked.
	record string
}

func (r row) run(t *testing.T, s *scene) {
	r.spoil(s)
	report := s.diagnose()
	if report.Healthy || report.Cause.Reason != r.slug {
		t.Fatalf("doctor names %s, want %s\n%s", cause(report), r.slug, pretty(report))
	}
	if report.Cause.Mend == "" || report.Cause.Detail == "" {
		t.Errorf("no mend or no evidence: %+v", report.Cause)
	}
	if _, ok := reason.Lookup(r.slug); !ok {
		t.Errorf("%s is not in the catalogue", r.slug)
	}
	want := r.record
	switch {
	case want == "":
		want = r.slug
	case want == "-":
		want = ""
	}
	if got := s.recorded(); got != want {
		t.Errorf("the sandbox refused for %q, want %q", got, want)
	}
	mend := r.mend
	if mend == nil {
		mend = (*scene).sound
	}
	mend(s)
	if report := s.diagnose(); !report.Healthy || s.recorded() != "" {
		t.Errorf("after the mend doctor names %s, the sandbox %q\n%s", cause(report), s.recorded(), pretty(report))
	}
}

func cause(r doctor.Report) string {
	if r.Cause == nil {
		return "nothing"
	}
	return r.Cause.Step + " " + r.Cause.Reason + " of " + strings.Join(r.Candidates, ",")
}

func pretty(r doctor.Report) string {
	var told []doctor.Check
	for _, c := range r.Checks {
		if c.Verdict != doctor.Pass {
			told = append(told, c)
		}
	}
	text, _ := json.MarshalIndent(told, "", " ")
	return string(text)
}

// Nothing is wrong: no failure, and no warnings but these.
func healthy(t *testing.T, r doctor.Report, warnings ...string) {
	t.Helper()
	if !r.Healthy {
		t.Errorf("a false alarm: %s\n%s", cause(r), pretty(r))
	}
	passed, warned := 0, []string(nil)
	for _, c := range r.Checks {
		if c.Verdict == doctor.Warn {
			warned = append(warned, c.Reason)
		}
		if c.Verdict == doctor.Pass {
			passed++
		}
	}
	if !slices.Equal(warned, warnings) {
		t.Errorf("warnings of %q, want %q\n%s", warned, warnings, pretty(r))
	}
	if passed == 0 {
		t.Error("nothing was looked at")
	}
}
