package rolesanywhere_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"daypass.dev/policy"
)

func profileRows() map[string][]row {
	return map[string][]row{
		"profile-elsewhere": {
			{"another account", func(s *stage) {
				s.query.Set("profileArn", strings.Replace(profileARN, account, "999999999999", 1))
			}},
			{"another region", func(s *stage) {
				s.query.Set("profileArn", strings.Replace(profileARN, "us-east-1", "eu-west-1", 1))
			}},
		},
		"profile-unknown":    {{"another id", func(s *stage) { s.query.Set("profileArn", profileARN+"0") }}},
		"profile-disabled":   {{"disabled", func(s *stage) { s.profile.Disabled = true }}},
		"profile-role":       {{"not listed", func(s *stage) { s.profile.RoleARNs = []string{strings.Replace(roleARN, "team-a/", "", 1)} }}},
		"profile-properties": {{"none sent", func(s *stage) { s.profile.RequireInstanceProperties = true }}},
		"profile-session-name": {{"not accepted", func(s *stage) {
			s.body = `{"roleSessionName":"pod-1"}`
		}}},
		"role-elsewhere": {{"another account", func(s *stage) {
			other := strings.Replace(roleARN, account, "999999999999", 1)
			s.profile.RoleARNs = []string{other}
			s.query.Set("roleArn", other)
		}}},
		"source-identity": {
			{"parentheses", func(s *stage) { s.certify(leafTemplate("John (E12345)")) }},
			{"65 characters", func(s *stage) { s.certify(leafTemplate(strings.Repeat("a", 65))) }},
		},
		"role-not-found": {{"deleted", func(s *stage) { delete(s.world.Account(account).Roles, s.role.Name) }}},
		"duration-over-role": {
			{"12 hours", func(s *stage) {
				s.profile.Duration = 12 * time.Hour
				s.body = `{"durationSeconds":43200}`
			}},
			{"the profile's, not asked for", func(s *stage) {
				s.profile.Duration = 2 * time.Hour
				s.body = `{}`
			}},
		},
		"session-policy-not-found": {{"of the profile", func(s *stage) {
			s.profile.ManagedPolicies = []string{"arn:aws:iam::" + account + ":policy/gone"}
		}}},
		"packed-policy-too-large": {{"a long session policy", func(s *stage) {
			s.profile.SessionPolicy = document(s.t, policy.Identity, longPolicy())
		}}},
	}
}

// longPolicy does not pack well.
func longPolicy() string {
	var resources []string
	for i := range 150 {
		resources = append(resources, fmt.Sprintf(`"arn:aws:s3:::%s/*"`, hash(fmt.Sprint(i))[:40]))
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":[` + strings.Join(resources, ",") + `]}]}`
}

// trusting is a trust policy for Roles Anywhere with these actions and, if not
// empty, this condition.
func trusting(actions, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":[` +
		actions + `]` + condition + `}]}`
}

const allActions = `"sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"`

func trustRows() map[string][]row {
	trust := func(actions, condition string) func(*stage) {
		return func(s *stage) { s.trust(trusting(actions, condition)) }
	}
	return map[string][]row{
		"trust-no-statement": {{"a Deny for others", func(s *stage) {
			s.trust(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)
		}}},
		"policy-explicit-deny": {{"of a common name", func(s *stage) {
			s.trust(`{"Version":"2012-10-17","Statement":[
				{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]},
				{"Effect":"Deny","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"alice"}}}]}`)
		}}},
		"policy-principal": {{"another service", func(s *stage) {
			s.trust(strings.Replace(trustAll, "rolesanywhere.amazonaws.com", "ec2.amazonaws.com", 1))
		}}},
		"policy-action":         {{"no AssumeRole", trust(`"sts:TagSession","sts:SetSourceIdentity"`, "")}},
		"trust-tag-session":     {{"no TagSession", trust(`"sts:AssumeRole","sts:SetSourceIdentity"`, "")}},
		"trust-source-identity": {{"no SetSourceIdentity", trust(`"sts:AssumeRole","sts:TagSession"`, "")}},
		"policy-condition": {
			{"another common name", trust(allActions, `{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"bob"}}`)},
			{"another trust anchor", trust(allActions, `{"ArnEquals":{"aws:SourceArn":"`+anchorARN+`0"}}`)},
			{"another account", trust(allActions, `{"StringEquals":{"aws:SourceAccount":"999999999999"}}`)},
			{"another source identity", trust(allActions, `{"StringEquals":{"sts:SourceIdentity":"CN=bob"}}`)},
			{"another issuer", trust(allActions, `{"StringEquals":{"aws:PrincipalTag/x509Issuer/CN":"Other CA"}}`)},
			{"a repeated common name", func(s *stage) {
				s.repeatName("mallory", "alice")
				trust(allActions, `{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"alice"}}`)(s)
			}},
			{"a repeated common name, the victim's first", func(s *stage) {
				s.repeatName("alice", "mallory")
				trust(allActions, `{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"alice"}}`)(s)
			}},
			{"the victim's URI second", func(s *stage) {
				s.twoURIs("mallory", "alice")
				trust(allActions, `{"StringEquals":{"aws:PrincipalTag/x509SAN/URI":"spiffe://td/alice"}}`)(s)
			}},
		},
		"policy-condition-key-missing": {
			{"no URI in the certificate", trust(allActions, `{"StringEquals":{"aws:PrincipalTag/x509SAN/URI":"spiffe://td/alice"}}`)},
			{"the profile maps no common name", func(s *stage) {
				s.profile.Mappings = map[string][]string{"x509Subject": {"O"}}
				trust(allActions, `{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"alice"}}`)(s)
			}},
			{"a value that STS does not take", func(s *stage) {
				template := leafTemplate("alice")
				template.Subject.OrganizationalUnit = []string{"a(b)"}
				s.certify(template)
				trust(allActions, `{"StringEquals":{"aws:PrincipalTag/x509Subject/OU":"a(b)"}}`)(s)
			}},
		},
		"policy-condition-multivalued": {{"tag keys without a quantifier",
			trust(allActions, `{"StringEquals":{"aws:TagKeys":"x509Subject/CN"}}`)}},
	}
}

// repeatName issues a leaf with two common names.
func (s *stage) repeatName(first, second string) {
	template := leafTemplate("")
	template.Subject = pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{
		{Type: []int{2, 5, 4, 3}, Value: first}, {Type: []int{2, 5, 4, 3}, Value: second},
	}}
	s.certify(template)
}

