package rolesanywhere_test

import (
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"daypass.dev/policy"
	"daypass.dev/sandbox/world"
)

// identified opens the token of the session that the last call issued.
func (s *stage) identified(in issued) *world.Session {
	s.t.Helper()
	k := in.CredentialSet[0].Credentials
	secret, _, session, err := s.world.Identify(k.AccessKeyID, k.SessionToken)
	if err != nil {
		s.t.Fatal(err)
	}
	if secret != k.SecretAccessKey {
		s.t.Error("the secret is not the token's")
	}
	return session
}

// tagged makes a session and compares its tags.
func (s *stage) tagged(want map[string]string) {
	s.t.Helper()
	in, _ := s.session()
	if diff := cmp.Diff(want, s.identified(in).Tags); diff != "" {
		s.t.Errorf("tags (-want +got):\n%s", diff)
	}
}

func TestSession(t *testing.T) {
	s := newStage(t)
	s.trust(trusting(allActions, `{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"alice","aws:SourceAccount":"`+account+`","sts:SourceIdentity":"CN=alice"},"ArnEquals":{"aws:SourceArn":"`+anchorARN+`"}}`))
	in, d := s.session()
	set := in.CredentialSet[0]
	if want := "arn:aws:sts::" + account + ":assumed-role/reader/2a"; set.AssumedRoleUser.ARN != want {
		t.Errorf("session %s, want %s", set.AssumedRoleUser.ARN, want)
	}
	if want := s.role.ID + ":2a"; set.AssumedRoleUser.AssumedRoleID != want {
		t.Errorf("id %s, want %s", set.AssumedRoleUser.AssumedRoleID, want)
	}
	if set.RoleARN != roleARN || set.SourceIdentity != "CN=alice" || !strings.HasPrefix(in.SubjectARN, "arn:aws:rolesanywhere:us-east-1:"+account+":subject/") {
		t.Errorf("answer %+v", in)
	}
	if want := noon.Add(15 * time.Minute).Format(time.RFC3339); set.Credentials.Expiration != want {
		t.Errorf("expires %s, want %s", set.Credentials.Expiration, want)
	}
	session := s.identified(in)
	if session.AnchorARN != anchorARN || session.SourceIdentity != "CN=alice" || session.Name != "2a" {
		t.Errorf("session %+v", session)
	}
	if d.Caller != "CN=alice" || d.Proof != "2a" || d.Issued != set.Credentials.AccessKeyID || len(d.Checks) != 3 {
		t.Errorf("decision %+v", d)
	}
}

func TestDuration(t *testing.T) {
	for _, c := range []struct {
		profile time.Duration
		body    string
		want    time.Duration
	}{
		{time.Hour, `{}`, time.Hour},
		{time.Hour, ``, time.Hour},
		{0, `{"durationSeconds":null}`, time.Hour},
		{30 * time.Minute, `{"durationSeconds":3600}`, 30 * time.Minute},
		{time.Hour, `{"durationSeconds":900}`, 15 * time.Minute},
	} {
		s := newStage(t)
		s.profile.Duration, s.body = c.profile, c.body
		in, _ := s.session()
		if got := s.identified(in).Expires.Sub(noon); got != c.want {
			t.Errorf("profile %v, body %s: %v, want %v", c.profile, c.body, got, c.want)
		}
	}
}

func TestParametersInTheBody(t *testing.T) {
	s := newStage(t)
	s.query = nil
	s.body = fmt.Sprintf(`{"durationSeconds":900,"profileArn":%q,"roleArn":%q,"trustAnchorArn":%q,"sessionName":"deprecated","unknown":[1]}`, profileARN, roleARN, anchorARN)
	s.session()
	s = newStage(t)
	s.body = fmt.Sprintf(`{"roleArn":%q}`, roleARN) // the same in both
	s.session()
}

func TestSessionName(t *testing.T) {
	s := newStage(t)
	s.profile.AcceptSessionName = true
	s.body = `{"roleSessionName":"pod_1=a,b.c@d-e+f"}`
	in, _ := s.session()
	if got := s.identified(in).Name; got != "pod_1=a,b.c@d-e+f" {
		t.Errorf("session name %q", got)
	}
	for serial, want := range map[int64]string{1: "01", 0x123: "0123", 0x4567: "4567"} {
		s := newStage(t)
		s.profile.AcceptSessionName = true // and not used
		template := leafTemplate("alice")
		template.SerialNumber = big.NewInt(serial)
		s.certify(template)
		in, _ := s.session()
		if got := s.identified(in).Name; got != want {
			t.Errorf("serial %x: session name %q, want %q", serial, got, want)
		}
	}
}

