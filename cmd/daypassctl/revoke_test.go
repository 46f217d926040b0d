package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acmpca"
	pca "github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"daypass.dev"
	"daypass.dev/config"
	"daypass.dev/internal/cli"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

// An estate is a role in the sandbox that two certificates may use.
type estate struct {
	*sandboxtest.Sandbox
	t                     *testing.T
	dir                   string
	anchor, profile, role string
}

func (e *estate) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

// run is this program, as the sandbox's administrator.
func (e *estate) run(args ...string) (string, error) {
	c := root()
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetErr(&out)
	c.SetArgs(args)
	err := c.ExecuteContext(e.t.Context())
	return out.String(), err
}

func newEstate(t *testing.T, source *types.Source, s *sandboxtest.Sandbox) *estate {
	t.Helper()
	e := &estate{Sandbox: s, t: t, dir: t.TempDir()}
	for _, v := range s.Env() {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	if source == nil {
		_, err := e.run("pki", "init", "--dir", e.ca(), "--common-name", "CA")
		e.must(err)
		text, err := os.ReadFile(filepath.Join(e.ca(), "ca.pem"))
		e.must(err)
		source = &types.Source{SourceType: types.TrustAnchorTypeCertificateBundle, SourceData: &types.SourceDataMemberX509CertificateData{Value: string(text)}}
	}
	ctx, anywhere, roles := t.Context(), rolesanywhere.NewFromConfig(s.Config()), iam.NewFromConfig(s.Config())
	anchor, err := anywhere.CreateTrustAnchor(ctx, &rolesanywhere.CreateTrustAnchorInput{Name: aws.String("a"), Enabled: aws.Bool(true), Source: source})
	e.must(err)
	role, err := roles.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("reports"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}`)})
	e.must(err)
	_, err = roles.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String("reports"), PolicyName: aws.String("s3"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}`)})
	e.must(err)
	profile, err := anywhere.CreateProfile(ctx, &rolesanywhere.CreateProfileInput{Name: aws.String("p"), Enabled: aws.Bool(true), RoleArns: []string{*role.Role.Arn}})
	e.must(err)
	e.anchor, e.profile, e.role = *anchor.TrustAnchor.TrustAnchorArn, *profile.Profile.ProfileArn, *role.Role.Arn
	return e
}

func (e *estate) ca() string                  { return filepath.Join(e.dir, "ca") }
func (e *estate) certificate(n string) string { return filepath.Join(e.dir, n+".pem") }
func (e *estate) key(n string) string         { return filepath.Join(e.dir, n+"-key.pem") }

// session gets new credentials with a certificate.
func (e *estate) session(name string) (daypass.Credentials, error) {
	e.t.Helper()
	s := config.Defaults()
	s.Certificate, s.PrivateKey = e.certificate(name), e.key(name)
	s.RoleARN, s.TrustAnchorARN, s.ProfileARN = e.role, e.anchor, e.profile
	s.Endpoint, s.CABundle = e.URL, e.CAFile
	source, err := s.Source(nil)
	e.must(err)
	defer source.Close()
	ctx, cancel := context.WithTimeout(e.t.Context(), 20*time.Second)
	defer cancel()
	return source.Credentials(ctx)
}

// live gets a session that must be given, and returns what reads with it.
func (e *estate) live(name string) func() error {
	e.t.Helper()
	got, err := e.session(name)
	e.must(err)
	store := s3.NewFromConfig(e.ConfigFor(got.AccessKeyID, got.SecretAccessKey.Reveal(), got.SessionToken.Reveal()))
	return func() error {
		_, err := store.ListBuckets(e.t.Context(), &s3.ListBucketsInput{})
		return err
	}
}

func denied(t *testing.T, what string, err error) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != "AccessDenied" {
		t.Errorf("%s: %v, not AccessDenied", what, err)
	}
}

// TestRevokeOne: the sessions of one certificate end and it gets no new ones,
// its neighbour of the same role goes on.
func TestRevokeOne(t *testing.T) {
	e := newEstate(t, nil, sandboxtest.Start(t, ""))
	for _, name := range []string{"web", "neighbour"} {
		_, err := e.run("pki", "issue", "--dir", e.ca(), "--common-name", name, "--out", filepath.Join(e.dir, name))
		e.must(err)
	}
	web, neighbour := e.live("web"), e.live("neighbour")
	e.must(web())
	out, err := e.run("revoke", "--certificate", e.certificate("web"), "--ca", e.ca(), "--trust-anchor-arn", e.anchor, "--role", "reports")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	denied(t, "the live session", web())
	e.must(neighbour())
	if _, err := e.session("web"); err == nil {
		t.Error("the revoked certificate gets a new session")
	}
	e.live("neighbour")
	if d := e.Last(t, "CreateSession"); !d.Allowed {
		t.Errorf("the neighbour: %s", d)
	}
	// A second revocation replaces the list: an anchor takes two.
	for _, name := range []string{"third", "fourth", "fifth"} {
		_, err := e.run("pki", "issue", "--dir", e.ca(), "--common-name", name, "--out", filepath.Join(e.dir, name))
		e.must(err)
		out, err := e.run("revoke", "--certificate", e.certificate(name), "--ca", e.ca(), "--trust-anchor-arn", e.anchor)
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if _, err := e.session(name); err == nil {
			t.Errorf("%s gets a session", name)
		}
	}
	if _, err := e.session("web"); err == nil {
		t.Error("a later list has forgotten the first")
	}
}