// twoURIs issues a leaf with two SPIFFE ids.
func (s *stage) twoURIs(first, second string) {
	template := leafTemplate("mallory")
	for _, name := range []string{first, second} {
		template.URIs = append(template.URIs, &url.URL{Scheme: "spiffe", Host: "td", Path: "/" + name})
	}
	s.certify(template)
}

// TestTwoURIs says what Roles Anywhere does with a certificate that names two
// workloads: only the first URI counts. A CA that lets its holders choose the
// order lets them be each other, and no trust policy on the URI can tell.
func TestTwoURIs(t *testing.T) {
	s := newStage(t)
	s.twoURIs("alice", "mallory")
	s.trust(trusting(allActions, `{"StringEquals":{"aws:PrincipalTag/x509SAN/URI":"spiffe://td/alice"}}`))
	s.session()
	want := map[string]string{
		"x509Subject/CN": "mallory", "x509Issuer/CN": "Test CA", "x509SAN/URI": "spiffe://td/alice",
	}
	s.tagged(want)
}

// TestRepeatedName says what becomes of a Subject with two common names: one
// tag with both, joined by a slash, in the certificate's order. A condition
// StringEquals on either is false; one with a wildcard may be true.
func TestRepeatedName(t *testing.T) {
	s := newStage(t)
	s.repeatName("mallory", "alice")
	got, _ := s.session()
	s.tagged(map[string]string{"x509Subject/CN": "mallory/alice", "x509Issuer/CN": "Test CA"})
	if id := got.CredentialSet[0].SourceIdentity; id != "CN=mallory/alice" {
		t.Errorf("source identity %q", id)
	}
	s.trust(trusting(allActions, `{"StringLike":{"aws:PrincipalTag/x509Subject/CN":"*alice"}}`))
	s.session()
}

// TestDroppedTagFailsOpen shows the trap of the User Guide: StringNotEquals
// on a tag that is absent is true.
func TestDroppedTagFailsOpen(t *testing.T) {
	for name, spoil := range map[string]func(*stage){
		"a profile that does not map it": func(s *stage) { s.profile.Mappings = map[string][]string{"x509Issuer": {"*"}} },
		"a value that STS does not take": func(s *stage) {
			s.certify(&x509.Certificate{
				SerialNumber: leafTemplate("").SerialNumber, Subject: pkix.Name{CommonName: "alice", OrganizationalUnit: []string{"contractors (ext)"}},
				NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			spoil(s)
			s.trust(trusting(allActions, `{"StringNotEquals":{"aws:PrincipalTag/x509Subject/OU":"contractors (ext)"}}`))
			s.session()
		})
	}
}

// TestDroppedAttributesAreNamed holds the answer against the one that a user
// reported, for a wildcard DNS name.
func TestDroppedAttributesAreNamed(t *testing.T) {
	s := newStage(t)
	template := leafTemplate("alice")
	template.DNSNames = []string{"*.example.com"}
	s.certify(template)
	s.trust(trusting(allActions, `{"StringEquals":{"aws:PrincipalTag/x509SAN/DNS":"a.example.com"}}`))
	d := s.refused("policy-condition-key-missing")
	want := "Unable to assume role for " + roleARN + ". Some attributes failed to be mapped into session tags. Issuer: [  ]; Subject: [  ]; SAN: [ DNS/2 ]"
	if d.Message != want {
		t.Errorf("message %q, want %q", d.Message, want)
	}
	if !strings.Contains(d.Detail, "x509SAN/DNS") {
		t.Errorf("detail %q", d.Detail)
	}
}
