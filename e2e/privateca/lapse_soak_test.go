//go:build soak

package privateca

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	pcatypes "github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"

	"daypass.dev/e2e/stage"
	"daypass.dev/kube/api/awspca/v1beta1"
	"daypass.dev/pki"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/setup"
)

const (
	shortLeaf = time.Minute
	// sessionsLife is shorter than AWS's: else a session outlives the leaf.
	sessionsLife = 20 * time.Second
)

// TestALapseIsRepaired: from nothing to a ready issuer by one command; then its
// certificate ends, its status and an event say so, requests wait; the same
// command once more, and they are answered, without a restart. The Secret's
// certificate of a minute stands for one of a week after a week.
func TestALapseIsRepaired(t *testing.T) {
	s, ca := newCA(t, &failing{}, pcatypes.CertificateAuthorityUsageModeShortLivedCertificate)
	s.World.Lock()
	s.World.SessionsLife = sessionsLife
	s.World.Unlock()
	dir := t.TempDir() // as the Secret's volume
	r := newRig(t, issuersEnv(t, s, ca, dir))
	desk := stage.Binary(t, "daypassctl")
	bootstrap := func() {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), desk, "setup", "bootstrap", "private-ca", "--ca-arn", ca, "--namespace", r.Name, "--issuer", r.Name)
		cmd.Env = append(s.Env(), "HOME="+t.TempDir())
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		// As the command's help says; cert-manager has written into the Secret.
		if out, err := r.Cluster.Kubectl(t.Context(), bytes.NewReader(out), "apply", "--filename=-"); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		r.mount(dir)
	}
	t.Cleanup(func() { _, _ = r.Try("delete", "awspcaclusterissuer", r.Name, "--ignore-not-found") })
	issuer := "awspcaclusterissuer/" + r.Name
	ask := func(name string) {
		r.request(name, r.Name, func(cr *cmapi.CertificateRequest) { cr.Spec.IssuerRef.Kind = v1beta1.KindClusterIssuer })
	}
	bootstrap()
	r.ready(issuer)
	ask("before")
	r.becomes("before", misuse{reason: cmapi.CertificateRequestReasonIssued})

	short := (&pinned{t: t, s: s}).leaf(t, shortLeaf, ca, "iamra-issuer").key
	key, err := pki.EncodeKey(short.Signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf := pki.EncodeCertificate(short.Leaf)
	r.Kubectl("patch", "secret", "daypass-issuer-certificate", "--patch", `{"data": {"tls.crt": "`+base64.StdEncoding.EncodeToString(leaf)+`", "tls.key": "`+base64.StdEncoding.EncodeToString(key)+`"}}`)
	r.mount(dir)
	time.Sleep(time.Until(short.Leaf.NotAfter.Add(sessionsLife)))
	ask("meanwhile")
	r.Eventually(time.Minute, "the issuer's status telling of the lapse", func() error {
		out := r.Kubectl("get", issuer, `--output=jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.conditions[0].reason} {.status.conditions[0].message}`)
		if !strings.HasPrefix(out, "False IssuerCredentials ") || !strings.Contains(out, "expired") || !strings.Contains(out, "daypassctl setup bootstrap private-ca") {
			return errors.New(out)
		}
		t.Log(out)
		return nil
	})
	r.Eventually(time.Minute, "an event telling of the lapse", func() error {
		out := r.Kubectl("get", "events", "--all-namespaces", "--field-selector=involvedObject.kind=AWSPCAClusterIssuer,involvedObject.name="+r.Name, "--output=jsonpath={.items[*].message}")
		if !strings.Contains(out, "expired") {
			return errors.New(out)
		}
		return nil
	})
	if got := readyReason(r.get("meanwhile")); got == cmapi.CertificateRequestReasonIssued || got == cmapi.CertificateRequestReasonFailed {
		t.Errorf("a request of the time between is %s", got)
	}

	repaired := time.Now()
	bootstrap()
	r.ready(issuer)
	r.becomes("meanwhile", misuse{reason: cmapi.CertificateRequestReasonIssued})
	t.Logf("all well %s after the command", time.Since(repaired).Round(time.Second))
}

// mount copies the issuer's Secret into a folder, as kubelets do.
func (r *rig) mount(dir string) {
	r.t.Helper()
	for _, name := range []string{"tls.key", "tls.crt"} {
		text, err := base64.StdEncoding.DecodeString(r.Kubectl("get", "secret", "daypass-issuer-certificate", `--output=jsonpath={.data.`+strings.ReplaceAll(name, ".", `\.`)+`}`))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "new"), text, 0o600)
		}
		if err == nil {
			err = os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, name))
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

// issuersEnv makes anchor, role and profile of the issuer, and is what the chart
// tells it; the certificate is to be in dir.
func issuersEnv(t *testing.T, s *sandboxtest.Sandbox, ca, dir string) (env []string) {
	t.Helper()
	p := &pinned{t: t, s: s}
	anchor := p.anchor("issuer", ca)
	trust, err := setup.TrustPolicy(setup.Certificate{TrustAnchorARN: anchor, CommonName: "iamra-issuer"})
	p.must(err)
	roles := iam.NewFromConfig(s.Config())
	role, err := roles.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("issuer"), AssumeRolePolicyDocument: aws.String(string(trust))})
	p.must(err)
	_, err = roles.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String("issuer"), PolicyName: aws.String("issue"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["acm-pca:DescribeCertificateAuthority","acm-pca:IssueCertificate","acm-pca:GetCertificate"],"Resource":"` + ca + `"}]}`)})
	p.must(err)
	profile, err := rolesanywhere.NewFromConfig(s.Config()).CreateProfile(t.Context(), &rolesanywhere.CreateProfileInput{
		Name: aws.String("issuer"), Enabled: aws.Bool(true), RoleArns: []string{*role.Role.Arn},
	})
	p.must(err)
	for _, e := range s.Env() {
		if !strings.HasPrefix(e, "AWS_ACCESS_KEY_ID=") && !strings.HasPrefix(e, "AWS_SECRET_ACCESS_KEY=") {
			env = append(env, e)
		}
	}
	return append(env, "DAYPASS_CERTIFICATE="+filepath.Join(dir, "tls.crt"), "DAYPASS_PRIVATE_KEY="+filepath.Join(dir, "tls.key"),
		"DAYPASS_ROLE_ARN="+*role.Role.Arn, "DAYPASS_TRUST_ANCHOR_ARN="+anchor, "DAYPASS_PROFILE_ARN="+*profile.Profile.ProfileArn)
}
