package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"daypass.dev/doctor"
	"daypass.dev/pki"
	"daypass.dev/sandbox/rolesanywhere"
)

// notInFiles are the rules of CreateSession that explain cannot see, and why.
func notInFiles() map[string]string {
	const (
		signing    = "is of the signature of one request"
		parameters = "is of the parameters of one request"
		exists     = "is of what exists in the account, and in what state"
		lists      = "is of the trust anchor's revocation lists"
	)
	return map[string]string{
		"x509-authorization": signing, "x509-header": signing, "x509-chain-header": signing, "x509-mldsa": signing,
		"x509-algorithm": signing, "x509-unsigned-header": signing, "x509-date": signing, "x509-scope": signing,
		"x509-clock": signing, "x509-serial": signing, "x509-signature": signing,
		"session-body": parameters, "session-parameter": parameters, "session-arn": parameters, "session-duration": parameters,
		"session-name": parameters, "session-properties": parameters, "profile-properties": parameters,
		"anchor-region": exists, "anchor-unknown": exists, "anchor-disabled": exists, "anchor-private-ca": exists,
		"profile-unknown": exists, "role-not-found": exists, "session-policy-not-found": exists,
		"crl-unreadable": lists, "crl-signature": lists, "ca-crl-sign": lists, "certificate-revoked": lists,
		"packed-policy-too-large": "depends on how AWS packs policies and tags, which is not published",
	}
}

// sceneRows spoil a scene for a rule of CreateSession, each in one way.
func sceneRows() map[string][]func(*scene) {
	all := map[string][]func(*scene){}
	for _, some := range []map[string][]func(*scene){leafScenes(), chainScenes(), profileScenes(), trustScenes()} {
		maps.Copy(all, some)
	}
	return all
}

// TestExplainNamesWhatTheSandboxNames holds explain, which reads files with
// pki, against the sandbox, which has rules of its own.
func TestExplainNamesWhatTheSandboxNames(t *testing.T) {
	rows, rules := sceneRows(), rolesanywhere.Rules()
	if len(rules) == 0 {
		t.Fatal("the sandbox has no rules")
	}
	for _, slug := range rules {
		_, hidden := notInFiles()[slug]
		if hidden == (len(rows[slug]) > 0) {
			t.Errorf("rule %s must either have a row or be named as one that files do not show", slug)
		}
	}
	for slug := range notInFiles() {
		if !slices.Contains(rules, slug) {
			t.Errorf("%s is no rule of the sandbox", slug)
		}
	}
	for _, slug := range slices.Sorted(maps.Keys(rows)) {
		if !slices.Contains(rules, slug) {
			t.Errorf("the row for %s is of no rule", slug)
		}
		for _, spoil := range rows[slug] {
			t.Run(slug, func(t *testing.T) {
				s := newScene(t)
				spoil(s)
				_, d := s.createSession(s.furnish())
				o := s.files()
				e, err := o.explain(sceneTime)
				s.must(err)
				if d.Reason != slug {
					t.Fatalf("the sandbox names %q: %s", d.Reason, d.Detail)
				}
				if warned(e, slug) {
					return
				}
				if e.Reason != slug || e.Allowed || e.Detail == "" {
					t.Errorf("explain names %q (%s)", e.Reason, e.Detail)
				}
				if mend := strings.ReplaceAll(e.Mend, o.trustFile, "trust policy of role reader"); mend != d.Mend || mend == "" {
					t.Errorf("the sandbox would mend it by %q, explain by %q", d.Mend, mend)
				}
			})
		}
	}
}

// warned tells that explain lets pass, with a warning, the one thing that the
// sandbox refuses without AWS saying so: how long RSA keys must be.
func warned(e explanation, slug string) bool {
	return e.Allowed && slices.ContainsFunc(e.Steps, func(s explainedStep) bool {
		return s.Reason == slug && s.Verdict == pki.Warn && strings.Contains(s.Detail, "AWS states no limits")
	})
}

// TestTheSceneIsSound keeps the rows honest: unspoiled, both say yes.
func TestTheSceneIsSound(t *testing.T) {
	s := newScene(t)
	if w, d := s.createSession(s.furnish()); w.Code != http.StatusCreated {
		t.Errorf("the sandbox refuses for %s: %s", d.Reason, d.Detail)
	}
	if e, err := s.files().explain(sceneTime); err != nil || !e.Allowed {
		t.Errorf("explain refuses for %s: %s, %v", e.Reason, e.Detail, err)
	}
}

