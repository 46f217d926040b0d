package privateca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"testing"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"daypass.dev/pki"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func csrOf(t testing.TB, key crypto.Signer, template *x509.CertificateRequest) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

// asked is a request that was approved at noon.
func asked(t testing.TB, life time.Duration, usages ...cmapi.KeyUsage) *cmapi.CertificateRequest {
	t.Helper()
	at := metav1.NewTime(noon)
	return &cmapi.CertificateRequest{
		ObjectMeta: metav1.ObjectMeta{UID: "uid-1", CreationTimestamp: metav1.NewTime(noon.Add(-time.Hour))},
		Spec: cmapi.CertificateRequestSpec{
			Request: csrOf(t, newKey(t), &x509.CertificateRequest{Subject: pkix.Name{CommonName: "a"}}), Usages: usages,
			Duration: &metav1.Duration{Duration: life},
		},
		Status: cmapi.CertificateRequestStatus{Conditions: []cmapi.CertificateRequestCondition{
			{Type: cmapi.CertificateRequestConditionApproved, Status: cmmeta.ConditionTrue, LastTransitionTime: &at},
		}},
	}
}

func someCA() *authority {
	return &authority{arn: "arn:aws-cn:acm-pca:cn-north-1:111122223333:certificate-authority/x", signing: "SHA256WITHRSA", end: noon.AddDate(1, 0, 0)}
}

// All tries within half of the certificate's life ask for the same, by the same
// token; what else differs has another.
func TestEveryTryAsksForTheSame(t *testing.T) {
	cr, ca := asked(t, 24*time.Hour), someCA()
	first, said, err := ask(cr, ca, noon.Add(time.Second))
	if err != nil || said != nil {
		t.Fatal(err, said)
	}
	if n := len(*first.IdempotencyToken); n != 32 {
		t.Errorf("the token has %d characters; Private CA takes 36", n)
	}
	for _, later := range []time.Duration{time.Minute, time.Hour, 12*time.Hour - time.Second} {
		again, _, err := ask(cr, ca, noon.Add(later))
		if err != nil || *again.IdempotencyToken != *first.IdempotencyToken || *again.Validity.Value != *first.Validity.Value || *again.TemplateArn != *first.TemplateArn {
			t.Errorf("after %s: %v, %v", later, again, err)
		}
	}
	late, _, err := ask(cr, ca, noon.Add(30*time.Hour))
	if left := time.Unix(*late.Validity.Value, 0).Sub(noon.Add(30 * time.Hour)); err != nil || left < 12*time.Hour || left > 24*time.Hour {
		t.Errorf("after 30 hours the certificate would live %s: %v", left, err)
	}
	other := asked(t, 24*time.Hour)
	for name, change := range map[string]func(){"CSR": func() {}, "UID": func() { other.Spec.Request, other.UID = cr.Spec.Request, "uid-2" }} {
		change()
		if in, _, err := ask(other, ca, noon); err != nil || *in.IdempotencyToken == *first.IdempotencyToken {
			t.Errorf("another %s has the same token: %v", name, err)
		}
	}
}

func TestLives(t *testing.T) {
	short, old := someCA(), someCA()
	short.shortLived = true
	old.end = noon.Add(5 * time.Hour)
	none := asked(t, 0)
	none.Spec.Duration = nil
	for name, c := range map[string]struct {
		cr   *cmapi.CertificateRequest
		ca   *authority
		want time.Duration
		said string
	}{
		"as asked":            {asked(t, 24*time.Hour), someCA(), 24*time.Hour - slack, ""},
		"not asked":           {none, someCA(), 30*24*time.Hour - slack, ""},
		"seven days":          {asked(t, 7*24*time.Hour), short, 7*24*time.Hour - slack, ""},
		"eight days":          {asked(t, 8*24*time.Hour), short, 7*24*time.Hour - slack, "pca-short-lived"},
		"beyond the CA's end": {asked(t, 24*time.Hour), old, 5 * time.Hour, "pca-beyond-ca"},
	} {
		in, said, err := ask(c.cr, c.ca, noon)
		if err != nil {
			t.Fatal(name, err)
		}
		if life := time.Unix(*in.Validity.Value, 0).Sub(noon); life != c.want || (said == nil) != (c.said == "") || said != nil && said.slug != c.said {
			t.Errorf("%s: %s, %v", name, life, said)
		}
	}
}

