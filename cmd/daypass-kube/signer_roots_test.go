package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	pcatypes "github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"

	"daypass.dev/exchange"
	signing "daypass.dev/kube/signer"
	"daypass.dev/pki"
	"daypass.dev/proof"
	"daypass.dev/sandbox/sandboxtest"
)

// certifies has a root certify an issuing CA, and that a leaf, which must break
// no rule below what is to be trusted, and gets a session from AWS, where there
// is a trust anchor.
func certifies(t *testing.T, root signing.Root, trust []*x509.Certificate, s *sandboxtest.Sandbox, anchor *types.Source) {
	t.Helper()
	key, err := pki.NewKey("ec-p256")
	if err != nil {
		t.Fatal(err)
	}
	const life = 7 * 24 * time.Hour
	ca, err := root.IssueCA(t.Context(), key, pkix.Name{CommonName: "daypass signer 1"}, life)
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(ca.Certificate.NotAfter); left > life || left < life-time.Minute || !ca.Certificate.MaxPathLenZero {
		t.Errorf("the issuing CA lives %s, pathlen %d", left, ca.Certificate.MaxPathLen)
	}
	leaf, err := ca.Issue(pki.Leaf{Subject: pkix.Name{CommonName: "web@shop"}, PublicKey: key.Public(), Lifetime: time.Hour}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	chain := append([]*x509.Certificate{ca.Certificate}, ca.Above[:len(ca.Above)-1]...)
	for _, f := range pki.Check(pki.Evidence{Leaf: leaf, Key: key.Public(), Intermediates: chain, Anchors: trust}, time.Now()) {
		if f.Verdict == pki.Fail {
			t.Errorf("%s on %s: %s", f.Rule, f.On, f.Detail)
		}
	}
	if s != nil {
		session(t, s, anchor, &proof.Key{Signer: key, Leaf: leaf, Chain: chain})
	}
}

// session asks the sandbox for one.
func session(t *testing.T, s *sandboxtest.Sandbox, source *types.Source, key *proof.Key) {
	t.Helper()
	name := aws.String(strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())))
	roles, anywhere := iam.NewFromConfig(s.Config()), rolesanywhere.NewFromConfig(s.Config())
	role, err := roles.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17",
"Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	anchor, err := anywhere.CreateTrustAnchor(t.Context(), &rolesanywhere.CreateTrustAnchorInput{Name: name, Enabled: aws.Bool(true), Source: source})
	if err != nil {
		t.Fatal(err)
	}
	profile, err := anywhere.CreateProfile(t.Context(), &rolesanywhere.CreateProfileInput{Name: name, Enabled: aws.Bool(true), RoleArns: []string{*role.Role.Arn}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := (&exchange.RolesAnywhere{
		Key: held{key}, RoleARN: *role.Role.Arn, TrustAnchorARN: *anchor.TrustAnchor.TrustAnchorArn, ProfileARN: *profile.Profile.ProfileArn,
		Client: s.ProxyClient(),
	}).Credentials(t.Context())
	if err != nil || got.AccessKeyID == "" {
		t.Errorf("AWS gives %q: %v", got.AccessKeyID, err)
	}
}

type held struct{ key *proof.Key }

func (h held) Key(context.Context) (*proof.Key, error) { return h.key, nil }

// bundled is a trust anchor's source of these certificates.
func bundled(all []*x509.Certificate) *types.Source {
	text := ""
	for _, c := range all {
		text += string(pki.EncodeCertificate(c))
	}
	return &types.Source{SourceType: types.TrustAnchorTypeCertificateBundle, SourceData: &types.SourceDataMemberX509CertificateData{Value: text}}
}

func TestARootInKMS(t *testing.T) {
	s := sandboxtest.Start(t, "")
	to := kms.NewFromConfig(s.Config())
	for _, spec := range []kmstypes.KeySpec{kmstypes.KeySpecEccNistP256, kmstypes.KeySpecEccNistP384, kmstypes.KeySpecRsa2048} {
		t.Run(string(spec), func(t *testing.T) {
			made, err := to.CreateKey(t.Context(), &kms.CreateKeyInput{KeySpec: spec, KeyUsage: kmstypes.KeyUsageTypeSignVerify})
			if err != nil {
				t.Fatal(err)
			}
			id := *made.KeyMetadata.Arn
			key, err := newKMSKey(t.Context(), s.Config(), id)
			if err != nil {
				t.Fatal(err)
			}
			root, err := signing.NewRoot(key, "prod", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "root.pem")
			if err := os.WriteFile(file, pki.EncodeCertificate(root.Certificate), 0o600); err != nil {
				t.Fatal(err)
			}
			ca, trust, err := localRoot(t.Context(), file, id, func() (aws.Config, error) { return s.Config(), nil })
			if err != nil {
				t.Fatal(err)
			}
			certifies(t, signing.Local(ca), trust, s, bundled(trust))
			if _, err := key.Sign(nil, make([]byte, 20), crypto.SHA1); err == nil {
				t.Error("SHA-1 is signed")
			}
		})
	}
	if _, err := newKMSKey(t.Context(), s.Config(), "arn:aws:acm-pca:us-east-1:111122223333:key/x"); err == nil {
		t.Error("another service's ARN is taken")
	}
}

func TestARootInFiles(t *testing.T) {
	key, err := pki.NewKey("ec-p256")
	if err != nil {
		t.Fatal(err)
	}
	root, err := signing.NewRoot(key, "prod", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	other, err := pki.NewKey("ec-p256")
	if err != nil {
		t.Fatal(err)
	}
	next, err := signing.NewRoot(other, "prod", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, text []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text, err := pki.EncodeKey(key)
	keyFile := write("key.pem", text, err)
	text, err = pki.EncodeKey(other)
	otherFile := write("other.pem", text, err)
	certificates := write("root.pem", append(pki.EncodeCertificate(root.Certificate), pki.EncodeCertificate(next.Certificate)...), nil)
	ca, trust, err := localRoot(t.Context(), certificates, keyFile, nil)
	if err != nil || len(trust) != 2 {
		t.Fatalf("%d to trust, %v", len(trust), err)
	}
	certifies(t, signing.Local(ca), trust, nil, nil)
	for what, key := range map[string]string{"another's key": otherFile, "no key": certificates, "nothing": filepath.Join(dir, "missing")} {
		if _, _, err := localRoot(t.Context(), certificates, key, nil); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
}

func TestARootInPrivateCA(t *testing.T) {
	s := sandboxtest.Start(t, "")
	root := s.PrivateCA(t, pcatypes.CertificateAuthorityUsageModeGeneralPurpose)
	r, trust, err := newPrivateCA(t.Context(), s.Config(), root)
	if err != nil {
		t.Fatal(err)
	}
	certifies(t, r, []*x509.Certificate{trust}, s, &types.Source{
		SourceType: types.TrustAnchorTypeAwsAcmPca, SourceData: &types.SourceDataMemberAcmPcaArn{Value: root},
	})
	short := s.PrivateCA(t, pcatypes.CertificateAuthorityUsageModeShortLivedCertificate)
	if _, _, err := newPrivateCA(t.Context(), s.Config(), short); err == nil || !strings.Contains(err.Error(), "GENERAL_PURPOSE") {
		t.Errorf("a CA of short-lived mode: %v", err)
	}
}