// TestOrderOfCertificateRules: what explain names first of several things is
// what the sandbox looks at first.
func TestOrderOfCertificateRules(t *testing.T) {
	at, known := -1, 0
	last := doctor.Rank(pki.Finding{Rule: "none that there is", Verdict: pki.Fail})
	for _, slug := range rolesanywhere.Rules() {
		rank := doctor.Rank(pki.Finding{Rule: slug, Verdict: pki.Fail})
		if rank == last {
			continue // nothing that a certificate shows
		}
		if rank <= at {
			t.Errorf("%s comes elsewhere in the sandbox", slug)
		}
		at = rank
		known++
	}
	if known < 20 {
		t.Errorf("only %d rules are of certificates", known)
	}
}

func leafScenes() map[string][]func(*scene) {
	leaf := func(change func(*x509.Certificate)) []func(*scene) {
		return []func(*scene){func(s *scene) { s.certify(change) }}
	}
	foreign := func(key crypto.Signer) func(*scene) {
		return func(s *scene) {
			s.certifyBy(s.ca, key, nil)
			s.key = s.newKey() // refused before its signature counts
		}
	}
	_, edwards, _ := ed25519.GenerateKey(rand.Reader)
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	short, _ := rsa.GenerateKey(rand.Reader, 1024)
	return map[string][]func(*scene){
		"leaf-key-type":            {foreign(edwards), foreign(p224)},
		"leaf-key-size":            {func(s *scene) { s.certifyBy(s.ca, short, nil) }},
		"leaf-is-anchor":           {func(s *scene) { s.leaf, s.key = s.ca.cert, s.ca.key }},
		"leaf-version":             {func(s *scene) { s.leaf = s.issueV1(pkix.Name{CommonName: "alice"}, s.key.Public()) }},
		"leaf-ca":                  leaf(func(c *x509.Certificate) { c.BasicConstraintsValid, c.IsCA = true, true }),
		"leaf-key-usage":           leaf(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }),
		"leaf-signature-algorithm": leaf(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }),
		"leaf-subject-empty":       leaf(func(c *x509.Certificate) { c.Subject, c.DNSNames = pkix.Name{}, []string{"a.example.org"} }),
		"leaf-serial":              leaf(func(c *x509.Certificate) { c.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 167) }),
		"leaf-not-yet-valid":       leaf(func(c *x509.Certificate) { c.NotBefore = sceneTime.Add(time.Second) }),
		"leaf-expired":             leaf(func(c *x509.Certificate) { c.NotAfter = sceneTime.Add(-time.Second) }),
	}
}

func chainScenes() map[string][]func(*scene) {
	both := func(change func(*x509.Certificate)) []func(*scene) {
		return []func(*scene){
			func(s *scene) { s.found(change); s.certify(nil) },
			func(s *scene) { s.below(change) },
		}
	}
	caKey := func(key crypto.Signer) func(*scene) {
		return func(s *scene) {
			s.ca = s.newCA("Scene CA", nil, key, nil)
			s.holds(s.ca.cert)
			s.certify(nil)
		}
	}
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	short, _ := rsa.GenerateKey(rand.Reader, 1024)
	strange := pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55555, 1}, Critical: true, Value: []byte{5, 0}}
	return map[string][]func(*scene){
		"chain-depth": {func(s *scene) {
			s.chain = slices.Repeat([]*x509.Certificate{s.ca.cert}, 6)
		}},
		"anchor-bundle": {func(s *scene) {
			s.anchor.Bundle += "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
		}},
		"anchor-bundle-size": {func(s *scene) { s.holds(s.ca.cert, s.ca.cert, s.ca.cert) }},
		"chain-issuer-missing": {
			func(s *scene) { s.holds(s.newCA("Other CA", nil, s.newKey(), nil).cert) },
			func(s *scene) { s.below(nil); s.chain = nil },
		},
		"chain-signature":        {func(s *scene) { s.holds(s.newCA("Scene CA", nil, s.newKey(), nil).cert) }},
		"ca-version":             {func(s *scene) { s.holds(s.issueV1(s.ca.cert.Subject, s.ca.key.Public())) }},
		"ca-basic-constraints":   both(func(c *x509.Certificate) { c.IsCA = false; c.KeyUsage = x509.KeyUsageCertSign }),
		"ca-key-usage":           both(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }),
		"ca-signature-algorithm": both(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }),
		"ca-key-type":            {caKey(p224), caKey(short)},
		"ca-path-length": {func(s *scene) {
			s.found(func(c *x509.Certificate) { c.MaxPathLenZero = true })
			s.below(nil)
		}},
		"ca-not-yet-valid": both(func(c *x509.Certificate) { c.NotBefore = sceneTime.Add(time.Minute) }),
		"ca-expired":       both(func(c *x509.Certificate) { c.NotAfter = sceneTime.Add(-time.Minute) }),
		"chain-critical-extension": {
			func(s *scene) { s.certify(func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{strange} }) },
			func(s *scene) { s.below(func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{strange} }) },
		},
		"ca-name-constraints": {func(s *scene) {
			s.found(func(c *x509.Certificate) {
				c.PermittedDNSDomainsCritical, c.PermittedURIDomains = true, []string{"mine.example"}
			})
			s.certify(func(c *x509.Certificate) {
				c.URIs = []*url.URL{{Scheme: "spiffe", Host: "theirs.example", Path: "/a"}}
			})
		}},
	}
}