// The templates are those that aws-privateca-issuer chooses: rights in AWS are
// given by them.
func TestTemplates(t *testing.T) {
	const client, server = cmapi.UsageClientAuth, cmapi.UsageServerAuth
	ca := asked(t, time.Hour, client)
	ca.Spec.IsCA = true
	for want, cr := range map[string]*cmapi.CertificateRequest{
		"EndEntityCertificate/V1":                        asked(t, time.Hour, server, client),
		"EndEntityClientAuthCertificate/V1":              asked(t, time.Hour, client),
		"EndEntityServerAuthCertificate/V1":              asked(t, time.Hour, server),
		"CodeSigningCertificate/V1":                      asked(t, time.Hour, cmapi.UsageCodeSigning),
		"OCSPSigningCertificate/V1":                      asked(t, time.Hour, cmapi.UsageOCSPSigning),
		"BlankEndEntityCertificate_APICSRPassthrough/V1": asked(t, time.Hour, client, cmapi.UsageDigitalSignature),
		"SubordinateCACertificate_PathLen0/V1":           ca,
	} {
		if got := templateOf(cr, someCA()); got != want {
			t.Errorf("%v comes to %s, not %s", cr.Spec.Usages, got, want)
		}
	}
	fixed := someCA()
	fixed.template = "SubordinateCACertificate_PathLen3/V1"
	if in, _, err := ask(asked(t, time.Hour), fixed, noon); err != nil || *in.TemplateArn != "arn:aws-cn:acm-pca:::template/SubordinateCACertificate_PathLen3/V1" {
		t.Errorf("the issuer's own template: %v, %v", in, err)
	}
}

func TestAskRefuses(t *testing.T) {
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := csrOf(t, newKey(t), &x509.CertificateRequest{Subject: pkix.Name{CommonName: "a"}})
	broken := append([]byte{}, good...)
	broken[len(broken)/2] ^= 1
	for slug, csr := range map[string][]byte{
		"pca-csr": broken, "pca-csr-key": csrOf(t, edwards, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "a"}}),
		"pca-csr-name": csrOf(t, newKey(t), &x509.CertificateRequest{}),
	} {
		cr := asked(t, time.Hour)
		cr.Spec.Request = csr
		if _, _, err := ask(cr, someCA(), noon); err == nil || sort(err).slug != slug || sort(err).class != fails {
			t.Errorf("%s: %v", slug, err)
		}
	}
}

// What comes back must be for the CSR's key, and no CA that was not asked for.
func TestCheck(t *testing.T) {
	ca, err := pki.NewCA(newKey(t), pkix.Name{CommonName: "root"}, 24*time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	issue := func(key crypto.Signer) string {
		c, err := ca.Issue(pki.Leaf{Subject: pkix.Name{CommonName: "a"}, PublicKey: key.Public(), Lifetime: time.Hour}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return string(pki.EncodeCertificate(c))
	}
	cr := asked(t, time.Hour)
	cr.Spec.Request = csrOf(t, key, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "a"}})
	root := string(pki.EncodeCertificate(ca.Certificate))
	leaf, top, err := check(cr, issue(key), root)
	if err != nil || string(top) != root || len(leaf) == 0 {
		t.Errorf("%s %s %v", leaf, top, err)
	}
	wrong := map[string]func() error{
		"another key": func() error { _, _, err := check(cr, issue(newKey(t)), root); return err },
		"no PEM":      func() error { _, _, err := check(cr, "hello", ""); return err },
		"no CA": func() error {
			asking := cr.DeepCopy()
			asking.Spec.IsCA = true
			_, _, err := check(asking, issue(key), root)
			return err
		},
	}
	for name, try := range wrong {
		if err := try(); err == nil || sort(err).slug != "issuer-foreign-certificate" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
