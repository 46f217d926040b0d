package rolesanywhere_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"daypass.dev/policy"
	"daypass.dev/reason"
	"daypass.dev/sandbox"
	"daypass.dev/sandbox/world"
)

const (
	account    = world.DefaultAccount
	anchorARN  = "arn:aws:rolesanywhere:us-east-1:" + account + ":trust-anchor/11111111-1111-4111-8111-111111111111"
	profileARN = "arn:aws:rolesanywhere:us-east-1:" + account + ":profile/22222222-2222-4222-8222-222222222222"
	roleARN    = "arn:aws:iam::" + account + ":role/team-a/reader"
)

const trustAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
 "Principal":{"Service":"rolesanywhere.amazonaws.com"},
 "Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}`

// A stage is a world in which CreateSession works, and the request that works
// in it. A test spoils one thing.
type stage struct {
	t       testing.TB
	world   *world.World
	handler http.Handler
	ca      authority
	anchor  *world.Anchor
	profile *world.Profile
	role    *world.Role

	leaf  *x509.Certificate
	key   crypto.Signer
	chain []*x509.Certificate

	// The request. What is nil or empty is as it should be.
	query      url.Values
	body       string
	host       string
	algorithm  string
	serial     string
	scope      string // REGION/SERVICE
	signedAt   time.Time
	unsigned   string                     // a header left out of SignedHeaders
	leafHeader string                     // instead of the leaf
	links      string                     // instead of the chain
	spoil      func(*http.Request)        // after signing
	headers    func(map[string]string)    // before signing
	sign       func(digest []byte) []byte // instead of the key
}

func newStage(t testing.TB) *stage {
	t.Helper()
	s := &stage{
		t: t, world: world.New(), ca: newAuthority(t, "Test CA", nil),
		query: url.Values{"profileArn": {profileARN}, "roleArn": {roleARN}, "trustAnchorArn": {anchorARN}},
		body:  `{"durationSeconds":900}`, host: "rolesanywhere.us-east-1.amazonaws.com",
		scope: "us-east-1/rolesanywhere", signedAt: noon,
	}
	s.world.SetTime(noon)
	s.handler = sandbox.New(s.world)
	a := s.world.Account(account)
	s.anchor = &world.Anchor{ID: idOf(anchorARN), ARN: anchorARN, Region: "us-east-1", Name: "a", Type: "CERTIFICATE_BUNDLE", Bundle: pemOf(s.ca.cert)}
	s.profile = &world.Profile{ID: idOf(profileARN), ARN: profileARN, Region: "us-east-1", Name: "p", RoleARNs: []string{roleARN}, Duration: time.Hour}
	s.role = &world.Role{
		Name: "reader", Path: "/team-a/", ARN: roleARN, ID: "AROAEXAMPLEEXAMPLEEX1", MaxSession: time.Hour,
		Trust: document(t, policy.Trust, trustAll),
	}
	a.Anchors[s.anchor.ID], a.Profiles[s.profile.ID], a.Roles[s.role.Name] = s.anchor, s.profile, s.role
	s.certify(leafTemplate("alice"))
	return s
}

