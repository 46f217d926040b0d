package privateca

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/acmpca"
	"github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/prometheus/client_golang/prometheus"

	"daypass.dev/doctor"
	"daypass.dev/kube/api/awspca/v1beta1"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

// A desk is the issuer's program before a stand-in for an API server and the
// sandbox, with one issuer and one request that it could answer.
type desk struct {
	*testing.T
	sandbox *sandboxtest.Sandbox
	aws     aws.Config // by which the program calls
	issuer  *v1beta1.AWSPCAIssuer
	request *cmapi.CertificateRequest
}

func newDesk(t *testing.T, sandbox *sandboxtest.Sandbox, ca string) *desk {
	d := &desk{T: t, sandbox: sandbox, aws: sandbox.Config(), request: asked(t, time.Hour)}
	d.issuer = &v1beta1.AWSPCAIssuer{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "ca"}}
	d.issuer.Spec.Arn = ca
	now := metav1.Now()
	r := d.request
	r.Namespace, r.Name, r.UID, r.CreationTimestamp = "shop", "web-1", "uid-of-web-1", now
	r.Status.Conditions[0].LastTransitionTime = &now
	r.Spec.IssuerRef.Group, r.Spec.IssuerRef.Kind, r.Spec.IssuerRef.Name = v1beta1.Group, v1beta1.KindIssuer, "ca"
	return d
}

// said has the program look at the issuer and then at the request, and returns
// all that it says: conditions, and events.
func (d *desk) said() string {
	d.Helper()
	known, err := scheme()
	d.must(err)
	cluster := fake.NewClientBuilder().WithScheme(known).WithObjects(d.issuer, d.request).WithStatusSubresource(d.issuer, d.request).Build()
	m, err := newMetrics(prometheus.NewRegistry())
	d.must(err)
	told, log := events.NewFakeRecorder(100), slog.New(slog.DiscardHandler)
	shared := &authorities{aws: d.aws, namespace: "daypass", rate: defaultRate}
	looks := []reconcile.Reconciler{
		&issuers{kind: v1beta1.KindIssuer, cluster: cluster, authorities: shared, events: told, metrics: m, log: log, now: time.Now},
		&requests{cluster: cluster, live: cluster, authorities: shared, events: told, metrics: m, log: log, now: time.Now},
	}
	for i, object := range []client.Object{d.issuer, d.request} {
		// What may pass comes back as an error, too; it stands in the status.
		_, _ = looks[i].Reconcile(d.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(object)})
		d.must(cluster.Get(d.Context(), client.ObjectKeyFromObject(object), object))
	}
	var all strings.Builder
	for _, c := range d.issuer.Status.Conditions {
		fmt.Fprintln(&all, c.Message)
	}
	for _, c := range d.request.Status.Conditions {
		fmt.Fprintln(&all, c.Message)
	}
	for len(told.Events) > 0 {
		fmt.Fprintln(&all, <-told.Events)
	}
	return all.String()
}

