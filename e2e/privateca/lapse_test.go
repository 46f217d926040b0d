package privateca

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	anywhere "github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"

	"daypass.dev/sandbox/sandboxtest"
)

// issuerRole is what walkthrough 01 makes for the issuer: variables by which it
// becomes its role with a certificate.
func issuerRole(t *testing.T, s *sandboxtest.Sandbox, ca, dir string) []string {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, roles, calls := t.Context(), iam.NewFromConfig(s.Config()), rolesanywhere.NewFromConfig(s.Config())
	anchor, err := calls.CreateTrustAnchor(ctx, &rolesanywhere.CreateTrustAnchorInput{Name: aws.String("a"), Enabled: aws.Bool(true), Source: &anywhere.Source{
		SourceType: anywhere.TrustAnchorTypeAwsAcmPca, SourceData: &anywhere.SourceDataMemberAcmPcaArn{Value: ca}}})
	must(err)
	name := aws.String("iamra-issuer")
	role, err := roles.CreateRole(ctx, &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],
		"Condition":{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"iamra-issuer"},"ArnEquals":{"aws:SourceArn":"` + *anchor.TrustAnchor.TrustAnchorArn + `"}}}]}`)})
	must(err)
	_, err = roles.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: name, PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["acm-pca:DescribeCertificateAuthority","acm-pca:GetCertificate","acm-pca:IssueCertificate"],"Resource":"` + ca + `"}]}`)})
	must(err)
	profile, err := calls.CreateProfile(ctx, &rolesanywhere.CreateProfileInput{Name: name, Enabled: aws.Bool(true), RoleArns: []string{*role.Role.Arn}})
	must(err)
	env := []string{
		"DAYPASS_CERTIFICATE=" + filepath.Join(dir, "tls.crt"), "DAYPASS_PRIVATE_KEY=" + filepath.Join(dir, "tls.key"),
		"DAYPASS_ROLE_ARN=" + *role.Role.Arn, "DAYPASS_PROFILE_ARN=" + *profile.Profile.ProfileArn, "DAYPASS_TRUST_ANCHOR_ARN=" + *anchor.TrustAnchor.TrustAnchorArn,
	}
	for _, v := range s.Env() {
		if !strings.HasPrefix(v, "AWS_ACCESS_KEY_ID=") && !strings.HasPrefix(v, "AWS_SECRET_ACCESS_KEY=") {
			env = append(env, v)
		}
	}
	return env
}

// bootstrap runs the operator's one command and puts the Secret's files where
// the kubelet would.
func bootstrap(t *testing.T, s *sandboxtest.Sandbox, program, ca, dir string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, "setup", "bootstrap", "private-ca", "--ca-arn", ca)
	cmd.Env = append([]string{"HOME=" + t.TempDir()}, s.Env()...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var list struct {
		Items []struct{ Data map[string][]byte }
	}
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatal(err)
	}
	for name, data := range list.Items[0].Data {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestALapseIsSaidAndRepaired: the issuer begins without a certificate; it gets
// its first by one command; a month later, on AWS's clock, it has lapsed: the
// issuer's status says it, and the same command repairs it.
func TestALapseIsSaidAndRepaired(t *testing.T) {
	s, ca := newCA(t, &failing{}, types.CertificateAuthorityUsageModeShortLivedCertificate)
	dir := t.TempDir()
	program := filepath.Join(dir, "daypassctl")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "daypass.dev/cmd/daypassctl").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r := newRig(t, issuerRole(t, s, ca, dir))
	r.issuer("ca", "{arn: \""+ca+"\"}")
	r.lapsed("tls.crt")
	bootstrap(t, s, program, ca, dir)
	r.ready("awspcaissuer/ca")
	r.request("first", "ca", nil)
	r.becomes("first", misuse{reason: cmapi.CertificateRequestReasonIssued})

	r.kill()
	s.World.Advance(30 * 24 * time.Hour)
	r.start()
	r.lapsed("daypassctl setup bootstrap private-ca")
	if d := s.Last(t, "CreateSession"); d.Reason != "leaf-expired" {
		t.Errorf("AWS's reason is %s", d.Reason)
	}
	if out := r.Kubectl("get", "events", "--field-selector=involvedObject.name=ca", "--output=jsonpath={.items[*].reason}"); !strings.Contains(out, "IssuerCredentials") {
		t.Errorf("the events are %s", out)
	}
	r.request("second", "ca", nil)
	r.becomes("second", misuse{reason: cmapi.CertificateRequestReasonPending, says: "(issuer-not-ready)"})
	bootstrap(t, s, program, ca, dir)
	r.ready("awspcaissuer/ca")
	r.becomes("second", misuse{reason: cmapi.CertificateRequestReasonIssued})
	if strings.Contains(r.said(), "PRIVATE KEY") {
		t.Error("the log holds a key")
	}
}

// lapsed waits until the issuer says that it has no credentials.
func (r *rig) lapsed(says string) {
	r.t.Helper()
	r.Eventually(time.Minute, "the issuer's status", func() error {
		out, err := r.Try("get", "awspcaissuer", "ca", "--output=jsonpath={.status.conditions[0].status} {.status.conditions[0].reason} {.status.conditions[0].message}")
		if err == nil && (!strings.HasPrefix(out, "False IssuerCredentials ") || !strings.Contains(out, says)) {
			err = errors.New(out)
		}
		return err
	})
}
