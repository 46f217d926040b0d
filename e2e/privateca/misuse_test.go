package privateca

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acmpca"
	"github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/pki"
	"daypass.dev/sandbox/sandboxtest"
)

// A misuse is a request, and what becomes of it.
type misuse struct {
	issuer string
	change func(*cmapi.CertificateRequest)
	// reason is of its condition Ready; says is in its message, or for what is
	// issued in an event.
	reason, says string
}

func misuses(t *testing.T, r *rig, foreign string) map[string]misuse {
	const issued, pending, failed = cmapi.CertificateRequestReasonIssued, cmapi.CertificateRequestReasonPending, cmapi.CertificateRequestReasonFailed
	usages := func(u ...cmapi.KeyUsage) func(*cmapi.CertificateRequest) {
		return func(cr *cmapi.CertificateRequest) { cr.Spec.Usages = u }
	}
	asks := func(template *x509.CertificateRequest) func(*cmapi.CertificateRequest) {
		return func(cr *cmapi.CertificateRequest) { cr.Spec.Request = csr(t, template) }
	}
	lives := func(d time.Duration) func(*cmapi.CertificateRequest) {
		return func(cr *cmapi.CertificateRequest) { cr.Spec.Duration = &metav1.Duration{Duration: d} }
	}
	return map[string]misuse{
		"kind-confusion": {"only-cluster-" + r.Name, nil, pending, "(issuer-not-ready)"},
		"no-such-kind":   {"ca", func(cr *cmapi.CertificateRequest) { cr.Spec.IssuerRef.Kind = "Issuer" }, failed, "(issuer-kind)"},
		"eight-days":     {"short", lives(8 * 24 * time.Hour), issued, "(pca-short-lived)"},
		"beyond-ca":      {"ca", lives(11 * 365 * 24 * time.Hour), issued, "(pca-beyond-ca)"},
		"ca-true":        {"ca", func(cr *cmapi.CertificateRequest) { cr.Spec.IsCA = true }, failed, "acm-pca:TemplateArn = arn:aws:acm-pca:::template/SubordinateCACertificate_PathLen0/V1) (issuer-access)"},
		"other-usages":   {"ca", usages(cmapi.UsageCodeSigning), failed, "acm-pca:TemplateArn = arn:aws:acm-pca:::template/CodeSigningCertificate/V1) (issuer-access)"},
		"more-usages":    {"ca", usages(cmapi.UsageClientAuth, cmapi.UsageDigitalSignature), failed, "BlankEndEntityCertificate_APICSRPassthrough/V1) (issuer-access)"},
		"empty-subject":  {"ca", asks(&x509.CertificateRequest{}), failed, "(pca-csr-name)"},
		"ed25519":        {"ca", func(cr *cmapi.CertificateRequest) { cr.Spec.Request = edwards(t) }, failed, "(pca-csr-key)"},
		"not-its-own": {"ca", func(cr *cmapi.CertificateRequest) {
			cr.Annotations = map[string]string{"aws-privateca-issuer/certificate-arn": foreign}
		}, failed, "(issuer-foreign-certificate)"},
		"nobody's": {"ca", func(cr *cmapi.CertificateRequest) {
			cr.Annotations = map[string]string{"aws-privateca-issuer/certificate-arn": foreign + "00"}
		}, failed, "(pca-missing)"},
		"elsewhere": {"ca", func(cr *cmapi.CertificateRequest) {
			cr.Annotations = map[string]string{"aws-privateca-issuer/certificate-arn": "arn:aws:acm-pca:us-east-1:111122223333:certificate-authority/x/certificate/1"}
		}, failed, "(issuer-foreign-certificate)"},
	}
}