func idOf(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

func document(t testing.TB, kind policy.Kind, text string) *policy.Document {
	t.Helper()
	doc, err := policy.Parse(kind, text)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func (s *stage) trust(text string) { s.role.Trust = document(s.t, policy.Trust, text) }

// certify has the CA issue a leaf for a new P-256 key.
func (s *stage) certify(template *x509.Certificate) {
	s.t.Helper()
	s.certifyBy(s.ca, template)
}

func (s *stage) certifyBy(ca authority, template *x509.Certificate) {
	s.t.Helper()
	s.key = ecKey(s.t, elliptic.P256())
	s.leaf = ca.issue(s.t, template, s.key.Public())
}

// holds makes a certificate the anchor's only one.
func (s *stage) holds(certs ...*x509.Certificate) { s.anchor.Bundle = pemOf(certs...) }

// issued are the members of CreateSession's answer.
type issued struct {
	CredentialSet []struct {
		AssumedRoleUser struct{ ARN, AssumedRoleID string }
		Credentials     struct {
			AccessKeyID, Expiration, SecretAccessKey, SessionToken string
		}
		PackedPolicySize        int
		RoleARN, SourceIdentity string
	}
	SubjectARN string
}

// send makes the call and returns answer and record.
func (s *stage) send() (*httptest.ResponseRecorder, world.Decision) {
	s.t.Helper()
	r := s.request()
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	all := s.world.Decisions()
	if len(all) == 0 {
		s.t.Fatal("the call left no decision")
	}
	return w, all[len(all)-1]
}

// session makes a call that must succeed.
func (s *stage) session() (issued, world.Decision) {
	s.t.Helper()
	w, d := s.send()
	if w.Code != http.StatusCreated || !d.Allowed {
		s.t.Fatalf("refused with %d for %s: %s (%s)", w.Code, d.Reason, d.Detail, w.Body)
	}
	var in issued
	if err := json.Unmarshal(w.Body.Bytes(), &in); err != nil {
		s.t.Fatal(err)
	}
	if len(in.CredentialSet) != 1 {
		s.t.Fatalf("the answer has %d credential sets: %s", len(in.CredentialSet), w.Body)
	}
	return in, d
}

// refused makes a call that must be refused for a reason, and holds the answer
// against the catalogue.
func (s *stage) refused(slug string) world.Decision {
	s.t.Helper()
	w, d := s.send()
	if d.Reason != slug {
		s.t.Fatalf("reason %q, want %q: %s (%d %s)", d.Reason, slug, d.Detail, w.Code, w.Body)
	}
	row, ok := reason.Lookup(slug)
	if !ok {
		s.t.Fatalf("%s is not in the catalogue", slug)
	}
	if d.Allowed || w.Code < 400 || d.Issued != "" || strings.Contains(w.Body.String(), "credentialSet") {
		s.t.Errorf("%s: answered %d, issued %q", slug, w.Code, d.Issued)
	}
	if d.Detail == "" || d.Mend == "" || strings.Contains(w.Body.String(), d.Detail) {
		s.t.Errorf("%s: detail %q, mend %q, answer %s", slug, d.Detail, d.Mend, w.Body)
	}
	if d.Detail == row.Cause {
		s.t.Errorf("%s: the detail says nothing of the case", slug)
	}
	return d
}

// request signs as the User Guide's "signing process" says. It shares nothing
// with the code under test.
func (s *stage) request() *http.Request {
	s.t.Helper()
	date := s.signedAt.Format("20060102T150405Z")
	h := map[string]string{
		"content-type": "application/json", "host": s.host, "x-amz-date": date,
		"x-amz-x509": base64.StdEncoding.EncodeToString(s.leaf.Raw),
	}
	if s.leafHeader != "" {
		h["x-amz-x509"] = s.leafHeader
	}
	var links []string
	for _, c := range s.chain {
		links = append(links, base64.StdEncoding.EncodeToString(c.Raw))
	}
	if s.links != "" {
		links = []string{s.links}
	}
	if links != nil {
		h["x-amz-x509-chain"] = strings.Join(links, ",")
	}
	if s.headers != nil {
		s.headers(h)
	}
	target := "/sessions"
	query := strings.ReplaceAll(s.query.Encode(), "+", "%20")
	if query != "" {
		target += "?" + query
	}
	r := httptest.NewRequest("POST", target, strings.NewReader(s.body))
	for name, value := range h {
		r.Header.Set(name, value)
	}
	r.Header.Del("Host")
	r.Host = s.host
	r.Header.Set("Authorization", s.authorization(h, query, date))
	if s.spoil != nil {
		s.spoil(r)
	}
	return r
}

func (s *stage) authorization(h map[string]string, query, date string) string {
	s.t.Helper()
	names := slices.Sorted(maps.Keys(h))
	names = slices.DeleteFunc(names, func(n string) bool { return n == s.unsigned })
	canonical := "POST\n/sessions\n" + query + "\n"
	for _, n := range names {
		canonical += n + ":" + h[n] + "\n"
	}
	canonical += "\n" + strings.Join(names, ";") + "\n" + hash(s.body)
	algorithm := s.algorithm
	if algorithm == "" {
		algorithm = "AWS4-X509-ECDSA-SHA256"
		if _, isRSA := s.key.Public().(*rsa.PublicKey); isRSA {
			algorithm = "AWS4-X509-RSA-SHA256"
		}
	}
	serial := s.serial
	if serial == "" {
		serial = s.leaf.SerialNumber.String()
	}
	scope := date[:8] + "/" + s.scope + "/aws4_request"
	digest := sha256.Sum256([]byte(algorithm + "\n" + date + "\n" + scope + "\n" + hash(canonical)))
	sign := s.sign
	if sign == nil {
		sign = func(digest []byte) []byte {
			signature, err := s.key.Sign(rand.Reader, digest, crypto.SHA256)
			if err != nil {
				s.t.Fatal(err)
			}
			return signature
		}
	}
	return algorithm + " Credential=" + serial + "/" + scope + ", SignedHeaders=" + strings.Join(names, ";") +
		", Signature=" + hex.EncodeToString(sign(digest[:]))
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
