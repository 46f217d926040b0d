package awssdk_test

import (
	"context"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"daypass.dev"
	"daypass.dev/deliver/awssdk"
	"daypass.dev/pki"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

func Example() {
	ctx := context.Background()
	provider, err := awssdk.FromEnvironment(slog.Default()) // DAYPASS_CERTIFICATE and the like
	if err != nil {
		fmt.Println(err)
		return
	}
	defer provider.Close()
	cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithCredentialsProvider(provider))
	if err != nil {
		fmt.Println(err)
		return
	}
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(*who.Arn)
}

// The example, tried: beside a local AWS, with a certificate, and as its text
// stands.
func TestExample(t *testing.T) {
	aws := stage(t)
	t.Setenv("DAYPASS_ROLE_SESSION_NAME", "node-7")
	if got := printed(t, Example); got != "arn:aws:sts::111122223333:assumed-role/reports/node-7\n" {
		t.Errorf("the example prints %q", got)
	}
	if d := aws.Last(t, "GetCallerIdentity"); !strings.HasSuffix(d.Caller, "assumed-role/reports/node-7") {
		t.Errorf("the caller was %s", d.Caller)
	}
	t.Setenv("DAYPASS_PROFILE_ARN", "")
	if got := printed(t, Example); got != "--profile-arn is missing\n" {
		t.Errorf("without a profile it prints %q", got)
	}
}

func TestProvider(t *testing.T) {
	stage(t)
	t.Setenv("DAYPASS_SESSION_DURATION", "900")
	p, err := awssdk.FromEnvironment(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Retrieve(t.Context())
	if err != nil || !got.HasKeys() || got.SessionToken == "" || got.AccountID != "111122223333" || !got.CanExpire {
		t.Fatalf("got %+v, %v", got.Source, err)
	}
	if left := time.Until(got.Expires); left > 15*time.Minute || left < 14*time.Minute {
		t.Errorf("they live for %s", left)
	}
	again, err := p.Retrieve(t.Context())
	if err != nil || again != got {
		t.Errorf("at once again: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	t.Setenv("DAYPASS_ROLE_ARN", "arn:aws:iam::111122223333:role/other")
	p, err = awssdk.FromEnvironment(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	refused := (*daypass.Error)(nil)
	if got, err := p.Retrieve(t.Context()); !errors.As(err, &refused) || got.HasKeys() {
		t.Errorf("of another role: %v", err)
	}
	t.Setenv("DAYPASS_SESSION_DURATION", "soon")
	if _, err := awssdk.FromEnvironment(nil); err == nil || !strings.Contains(err.Error(), "DAYPASS_SESSION_DURATION") {
		t.Errorf("a malformed variable: %v", err)
	}
}

// stage sets the environment of a workload beside a local AWS.
func stage(t *testing.T) *sandboxtest.Sandbox {
	t.Helper()
	dir := t.TempDir()
	caKey, err := pki.NewKey("ec-p256")
	must(t, err)
	ca, err := pki.NewCA(caKey, pkix.Name{CommonName: "Test CA"}, 2*time.Hour, time.Now())
	must(t, err)
	key, err := pki.NewKey("ec-p256")
	must(t, err)
	leaf, err := ca.Issue(pki.Leaf{Subject: pkix.Name{CommonName: "reports"}, PublicKey: key.Public(), Lifetime: time.Hour}, time.Now())
	must(t, err)
	text, err := pki.EncodeKey(key)
	must(t, err)
	for name, text := range map[string][]byte{"ca.pem": pki.EncodeCertificate(ca.Certificate), "tls.pem": append(text, pki.EncodeCertificate(leaf)...)} {
		must(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	w, err := world.Parse(filepath.Join(dir, "world.yaml"), []byte(`
region: eu-west-1
accounts:
  "111122223333":
    roles:
      reports:
        trust:
          Version: 2012-10-17
          Statement:
            - Effect: Allow
              Principal: {Service: rolesanywhere.amazonaws.com}
              Action: [sts:AssumeRole, sts:TagSession, sts:SetSourceIdentity]
    trustAnchors:
      own CA: {id: 11111111-2222-4333-8444-555555555555, certificateFile: ca.pem}
    profiles:
      own profile: {id: 66666666-7777-4888-8999-aaaaaaaaaaaa, roles: [reports], acceptRoleSessionName: true}
`))
	must(t, err)
	aws := sandboxtest.Start(t, w)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": aws.URL, "AWS_CA_BUNDLE": aws.CAFile, "AWS_REGION": "eu-west-1",
		"AWS_CONFIG_FILE": filepath.Join(dir, "none"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "none"),
		"DAYPASS_CERTIFICATE":      filepath.Join(dir, "tls.pem"),
		"DAYPASS_ROLE_ARN":         "arn:aws:iam::111122223333:role/reports",
		"DAYPASS_TRUST_ANCHOR_ARN": "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/11111111-2222-4333-8444-555555555555",
		"DAYPASS_PROFILE_ARN":      "arn:aws:rolesanywhere:eu-west-1:111122223333:profile/66666666-7777-4888-8999-aaaaaaaaaaaa",
	} {
		t.Setenv(name, value)
	}
	return aws
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// printed is what f writes to standard output.
func printed(t *testing.T, f func()) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stdout")
	to, err := os.Create(path)
	must(t, err)
	before := os.Stdout
	os.Stdout = to
	f()
	os.Stdout = before
	must(t, to.Close())
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text)
}
