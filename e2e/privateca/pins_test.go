package privateca

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acmpca"
	pcatypes "github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"

	"daypass.dev/exchange"
	"daypass.dev/pki"
	"daypass.dev/proof"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
	"daypass.dev/setup"
)

const (
	ownURI   = "spiffe://demo.example.org/ns/shop/sa/web"
	otherURI = "spiffe://demo.example.org/ns/rogue/sa/web"
)

// TestEachPinAlone: a trust policy as daypassctl writes it, for a certificate of
// Private CA. A certificate that differs in one thing is refused by one condition,
// and the decision names that and no other.
func TestEachPinAlone(t *testing.T) {
	s, ca := newCA(t, &failing{}, "")
	other := s.PrivateCA(t, "")
	p := newPinned(t, s, ca)
	twin := p.anchor("twin", other)
	for _, row := range []struct {
		what, ca, anchor, name string
		uris                   []string
		differs                string // the one condition that refuses; empty: let in
	}{
		{"the workload", ca, p.trusted, "web@shop", []string{ownURI}, ""},
		{"another's common name", ca, p.trusted, "web@rogue", []string{ownURI}, "aws:PrincipalTag/x509Subject/CN"},
		{"another's URI", ca, p.trusted, "web@shop", []string{otherURI}, "aws:PrincipalTag/x509SAN/URI"},
		{"no URI", ca, p.trusted, "web@shop", nil, "aws:PrincipalTag/x509SAN/URI"},
		{"two URIs, its own last", ca, p.trusted, "web@shop", []string{otherURI, ownURI}, "aws:PrincipalTag/x509SAN/URI"},
		{"another CA, another anchor", other, twin, "web@shop", []string{ownURI}, "aws:SourceArn"},
	} {
		t.Run(row.what, func(t *testing.T) {
			t.Parallel()
			held := p.leaf(t, time.Hour, row.ca, row.name, row.uris...)
			_, err := (&exchange.RolesAnywhere{
				Key: held, RoleARN: p.role, TrustAnchorARN: row.anchor, ProfileARN: p.profile, Region: "us-east-1", Endpoint: s.URL, Client: s.Client(),
			}).Credentials(t.Context())
			d := p.decision(t, held)
			if row.differs == "" {
				if err != nil || !d.Allowed {
					t.Errorf("%v: %+v", err, d)
				}
				return
			}
			if err == nil || d.Allowed || !strings.HasPrefix(d.Reason, "policy-condition") {
				t.Fatalf("%v: %+v", err, d)
			}
			for _, pin := range []string{"aws:PrincipalTag/x509Subject/CN", "aws:PrincipalTag/x509SAN/URI", "aws:SourceArn"} {
				if strings.Contains(d.Detail, pin) != (pin == row.differs) {
					t.Errorf("%s refuses, and the decision says %q", row.differs, d.Detail)
				}
			}
		})
	}
	t.Run("another CA at the anchor", func(t *testing.T) {
		t.Parallel()
		held := p.leaf(t, time.Hour, other, "web@shop", ownURI)
		_, err := (&exchange.RolesAnywhere{
			Key: held, RoleARN: p.role, TrustAnchorARN: p.trusted, ProfileARN: p.profile, Region: "us-east-1", Endpoint: s.URL, Client: s.Client(),
		}).Credentials(t.Context())
		if d := p.decision(t, held); err == nil || d.Allowed || d.Reason != "chain-signature" {
			t.Errorf("%v: %+v", err, d)
		}
	})
}

// pinned is a role for one certificate's names, with a profile.
type pinned struct {
	t                      *testing.T
	s                      *sandboxtest.Sandbox
	trusted, role, profile string // ARNs
}

func newPinned(t *testing.T, s *sandboxtest.Sandbox, ca string) *pinned {
	t.Helper()
	p := &pinned{t: t, s: s}
	p.trusted = p.anchor("workloads", ca)
	trust, err := setup.TrustPolicy(setup.Certificate{TrustAnchorARN: p.trusted, CommonName: "web@shop", URI: ownURI})
	p.must(err)
	role, err := iam.NewFromConfig(s.Config()).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("web"), AssumeRolePolicyDocument: aws.String(string(trust))})
	p.must(err)
	p.role = *role.Role.Arn
	profile, err := rolesanywhere.NewFromConfig(s.Config()).CreateProfile(t.Context(), &rolesanywhere.CreateProfileInput{
		Name: aws.String("web"), Enabled: aws.Bool(true), RoleArns: []string{p.role},
	})
	p.must(err)
	p.profile = *profile.Profile.ProfileArn
	return p
}

func (p *pinned) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// anchor makes a trust anchor of a private CA.
func (p *pinned) anchor(name, ca string) string {
	p.t.Helper()
	made, err := rolesanywhere.NewFromConfig(p.s.Config()).CreateTrustAnchor(p.t.Context(), &rolesanywhere.CreateTrustAnchorInput{
		Name: &name, Enabled: aws.Bool(true),
		Source: &types.Source{SourceType: types.TrustAnchorTypeAwsAcmPca, SourceData: &types.SourceDataMemberAcmPcaArn{Value: ca}},
	})
	p.must(err)
	return *made.TrustAnchor.TrustAnchorArn
}

// A held certificate is its own source.
type held struct{ key *proof.Key }

func (h held) Key(context.Context) (*proof.Key, error) { return h.key, nil }

// decision is of the one session that a certificate has asked for.
func (p *pinned) decision(t *testing.T, by held) world.Decision {
	t.Helper()
	for _, d := range p.s.Decisions() {
		if d.Operation == "CreateSession" && d.Proof == pki.HexSerial(by.key.Leaf) {
			return d
		}
	}
	t.Fatal("it is nowhere recorded")
	return world.Decision{}
}

// leaf has a private CA issue a certificate that lives this long.
func (p *pinned) leaf(t *testing.T, life time.Duration, ca, name string, uris ...string) held {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}
	for _, text := range uris {
		u, err := url.Parse(text)
		must(err)
		template.URIs = append(template.URIs, u)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	must(err)
	c := acmpca.NewFromConfig(p.s.Config())
	issued, err := c.IssueCertificate(t.Context(), &acmpca.IssueCertificateInput{
		CertificateAuthorityArn: &ca, Csr: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
		SigningAlgorithm: pcatypes.SigningAlgorithmSha256withecdsa, Validity: &pcatypes.Validity{Type: pcatypes.ValidityPeriodTypeAbsolute, Value: aws.Int64(time.Now().Add(life).Unix())},
	})
	must(err)
	get := &acmpca.GetCertificateInput{CertificateAuthorityArn: &ca, CertificateArn: issued.CertificateArn}
	must(acmpca.NewCertificateIssuedWaiter(c).Wait(t.Context(), get, time.Minute))
	got, err := c.GetCertificate(t.Context(), get)
	must(err)
	all, err := pki.ParseCertificates([]byte(*got.Certificate))
	must(err)
	return held{&proof.Key{Signer: key, Leaf: all[0], Chain: all[1:]}}
}
