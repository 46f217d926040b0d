package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"daypass.dev/exchange/sigv4x509"
	"daypass.dev/policy"
	"daypass.dev/sandbox"
	"daypass.dev/sandbox/world"
)

// sceneTime is when scenes play.
var sceneTime = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

const (
	sceneAccount = world.DefaultAccount
	sceneAnchor  = "arn:aws:rolesanywhere:us-east-1:" + sceneAccount + ":trust-anchor/11111111-1111-4111-8111-111111111111"
	sceneProfile = "arn:aws:rolesanywhere:us-east-1:" + sceneAccount + ":profile/22222222-2222-4222-8222-222222222222"
	sceneRole    = "arn:aws:iam::" + sceneAccount + ":role/team-a/reader"
)

// A scene is a world in which a certificate gets a session, and the same as
// files. A test spoils one thing in it, and asks both the sandbox and explain.
type scene struct {
	t       *testing.T
	world   *world.World
	anchor  world.Anchor
	profile world.Profile
	role    world.Role

	ca    authority
	leaf  *x509.Certificate
	key   crypto.Signer
	chain []*x509.Certificate
	name  string // asked as the session's

	boundary, session, bucket string // further policies; empty: none
}

// An authority is a CA of a scene.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newScene(t *testing.T) *scene {
	s := &scene{
		t: t, world: world.New(),
		anchor:  world.Anchor{ID: "11111111-1111-4111-8111-111111111111", ARN: sceneAnchor, Region: "us-east-1", Name: "a", Type: "CERTIFICATE_BUNDLE"},
		profile: world.Profile{ID: "22222222-2222-4222-8222-222222222222", ARN: sceneProfile, Region: "us-east-1", Name: "p", RoleARNs: []string{sceneRole}, Duration: time.Hour},
		role: world.Role{
			Name: "reader", Path: "/team-a/", ARN: sceneRole, ID: "AROAEXAMPLEEXAMPLEEX1", MaxSession: time.Hour,
			Inline: map[string]*policy.Document{},
		},
	}
	s.world.SetTime(sceneTime)
	s.trust(sceneTrust(`"sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"`, ""))
	s.found(nil)
	s.certify(nil)
	return s
}

// sceneTrust is a trust policy for Roles Anywhere.
func sceneTrust(actions, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":[` + actions + `]` + condition + `}]}`
}

func (s *scene) document(kind policy.Kind, text string) *policy.Document {
	s.t.Helper()
	doc, err := policy.Parse(kind, text)
	if err != nil {
		s.t.Fatal(err)
	}
	return doc
}

func (s *scene) trust(text string) { s.role.Trust = s.document(policy.Trust, text) }

func (s *scene) newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	return key
}