func edwards(t *testing.T) []byte {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "x"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

// key makes an IAM user with the rights of the story's issuer role on CAs, and
// keeps its access key in a Secret.
func (r *rig) key(s *sandboxtest.Sandbox, cas ...string) {
	r.t.Helper()
	users, ctx, name := iam.NewFromConfig(s.Config()), r.t.Context(), aws.String("issuer")
	_, err := users.CreateUser(ctx, &iam.CreateUserInput{UserName: name})
	if err == nil {
		_, err = users.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: name, PolicyName: name, PolicyDocument: aws.String(fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":["acm-pca:DescribeCertificateAuthority","acm-pca:GetCertificate","acm-pca:RevokeCertificate"],"Resource":[%[1]s]},
			{"Effect":"Allow","Action":"acm-pca:IssueCertificate","Resource":[%[1]s],
			 "Condition":{"StringEquals":{"acm-pca:TemplateArn":"arn:aws:acm-pca:::template/EndEntityCertificate/V1"}}}]}`, `"`+strings.Join(cas, `","`)+`"`))})
	}
	if err != nil {
		r.t.Fatal(err)
	}
	key, err := users.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: name})
	if err != nil {
		r.t.Fatal(err)
	}
	r.Apply(fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: aws-key}\nstringData: {AWS_ACCESS_KEY_ID: %q, mine: %q}\n",
		*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey))
}

// TestEveryMisuseHasItsReason: requests and issuers that ask for what they must
// not get, and the one that asks rightly.
func TestEveryMisuseHasItsReason(t *testing.T) {
	f := &failing{}
	s, ca := newCA(t, f, "")
	pca := acmpca.NewFromConfig(s.Config())
	short := s.PrivateCA(t, types.CertificateAuthorityUsageModeShortLivedCertificate)
	// The issuer's own credentials are none: every issuer brings a Secret.
	env := strings.Split(strings.ReplaceAll(strings.Join(s.Env(), "\n"), s.Admin.Secret, "wrong"), "\n")
	r := newRig(t, env)
	r.key(s, ca, short)
	secret := "secretRef: {name: aws-key, secretAccessKeySelector: {key: mine}}"
	r.issuer("ca", "{arn: \""+ca+"\", "+secret+"}")
	r.issuer("short", "{arn: \""+short+"\", "+secret+"}")
	r.Apply("apiVersion: awspca.cert-manager.io/v1beta1\nkind: AWSPCAClusterIssuer\nmetadata: {name: only-cluster-" + r.Name + "}\nspec: {arn: \"" + ca + "\", " + secret + "}\n")
	t.Cleanup(func() { _, _ = r.Try("delete", "awspcaclusterissuer", "only-cluster-"+r.Name) })
	for _, name := range []string{"awspcaissuer/ca", "awspcaissuer/short", "awspcaclusterissuer/only-cluster-" + r.Name} {
		r.ready(name)
	}
	right := r.request("right", "ca", nil)
	r.becomes(right.Name, misuse{reason: cmapi.CertificateRequestReasonIssued})

	for name, m := range misuses(t, r, r.arn("right")) {
		t.Run(name, func(t *testing.T) {
			sub := &rig{Namespace: r.Namespace, t: t, admin: r.admin}
			cr := sub.request("m-"+strings.ReplaceAll(name, "'", ""), m.issuer, m.change)
			sub.becomes(cr.Name, m)
		})
	}
	t.Run("a stolen credential", func(t *testing.T) { r.stolen(t) })
	t.Run("issuers", func(t *testing.T) { r.badIssuers(t, s, ca) })
	t.Run("disabled and enabled", func(t *testing.T) { r.disabled(t, pca, ca) })
	t.Run("revoked with its request", func(t *testing.T) { r.revoked(t, s) })
	for _, secret := range []string{s.Admin.Secret, "PRIVATE KEY"} {
		if strings.Contains(r.said(), secret) {
			t.Error("the log holds a secret")
		}
	}
}

func (r *rig) get(name string) *cmapi.CertificateRequest {
	r.t.Helper()
	var cr cmapi.CertificateRequest
	if err := r.admin.Get(r.t.Context(), client.ObjectKey{Namespace: r.Name, Name: name}, &cr); err != nil {
		r.t.Fatal(err)
	}
	return &cr
}

func (r *rig) arn(name string) string {
	return r.get(name).Annotations["aws-privateca-issuer/certificate-arn"]
}

// becomes waits until a request is where it should be.
func (r *rig) becomes(name string, m misuse) {
	r.t.Helper()
	end := time.Now().Add(40 * time.Second)
	for {
		cr := r.get(name)
		message := ""
		for _, c := range cr.Status.Conditions {
			if c.Type == cmapi.CertificateRequestConditionReady {
				message = c.Message
			}
		}
		if readyReason(cr) == m.reason && m.reason == cmapi.CertificateRequestReasonIssued {
			r.fits(cr)
			message, _ = r.Try("get", "events", "--field-selector=involvedObject.name="+name, "--output=jsonpath={.items[*].message}")
		}
		if readyReason(cr) == m.reason && strings.Contains(message, m.says) {
			return
		}
		if time.Now().After(end) {
			r.t.Fatalf("it is %q: %s", readyReason(cr), message)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// fits looks at what was issued.
func (r *rig) fits(cr *cmapi.CertificateRequest) {
	r.t.Helper()
	certs, err := pki.ParseCertificates(cr.Status.Certificate)
	if err != nil {
		r.t.Fatal(err)
	}
	authority, err := pki.ParseCertificates(cr.Status.CA)
	if err != nil || len(certs) != 1 || certs[0].CheckSignatureFrom(authority[0]) != nil {
		r.t.Errorf("%d certificates, not signed by ca.crt: %v", len(certs), err)
	}
	if life := time.Until(certs[0].NotAfter); cr.Spec.IssuerRef.Name == "short" && (life > 7*24*time.Hour || life < 167*time.Hour) {
		r.t.Errorf("in short-lived mode the certificate lives %s", life)
	}
}

func (r *rig) badIssuers(t *testing.T, s *sandboxtest.Sandbox, ca string) {
	for name, c := range map[string]struct{ spec, reason, says string }{
		"secret-elsewhere": {"{arn: \"" + ca + "\", secretRef: {name: coredns, namespace: kube-system}}", "IssuerSecretNamespace", "kube-system"},
		"secret-missing":   {"{arn: \"" + ca + "\", secretRef: {name: nothing}}", "IssuerSecret", "nothing"},
		"no-arn":           {"{}", "PcaArn", "spec.arn"},
		"no-such-ca":       {"{arn: \"" + ca + "0\", secretRef: {name: aws-key, secretAccessKeySelector: {key: mine}}}", "IssuerAccess", "acm-pca:DescribeCertificateAuthority"},
		"own-credentials":  {"{arn: \"" + ca + "\"}", "IssuerCredentials", "signature"},
		"role":             {"{arn: \"" + ca + "\", secretRef: {name: aws-key, secretAccessKeySelector: {key: mine}}, role: \"arn:aws:iam::111122223333:role/none\"}", "IssuerCredentials", "role/none"},
	} {
		r.issuer(name, c.spec)
		r.Eventually(40*time.Second, name, func() error {
			out, err := r.Try("get", "awspcaissuer", name, `--output=jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.conditions[0].reason} {.status.conditions[0].message}`)
			if err != nil {
				return err
			}
			if !strings.HasPrefix(out, "False "+c.reason+" ") || !strings.Contains(out, c.says) || strings.Contains(out, s.Admin.Secret) {
				return errors.New(out)
			}
			return nil
		})
	}
}

// disabled: the CA cannot issue for a while; requests wait and are answered.
func (r *rig) disabled(t *testing.T, pca *acmpca.Client, ca string) {
	set := func(to types.CertificateAuthorityStatus) {
		_, err := pca.UpdateCertificateAuthority(t.Context(), &acmpca.UpdateCertificateAuthorityInput{CertificateAuthorityArn: &ca, Status: to})
		if err != nil {
			t.Fatal(err)
		}
	}
	set(types.CertificateAuthorityStatusDisabled)
	r.request("patient", "ca", nil)
	r.becomes("patient", misuse{reason: cmapi.CertificateRequestReasonPending, says: "("})
	r.Wait("awspcaissuer/ca", "Ready=false", time.Minute)
	set(types.CertificateAuthorityStatusActive)
	r.ready("awspcaissuer/ca")
	r.becomes("patient", misuse{reason: cmapi.CertificateRequestReasonIssued})
}

// revoked: an issuer that is asked to revokes what is deleted.
func (r *rig) revoked(t *testing.T, s *sandboxtest.Sandbox) {
	r.Kubectl("annotate", "awspcaissuer", "ca", "daypass.dev/revoke-on-delete=true")
	r.Eventually(time.Minute, "a revoked certificate", func() error {
		name := fmt.Sprintf("leaves-%d", time.Now().UnixNano())
		r.request(name, "ca", nil)
		r.becomes(name, misuse{reason: cmapi.CertificateRequestReasonIssued})
		arn := r.arn(name)
		r.Kubectl("delete", "certificaterequest", name, "--timeout=40s")
		s.World.RLock()
		defer s.World.RUnlock()
		for _, a := range s.World.Accounts {
			for _, c := range a.PrivateCertificates {
				if c.ARN == arn && !c.Revoked.IsZero() {
					return nil
				}
			}
		}
		return errors.New("it was not revoked")
	})
}