func profileScenes() map[string][]func(*scene) {
	return map[string][]func(*scene){
		"profile-elsewhere": {
			func(s *scene) { s.profile.ARN = strings.Replace(sceneProfile, "us-east-1", "eu-west-1", 1) },
			func(s *scene) { s.profile.ARN = strings.Replace(sceneProfile, sceneAccount, "999999999999", 1) },
		},
		"profile-disabled":     {func(s *scene) { s.profile.Disabled = true }},
		"profile-role":         {func(s *scene) { s.profile.RoleARNs = []string{strings.Replace(sceneRole, "team-a/", "", 1)} }},
		"profile-session-name": {func(s *scene) { s.name = "pod-1" }},
		"role-elsewhere": {func(s *scene) {
			s.role.ARN = strings.Replace(sceneRole, sceneAccount, "999999999999", 1)
			s.profile.RoleARNs = []string{s.role.ARN}
		}},
		"source-identity": {
			func(s *scene) { s.certify(func(c *x509.Certificate) { c.Subject.CommonName = "John (E12345)" }) },
			func(s *scene) {
				s.certify(func(c *x509.Certificate) { c.Subject.CommonName = strings.Repeat("a", 65) })
			},
		},
		"duration-over-role": {func(s *scene) { s.profile.Duration = 2 * time.Hour }},
	}
}

func trustScenes() map[string][]func(*scene) {
	const all = `"sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"`
	trust := func(actions, condition string) func(*scene) {
		return func(s *scene) { s.trust(sceneTrust(actions, condition)) }
	}
	text := func(policy string) []func(*scene) { return []func(*scene){func(s *scene) { s.trust(policy) }} }
	return map[string][]func(*scene){
		"trust-no-statement": text(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`),
		"policy-explicit-deny": text(`{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":[` + all + `]},
			{"Effect":"Deny","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"alice"}}}]}`),
		"policy-principal":      text(strings.Replace(sceneTrust(all, ""), "rolesanywhere.", "ec2.", 1)),
		"policy-action":         {trust(`"sts:TagSession","sts:SetSourceIdentity"`, "")},
		"trust-tag-session":     {trust(`"sts:AssumeRole","sts:SetSourceIdentity"`, "")},
		"trust-source-identity": {trust(`"sts:AssumeRole","sts:TagSession"`, "")},
		"policy-condition": {
			trust(all, `{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"bob"}}`),
			trust(all, `{"ArnEquals":{"aws:SourceArn":"`+sceneAnchor+`0"}}`),
			trust(all, `{"StringEquals":{"aws:SourceAccount":"999999999999"}}`),
			trust(all, `{"StringEquals":{"sts:SourceIdentity":"CN=bob"}}`),
			trust(all, `{"NumericLessThan":{"sts:DurationSeconds":"3600"}}`),
		},
		"policy-condition-key-missing": {
			trust(all, `{"StringEquals":{"aws:PrincipalTag/x509SAN/URI":"spiffe://td/alice"}}`),
			func(s *scene) {
				s.profile.Mappings = map[string][]string{"x509Subject": {"O"}, "x509Issuer": {"*"}}
				trust(all, `{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"alice"}}`)(s)
			},
			func(s *scene) {
				s.certify(func(c *x509.Certificate) { c.Subject.OrganizationalUnit = []string{"a(b)"} })
				trust(all, `{"StringEquals":{"aws:PrincipalTag/x509Subject/OU":"a(b)"}}`)(s)
			},
		},
		"policy-condition-multivalued": {trust(all, `{"StringEquals":{"aws:TagKeys":"x509Subject/CN"}}`)},
	}
}