// TestRevokeRole: all sessions of a role end; what is issued later is good.
func TestRevokeRole(t *testing.T) {
	e := newEstate(t, nil, sandboxtest.Start(t, ""))
	_, err := e.run("pki", "issue", "--dir", e.ca(), "--common-name", "web", "--out", filepath.Join(e.dir, "web"))
	e.must(err)
	old := e.live("web")
	out, err := e.run("revoke", "--role", "reports", "-o", "json")
	e.must(err)
	var report revocationReport
	e.must(json.Unmarshal([]byte(out), &report))
	if report.Before.IsZero() || report.Policy != "AWSRevokeOlderSessions" {
		t.Errorf("the report is %s", out)
	}
	denied(t, "the older session", old())
	e.World.Advance(2 * time.Second)
	e.must(e.live("web")())
	_, err = e.run("revoke", "--role", "reports", "--lift")
	e.must(err)
	e.must(old())

	// An identity without a list: for good, until lifted.
	_, err = e.run("revoke", "--role", "reports", "--identity", "CN=web")
	e.must(err)
	e.World.Advance(time.Minute)
	denied(t, "a later session", e.live("web")())
	_, err = e.run("revoke", "--role", "reports", "--identity", "CN=web", "--lift")
	e.must(err)
	e.must(old())
}

// TestRevokeAtPrivateCA: the anchor is a private CA, whose list comes from S3.
func TestRevokeAtPrivateCA(t *testing.T) {
	s := sandboxtest.Start(t, "")
	ca := s.PrivateCA(t, pca.CertificateAuthorityUsageModeShortLivedCertificate)
	e := newEstate(t, &types.Source{SourceType: types.TrustAnchorTypeAwsAcmPca, SourceData: &types.SourceDataMemberAcmPcaArn{Value: ca}}, s)
	e.bootstrapped(ca, "web")
	old := e.live("web")
	revoke := []string{"revoke", "--certificate", e.certificate("web"), "--trust-anchor-arn", e.anchor, "--role", "reports"}
	out, err := e.run(revoke...)
	if code(err) != cli.No || !strings.Contains(err.Error(), "no revocation list") {
		t.Fatalf("without a CRL: %v: %s", err, out)
	}
	e.must(old())
	store := s3.NewFromConfig(s.Config(), func(o *s3.Options) { o.UsePathStyle = true })
	_, err = store.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("lists")})
	e.must(err)
	_, err = store.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("lists"), Policy: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"acm-pca.amazonaws.com"},"Action":["s3:GetBucketAcl","s3:PutObject"],"Resource":["arn:aws:s3:::lists","arn:aws:s3:::lists/*"]}]}`)})
	e.must(err)
	_, err = acmpca.NewFromConfig(s.Config()).UpdateCertificateAuthority(t.Context(), &acmpca.UpdateCertificateAuthorityInput{
		CertificateAuthorityArn: &ca, RevocationConfiguration: &pca.RevocationConfiguration{CrlConfiguration: &pca.CrlConfiguration{
			Enabled: aws.Bool(true), ExpirationInDays: aws.Int32(7), S3BucketName: aws.String("lists")}}})
	e.must(err)
	s.World.SetFaults(world.Fault{Service: "s3", Operation: "GetObject", Code: "AccessDenied", Status: 403})
	out, err = e.run(revoke...)
	if code(err) != cli.No || !strings.Contains(err.Error(), "until this succeeds, or --lift, role reports refuses all sessions of CN=web") {
		t.Fatalf("without a right on the list: %v: %s", err, out)
	}
	denied(t, "the live session, before the list is imported", old())
	s.World.SetFaults()
	out, err = e.run(revoke...)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	denied(t, "the live session", old())
	if _, err := e.session("web"); err == nil {
		t.Error("the revoked certificate gets a new session")
	}
}

func code(err error) int {
	var e *cli.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return -1
}

func TestRevokeRefusesHalfAWish(t *testing.T) {
	e := &estate{t: t}
	for _, args := range [][]string{
		{}, {"--certificate", "x"}, {"--identity", "x"}, {"--lift"}, {"--role", "r", "--ca", "d"}, {"--role", "r", "--lift", "--certificate", "c", "--trust-anchor-arn", "a"},
		{"--role", "r", "-o", "xml"},
	} {
		if _, err := e.run(append([]string{"revoke"}, args...)...); code(err) != cli.Usage {
			t.Errorf("%v: %v", args, err)
		}
	}
}