// issue signs a certificate with which change has its way.
func (s *scene) issue(template x509.Certificate, by *authority, public crypto.PublicKey, change func(*x509.Certificate)) *x509.Certificate {
	s.t.Helper()
	if change != nil {
		change(&template)
	}
	parent := &template
	if by.cert != nil {
		parent = by.cert
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, parent, public, by.key)
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func caTemplate(name string) x509.Certificate {
	return x509.Certificate{
		SerialNumber: big.NewInt(1000), Subject: pkix.Name{CommonName: name},
		NotBefore: sceneTime.Add(-24 * time.Hour), NotAfter: sceneTime.Add(24 * time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

// found makes the anchor's CA.
func (s *scene) found(change func(*x509.Certificate)) {
	s.ca = s.newCA("Scene CA", nil, s.newKey(), change)
	s.holds(s.ca.cert)
}

// newCA makes a CA, of itself or below another.
func (s *scene) newCA(name string, by *authority, key crypto.Signer, change func(*x509.Certificate)) authority {
	if by == nil {
		by = &authority{key: key}
	}
	return authority{s.issue(caTemplate(name), by, key.Public(), change), key}
}

func (s *scene) holds(certs ...*x509.Certificate) { s.anchor.Bundle = string(pemOf(certs...)) }

func pemOf(certs ...*x509.Certificate) []byte {
	var text []byte
	for _, c := range certs {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return text
}

// certify issues the leaf.
func (s *scene) certify(change func(*x509.Certificate)) { s.certifyBy(s.ca, s.newKey(), change) }

func (s *scene) certifyBy(ca authority, key crypto.Signer, change func(*x509.Certificate)) {
	s.key = key
	s.leaf = s.issue(x509.Certificate{
		SerialNumber: big.NewInt(0x2a), Subject: pkix.Name{CommonName: "alice"},
		NotBefore: sceneTime.Add(-time.Hour), NotAfter: sceneTime.Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}, &ca, key.Public(), change)
}

// below puts an intermediate between the anchor and the leaf.
func (s *scene) below(change func(*x509.Certificate)) {
	ca := s.newCA("Middle CA", &s.ca, s.newKey(), change)
	s.chain = []*x509.Certificate{ca.cert}
	s.certifyBy(ca, s.newKey(), nil)
}

// furnish puts the scene into its world.
func (s *scene) furnish() http.Handler {
	a := s.world.Account(sceneAccount)
	if s.boundary != "" {
		p := a.AddPolicy("boundary", "/", s.document(policy.Identity, s.boundary))
		s.role.Boundary = p.ARN
	}
	if s.session != "" {
		s.profile.SessionPolicy = s.document(policy.Session, s.session)
	}
	bucket := &world.Bucket{Name: "reports", Region: "us-east-1", Account: sceneAccount, Created: sceneTime, Objects: map[string]*world.Object{}}
	if s.bucket != "" {
		bucket.Policy = s.document(policy.Resource, s.bucket)
	}
	bucket.Objects["q3"] = &world.Object{Data: []byte("up")}
	a.Anchors[s.anchor.ID], a.Profiles[s.profile.ID], a.Roles[s.role.Name], a.Buckets[bucket.Name] = &s.anchor, &s.profile, &s.role, bucket
	return sandbox.New(s.world)
}

// createSession asks the sandbox.
func (s *scene) createSession(h http.Handler) (*httptest.ResponseRecorder, world.Decision) {
	s.t.Helper()
	body := []byte(`{}`)
	if s.name != "" {
		body = fmt.Appendf(nil, `{"roleSessionName":%q}`, s.name)
	}
	query := url.Values{"profileArn": {s.profile.ARN}, "roleArn": {s.role.ARN}, "trustAnchorArn": {sceneAnchor}}
	r := httptest.NewRequest(http.MethodPost, "https://rolesanywhere.us-east-1.amazonaws.com/sessions?"+query.Encode(), nil)
	r.Header.Set("Content-Type", "application/json")
	signer := sigv4x509.Signer{Key: s.key, Leaf: s.leaf, Region: "us-east-1", Service: "rolesanywhere", Chain: s.chain[:min(len(s.chain), sigv4x509.MaxChain)]}
	if err := signer.Sign(r, body, sceneTime); err != nil {
		s.t.Fatal(err)
	}
	if len(s.chain) > sigv4x509.MaxChain { // counted before any signature is
		var all []string
		for _, c := range s.chain {
			all = append(all, base64.StdEncoding.EncodeToString(c.Raw))
		}
		r.Header.Set("X-Amz-X509-Chain", strings.Join(all, ","))
	}
	return s.call(h, r, body)
}

// call hands the sandbox a request as it would arrive, and returns answer and
// record.
func (s *scene) call(h http.Handler, signed *http.Request, body []byte) (*httptest.ResponseRecorder, world.Decision) {
	s.t.Helper()
	r := httptest.NewRequest(signed.Method, signed.URL.String(), bytes.NewReader(body))
	r.Header = signed.Header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	all := s.world.Decisions()
	return w, all[len(all)-1]
}

// files writes the scene down and returns the options that name the files.
func (s *scene) files() *explainOptions {
	dir := s.t.TempDir()
	write := func(name string, data []byte) string {
		if len(data) == 0 {
			return ""
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			s.t.Fatal(err)
		}
		return path
	}
	o := &explainOptions{
		resource: "*", anchorARN: sceneAnchor, sessionName: s.name,
		certificateFile: write("leaf.pem", pemOf(s.leaf)), chainFile: write("chain.pem", pemOf(s.chain...)),
		anchorFile: write("anchor.pem", []byte(s.anchor.Bundle)),
		trustFile:  write("role.json", s.roleJSON()), profileFile: write("profile.json", s.profileJSON()),
		boundaryFile: write("boundary.json", []byte(s.boundary)), resourcePolicyFile: write("bucket.json", []byte(s.bucket)),
	}
	for name, doc := range s.role.Inline {
		o.policyFiles = append(o.policyFiles, write(name+".json", []byte(doc.Text)))
	}
	return o
}

// roleJSON is the role as the AWS CLI prints it.
func (s *scene) roleJSON() []byte {
	return s.json(map[string]any{"Role": map[string]any{
		"Path": s.role.Path, "RoleName": s.role.Name, "RoleId": s.role.ID, "Arn": s.role.ARN,
		"AssumeRolePolicyDocument": json.RawMessage(s.role.Trust.Text), "MaxSessionDuration": int(s.role.MaxSession.Seconds()),
	}})
}

// profileJSON is the profile as the AWS CLI prints it.
func (s *scene) profileJSON() []byte {
	p := map[string]any{
		"profileArn": s.profile.ARN, "name": s.profile.Name, "enabled": !s.profile.Disabled, "roleArns": s.profile.RoleARNs,
		"durationSeconds": int(s.profile.Duration.Seconds()), "acceptRoleSessionName": s.profile.AcceptSessionName,
		"requireInstanceProperties": s.profile.RequireInstanceProperties,
	}
	if s.session != "" {
		p["sessionPolicy"] = s.session
	}
	if s.profile.Mappings != nil {
		var fields []any
		for field, specifiers := range s.profile.Mappings {
			var rules []any
			for _, one := range specifiers {
				rules = append(rules, map[string]string{"specifier": one})
			}
			fields = append(fields, map[string]any{"certificateField": field, "mappingRules": rules})
		}
		p["attributeMappings"] = fields
	}
	return s.json(map[string]any{"profile": p})
}

func (s *scene) json(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}