func (d *desk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// nobody is a user without rights.
func (d *desk) nobody() aws.CredentialsProvider {
	d.Helper()
	users, name := iam.NewFromConfig(d.sandbox.Config()), aws.String("nobody")
	_, err := users.CreateUser(d.Context(), &iam.CreateUserInput{UserName: name})
	d.must(err)
	key, err := users.CreateAccessKey(d.Context(), &iam.CreateAccessKeyInput{UserName: name})
	d.must(err)
	return credentials.NewStaticCredentialsProvider(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey, "")
}

// refused are the ways in which an issuer cannot issue, or a request gets
// nothing or less than it asks for, by the slug that is told.
func refused() map[string]func(*desk) {
	answering := func(f world.Fault) func(*desk) { // what AWS answers when it is asked for a certificate
		f.Service, f.Operation = "acm-pca", "IssueCertificate"
		return func(d *desk) { d.sandbox.World.SetFaults(f) }
	}
	asks := func(request func(*desk) []byte) func(*desk) {
		return func(d *desk) { d.request.Spec.Request = request(d) }
	}
	lives := func(life time.Duration) func(*desk) {
		return func(d *desk) { d.request.Spec.Duration = &metav1.Duration{Duration: life} }
	}
	return map[string]func(*desk){
		"issuer-kind":             func(d *desk) { d.request.Spec.IssuerRef.Kind = "Issuer" },
		"issuer-not-ready":        func(d *desk) { d.request.Spec.IssuerRef.Name = "another" },
		"issuer-secret-namespace": func(d *desk) { d.issuer.Spec.SecretRef.Name, d.issuer.Spec.SecretRef.Namespace = "key", "kube-system" },
		"issuer-secret":           func(d *desk) { d.issuer.Spec.SecretRef.Name = "none" },
		"issuer-credentials": func(d *desk) {
			d.aws.Credentials = credentials.NewStaticCredentialsProvider(d.sandbox.Admin.ID, "wrong", "")
		},
		"issuer-access":  func(d *desk) { d.aws.Credentials = d.nobody() },
		"issuer-request": func(d *desk) { d.issuer.Spec.PCATemplate.DefaultTemplateName = "NoSuchCertificate/V1" },
		"issuer-foreign-certificate": func(d *desk) {
			d.request.Annotations = map[string]string{arnAnnotation: strings.Replace(d.issuer.Spec.Arn, "certificate-authority/", "certificate-authority/x", 1) + "/certificate/1"}
		},
		"pca-arn": func(d *desk) { d.issuer.Spec.Arn = "" },
		"pca-missing": func(d *desk) {
			d.issuer.Spec.Arn = d.issuer.Spec.Arn[:strings.LastIndexByte(d.issuer.Spec.Arn, '/')] + "/00000000-1111-4222-8333-444444444444"
		},
		"pca-state": func(d *desk) {
			_, err := acmpca.NewFromConfig(d.sandbox.Config()).UpdateCertificateAuthority(d.Context(), &acmpca.UpdateCertificateAuthorityInput{
				CertificateAuthorityArn: &d.issuer.Spec.Arn, Status: types.CertificateAuthorityStatusDisabled,
			})
			d.must(err)
		},
		"pca-csr":      asks(func(*desk) []byte { return []byte("hello") }),
		"pca-csr-name": asks(func(d *desk) []byte { return csrOf(d, newKey(d), &x509.CertificateRequest{}) }),
		"pca-csr-key": asks(func(d *desk) []byte {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			d.must(err)
			return csrOf(d, key, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "a"}})
		}),
		"pca-short-lived": func(d *desk) {
			d.issuer.Spec.Arn = d.sandbox.PrivateCA(d, types.CertificateAuthorityUsageModeShortLivedCertificate)
			lives(8 * 24 * time.Hour)(d)
		},
		"pca-beyond-ca":   lives(11 * 365 * 24 * time.Hour),
		"pca-in-progress": answering(world.Fault{Code: "RequestInProgressException", Status: 400}),
		"pca-unreachable": answering(world.Fault{Code: "InternalFailure", Status: 500}),
		"quota-exceeded":  answering(world.Fault{Code: "LimitExceededException", Status: 400}),
		"throttled":       answering(world.Fault{Throttle: true}),
	}
}

// Whatever an issuer or a request lacks, a condition or an event names it with
// its mend, doctor recognises it there, and nothing else is blamed. Every slug of
// the source is among them.
func TestEveryRefusalIsTold(t *testing.T) {
	ends := refused()
	for slug := range slugs(t) {
		if ends[slug] == nil {
			t.Errorf("nothing ends in %s", slug)
		}
	}
	s := sandboxtest.Start(t, "")
	ca := s.PrivateCA(t, types.CertificateAuthorityUsageModeGeneralPurpose)
	if said := newDesk(t, s, ca).said(); len(doctor.Recognise(said)) > 0 || !strings.Contains(said, "the private CA issues") {
		t.Fatalf("where nothing is wrong: %s", said)
	}
	for slug, spoil := range ends {
		if slug != "pca-state" { // the CA's own, and so the last
			refusal(t, s, ca, slug, spoil)
		}
	}
	refusal(t, s, ca, "pca-state", ends["pca-state"])
}

func refusal(t *testing.T, s *sandboxtest.Sandbox, ca, slug string, spoil func(*desk)) {
	t.Run(slug, func(t *testing.T) {
		d := newDesk(t, s, ca)
		spoil(d)
		said := d.said()
		s.World.SetFaults()
		found := doctor.Recognise(said)
		if slug != "issuer-not-ready" { // what a request says then, whatever ails its issuer
			found = slices.DeleteFunc(found, func(other string) bool { return other == "issuer-not-ready" })
		}
		if !slices.Equal(found, []string{slug}) || !strings.Contains(said, "("+slug+"): ") {
			t.Errorf("doctor reads %v in %s", found, said)
		}
		if strings.Contains(said, s.Admin.Secret) {
			t.Error("a secret is told")
		}
	})
}