func TestSourceIdentity(t *testing.T) {
	for cn, want := range map[string]string{
		"":                      "ID=2a",
		"alice":                 "CN=alice",
		"John M. Smith":         "CN=John M. Smith",
		strings.Repeat("a", 61): "CN=" + strings.Repeat("a", 61),
		strings.Repeat("a", 62): strings.Repeat("a", 62),
		strings.Repeat("a", 64): strings.Repeat("a", 64),
	} {
		s := newStage(t)
		template := leafTemplate(cn)
		template.Subject.Organization = []string{"o"}
		s.certify(template)
		in, _ := s.session()
		if got := in.CredentialSet[0].SourceIdentity; got != want {
			t.Errorf("common name %q: source identity %q, want %q", cn, got, want)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Run("RSA", func(t *testing.T) {
		s := newStage(t)
		s.useRSA(2048)
		s.session()
	})
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		t.Run(curve.Params().Name, func(t *testing.T) {
			s := newStage(t)
			s.key = ecKey(t, curve)
			s.leaf = s.ca.issue(t, leafTemplate("alice"), s.key.Public())
			s.session()
		})
	}
}

func TestTags(t *testing.T) {
	s := newStage(t)
	template := leafTemplate("alice")
	template.Subject.Organization = []string{"Acme"}
	template.Subject.OrganizationalUnit = []string{"Security", "Engineering"}
	template.Subject.Country = []string{"US"}
	template.Subject.SerialNumber = "not a name that is mapped"
	template.DNSNames = []string{"a.example.com", "b.example.com"}
	s.certify(template)
	s.tagged(map[string]string{
		"x509Subject/CN": "alice", "x509Subject/O": "Acme", "x509Subject/OU": "Security/Engineering", "x509Subject/C": "US",
		"x509Issuer/CN": "Test CA", "x509SAN/DNS": "a.example.com",
	})
	s.profile.Mappings = map[string][]string{"x509Subject": {"OU", "UID"}, "x509SAN": {"URI"}}
	s.tagged(map[string]string{"x509Subject/OU": "Security/Engineering"})
	s.profile.Mappings = map[string][]string{}
	s.trust(trusting(`"sts:AssumeRole","sts:SetSourceIdentity"`, "")) // no tags, no TagSession
	s.tagged(map[string]string{})
}

// TestDirectoryName maps the SAN's directory name, the first one only.
func TestDirectoryName(t *testing.T) {
	name := func(cn string) asn1.RawValue {
		rdns := leafTemplate(cn).Subject.ToRDNSequence()
		der, err := asn1.Marshal(rdns)
		if err != nil {
			t.Fatal(err)
		}
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: der}
	}
	der, err := asn1.Marshal([]asn1.RawValue{name("first"), name("second")})
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t)
	template := leafTemplate("alice")
	template.ExtraExtensions = append(template.ExtraExtensions, strange())
	template.ExtraExtensions[0].Id, template.ExtraExtensions[0].Value = asn1.ObjectIdentifier{2, 5, 29, 17}, der
	template.ExtraExtensions[0].Critical = false
	s.certify(template)
	s.tagged(map[string]string{"x509Subject/CN": "alice", "x509Issuer/CN": "Test CA", "x509SAN/Name/CN": "first"})
	s.profile.Mappings = map[string][]string{"x509SAN": {"Name/O"}}
	s.tagged(map[string]string{})
}

func TestSessionPolicies(t *testing.T) {
	s := newStage(t)
	s.profile.SessionPolicy = document(t, policy.Identity, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)
	s.profile.ManagedPolicies = []string{"arn:aws:iam::" + account + ":policy/narrow"}
	s.world.Account(account).Policies[s.profile.ManagedPolicies[0]] = &world.Policy{
		Name: "narrow", ARN: s.profile.ManagedPolicies[0], Default: "v1",
		Versions: []world.PolicyVersion{{ID: "v1", Document: s.profile.SessionPolicy}},
	}
	in, _ := s.session()
	session := s.identified(in)
	if len(session.Policies) != 1 || !strings.Contains(session.Policies[0], "s3:*") {
		t.Errorf("session policies %q", session.Policies)
	}
	if diff := cmp.Diff(s.profile.ManagedPolicies, session.ManagedARNs); diff != "" {
		t.Error(diff)
	}
	if in.CredentialSet[0].PackedPolicySize == 0 {
		t.Error("packedPolicySize is 0 with session policies")
	}
}

