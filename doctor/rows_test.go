package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"testing"
	"time"

	"daypass.dev/pki"
)

func certified(t *testing.T, change func(*x509.Certificate)) *pki.Evidence {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "web"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &pki.Evidence{Leaf: leaf}
}

func tokenOf(t *testing.T, claims map[string]any) *Token {
	t.Helper()
	all := map[string]any{"iss": "https://oidc.example.com", "sub": "s", "aud": "a", "iat": time.Now().Unix(), "exp": time.Now().Unix() + 60}
	for k, v := range claims {
		all[k] = v
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	part := base64.RawURLEncoding.EncodeToString
	return ParseToken(part([]byte(`{"alg":"RS256","kid":"k"}`)) + "." + part(text) + "." + part([]byte("signature")))
}

// trusting is a role that trusts Roles Anywhere under a condition.
func trusting(condition string) Evidence {
	return Evidence{Role: &Role{ARN: "r", Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},` +
		`"Action":"sts:AssumeRole","Condition":` + condition + `}]}`}}
}

// offstage are the evidence and the reason of what cannot be broken for real in
// the sandbox, or only with a machine of its own.
func offstage(t *testing.T) map[string]Evidence {
	no := false
	problem := func(step, slug string) Evidence { return Evidence{Problems: []Problem{{Reason: slug, On: step}}} }
	environment := func(env map[string]string) Evidence { return Evidence{Settings: &Settings{Environment: env}} }
	issuer := func(slug string) Evidence {
		return Evidence{Token: tokenOf(t, nil), Issuer: &Issuer{Reason: slug}}
	}
	list := func(list *x509.RevocationList) *CRLs {
		return &CRLs{Lists: []CRL{{Name: "l", Enabled: true, List: list}}}
	}
	propagating := &Profile{Enabled: true}
	if err := json.Unmarshal([]byte(`{"enabled":true,"tipConfiguration":{"status":"ENABLED","subjectSource":"x509SAN/URI"}}`), propagating); err != nil {
		t.Fatal(err)
	}
	return map[string]Evidence{
		"proof-unreadable": problem(StepCertificate, "proof-unreadable"), // root may read everything
		"environment-keys": environment(map[string]string{"AWS_ACCESS_KEY_ID": ""}),
		"environment-imds": environment(map[string]string{"AWS_EC2_METADATA_DISABLED": "TRUE", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9911"}),
		// AWS corrects nobody's clock; daypass corrects its own.
		"x509-clock":      {Ways: []Way{{Host: "h", Skew: 16 * time.Minute}}},
		"live-clock":      {Ways: []Way{{Host: "h", Skew: -2 * time.Minute}}},
		"crl-unreadable":  {CRLs: list(nil)},
		"crl-stale":       {CRLs: list(&x509.RevocationList{NextUpdate: time.Now().Add(-time.Hour)})},
		"iam-propagation": {Role: &Role{ARN: "r", Created: time.Now().Add(-time.Second)}, Answer: &Answer{Text: "no"}},
		"anchor-crl-fetch": {
			Certificate: certified(t, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{"http://crl.example.com"} }),
			Anchor:      &Anchor{ARN: "a", Enabled: true, FetchesCRLs: &no},
		},
		"anchor-notifications": {
			Certificate: certified(t, func(*x509.Certificate) {}),
			Anchor:      &Anchor{ARN: "a", Enabled: true, Notifications: []Notification{{Event: "END_ENTITY_CERTIFICATE_EXPIRY", Enabled: true, Threshold: 45}}},
		},
		"profile-propagation": {Certificate: certified(t, func(*x509.Certificate) {}), Profile: propagating},
		// The sandbox has no accounts.google.com of a wrong account here.
		"provider-google":    {Token: tokenOf(t, map[string]any{"iss": "https://accounts.google.com"}), Provider: &Provider{Google: true}},
		"issuer-slow":        issuer("issuer-slow"),
		"issuer-certificate": issuer("issuer-certificate"),
		"trust-any-anchor":   trusting(`{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"web"}}`),
		"trust-not-equals":   trusting(`{"StringNotEquals":{"aws:PrincipalTag/x509Subject/OU":"guests"},"ArnEquals":{"aws:SourceArn":"arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/1"}}`),
		"trust-wildcard":     trusting(`{"StringLike":{"aws:PrincipalTag/x509SAN/URI":"spiffe://prod/ns/*/sa/web"}}`),
		"policy-malformed":   {Role: &Role{ARN: "r", Trust: "{"}},
	}
}

func TestOffstage(t *testing.T) {
	rows := offstage(t)
	if len(rows) == 0 {
		t.Fatal("no rows")
	}
	for slug, e := range rows {
		e.Now = time.Now()
		found := slices.ContainsFunc(Diagnose(e).Checks, func(c Check) bool {
			return c.Reason == slug && (c.Verdict == Fail || c.Verdict == Warn) && c.Mend != ""
		})
		if !found {
			t.Errorf("%s is not found in %+v", slug, Diagnose(e).Checks)
		}
		if !slices.Contains(Reasons(), slug) {
			t.Errorf("%s is none of the reasons", slug)
		}
	}
}

// What is said to be healthy by its evidence alone is.
func TestOffstageHealthy(t *testing.T) {
	yes := true
	for name, e := range map[string]Evidence{
		"environment": {Settings: &Settings{Environment: map[string]string{"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9911"}}},
		"clock":       {Ways: []Way{{Host: "h", Skew: 50 * time.Second}}},
		"crl":         {CRLs: &CRLs{Lists: []CRL{{Enabled: true, List: &x509.RevocationList{NextUpdate: time.Now().Add(time.Hour)}}, {List: nil}}}},
		"fetch": {
			Certificate: certified(t, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{"http://crl.example.com"} }),
			Anchor:      &Anchor{ARN: "a", Enabled: true, FetchesCRLs: &yes},
		},
		"google": {Token: tokenOf(t, map[string]any{"iss": "https://accounts.google.com"}), Provider: &Provider{}},
	} {
		e.Now = time.Now()
		for _, c := range Diagnose(e).Checks {
			if c.Step != StepCertificate && (c.Verdict == Fail || c.Verdict == Warn) {
				t.Errorf("%s: %+v", name, c)
			}
		}
	}
}