func TestPaths(t *testing.T) {
	for name, build := range map[string]func(*stage){
		"one intermediate": func(s *stage) {
			ca := s.ca.below(s.t, "Middle CA", nil)
			s.chain = []*x509.Certificate{ca.cert}
			s.certifyBy(ca, leafTemplate("alice"))
		},
		"five intermediates in any order, the leaf among them": func(s *stage) {
			ca := s.ca
			for i := range 4 {
				ca = ca.below(s.t, fmt.Sprintf("CA %d", i), nil)
				s.chain = append(s.chain, ca.cert)
			}
			s.certifyBy(ca, leafTemplate("alice"))
			s.chain[0], s.chain[3] = s.chain[3], s.chain[0]
			s.chain = append(s.chain, s.leaf)
		},
		"an intermediate as anchor": func(s *stage) {
			ca := s.ca.below(s.t, "Middle CA", nil)
			s.holds(ca.cert)
			s.certifyBy(ca, leafTemplate("alice"))
		},
		"two CAs of one name, the right one second": func(s *stage) {
			s.holds(newAuthority(s.t, "Test CA", nil).cert, s.ca.cert)
		},
		"pathlen 0 above the leaf": func(s *stage) {
			s.ca = newAuthority(s.t, "Test CA", func(c *x509.Certificate) { c.MaxPathLenZero = true })
			s.holds(s.ca.cert)
			s.certify(leafTemplate("alice"))
		},
		"a name that is permitted": func(s *stage) {
			s.ca = newAuthority(s.t, "Test CA", func(c *x509.Certificate) {
				c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"example.com"}
			})
			s.holds(s.ca.cert)
			template := leafTemplate("alice")
			template.DNSNames = []string{"a.example.com"}
			s.certify(template)
		},
		"the anchor sent as chain": func(s *stage) { s.chain = []*x509.Certificate{s.ca.cert} },
		"not revoked":              func(s *stage) { s.imports(s.ca.crl(s.t, s.ca.key, big.NewInt(99))) },
		"on a disabled list": func(s *stage) {
			s.imports(s.ca.crl(s.t, s.ca.key, s.leaf.SerialNumber)).Disabled = true
		},
		"on a list of another anchor": func(s *stage) {
			s.imports(s.ca.crl(s.t, s.ca.key, s.leaf.SerialNumber)).AnchorARN += "0"
		},
		"the same serial of another CA": func(s *stage) {
			other := newAuthority(s.t, "Other CA", nil)
			s.holds(s.ca.cert, other.cert)
			s.imports(other.crl(s.t, other.key, s.leaf.SerialNumber))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			build(s)
			s.session()
		})
	}
}

func TestSubjects(t *testing.T) {
	s := newStage(t)
	s.body = `{"instanceProperties":{"node":"n1"}}`
	first, _ := s.session()
	second, _ := s.session()
	if first.SubjectARN != second.SubjectARN {
		t.Errorf("two subjects, %s and %s, of one name", first.SubjectARN, second.SubjectARN)
	}
	s.profile.Disabled = true
	s.refused("profile-disabled")
	s.leaf = s.ca.issue(t, withSerial(leafTemplate("alice"), 43), s.key.Public())
	s.imports(s.ca.crl(t, s.ca.key, s.leaf.SerialNumber))
	s.refused("certificate-revoked")
	s.holds(newAuthority(t, "Other CA", nil).cert)
	s.certify(leafTemplate("stranger"))
	s.refused("chain-issuer-missing")
	all := s.world.Account(account).Subjects
	if len(all) != 1 {
		t.Fatalf("%d subjects are remembered, want one", len(all))
	}
	for _, subject := range all {
		if subject.Name != "CN=alice" || !subject.LastSeen.Equal(subject.Credentials[1].Seen) {
			t.Errorf("subject %+v", subject)
		}
		if len(subject.Credentials) != 2 || subject.Credentials[0].Serial != "42" || !subject.Credentials[0].Failed || !subject.Credentials[1].Failed {
			t.Errorf("credentials %+v", subject.Credentials)
		}
		if len(subject.Properties) != 1 || subject.Properties[0].Values["node"] != "n1" {
			t.Errorf("properties %+v", subject.Properties)
		}
	}
}

func withSerial(c *x509.Certificate, serial int64) *x509.Certificate {
	c.SerialNumber = big.NewInt(serial)
	return c
}

// TestCallsAtOnce is for the race detector: sessions, while others change what
// they stand on, under the world's lock.
func TestCallsAtOnce(t *testing.T) {
	d := newDesk(t)
	d.world.SetTime(noon)
	r := d.request()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 5 {
				w := httptest.NewRecorder()
				again := r.Clone(t.Context())
				again.RequestURI, again.Body = r.RequestURI, io.NopCloser(strings.NewReader(d.body))
				d.handler.ServeHTTP(w, again)
				if w.Code != http.StatusCreated && w.Code != http.StatusForbidden {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
	call := func(op func(*world.Account)) {
		all.Go(func() {
			for range 20 {
				d.world.Lock()
				op(d.world.Account(account))
				d.world.Unlock()
			}
		})
	}
	call(func(a *world.Account) { a.Anchors[d.anchor.ID].Disabled = !a.Anchors[d.anchor.ID].Disabled })
	call(func(a *world.Account) { a.Profiles[d.profile.ID].Mappings = map[string][]string{"x509Subject": {"CN"}} })
	all.Wait()
}
