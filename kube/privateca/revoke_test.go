package privateca

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"daypass.dev/kube/api/awspca/v1beta1"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

// A leaving request is one that was answered by a shared issuer which revokes
// what is deleted.
type leaving struct {
	*desk
	api      client.WithWatch // the API server; the program reads its cache
	told     *events.FakeRecorder
	issuers  *issuers
	requests *requests
	shared   *v1beta1.AWSPCAClusterIssuer
	arn      string
}

func newLeaving(t *testing.T) *leaving {
	s := sandboxtest.Start(t, "")
	l := &leaving{desk: newDesk(t, s, s.PrivateCA(t, types.CertificateAuthorityUsageModeGeneralPurpose)), told: events.NewFakeRecorder(100)}
	l.shared = &v1beta1.AWSPCAClusterIssuer{}
	l.shared.Name, l.shared.Spec.Arn = "all", l.issuer.Spec.Arn
	l.shared.Annotations = map[string]string{revokeAnnotation: "true"}
	l.request.Spec.IssuerRef.Kind, l.request.Spec.IssuerRef.Name = v1beta1.KindClusterIssuer, "all"
	known, err := scheme()
	l.must(err)
	l.api = fake.NewClientBuilder().WithScheme(known).WithObjects(l.shared, l.request).WithStatusSubresource(l.shared, l.request).Build()
	cache := interceptor.NewClient(l.api, interceptor.Funcs{
		Get: func(ctx context.Context, from client.WithWatch, k client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			defer func() { _, _ = bare(o) }()
			return from.Get(ctx, k, o, opts...)
		},
	})
	m, err := newMetrics(prometheus.NewRegistry())
	l.must(err)
	cas, log := &authorities{aws: l.aws, namespace: "daypass", rate: defaultRate}, slog.New(slog.DiscardHandler)
	l.issuers = &issuers{kind: v1beta1.KindClusterIssuer, cluster: cache, authorities: cas, events: l.told, metrics: m, log: log, now: time.Now}
	l.requests = &requests{cluster: cache, live: l.api, authorities: cas, events: l.told, metrics: m, log: log, now: time.Now}
	l.look(l.issuers, l.shared)
	l.look(l.requests, l.request)
	s.World.Advance(time.Second)
	l.look(l.requests, l.request)
	l.must(l.api.Get(t.Context(), client.ObjectKeyFromObject(l.request), l.request))
	if l.arn = l.request.Annotations[arnAnnotation]; readyReason(l.request) != cmapi.CertificateRequestReasonIssued || !slices.Contains(l.request.Finalizers, finalizer) {
		t.Fatalf("the request is %s, with finalizers %v", readyReason(l.request), l.request.Finalizers)
	}
	return l
}

// look has the program look at one object.
func (l *leaving) look(by reconcile.Reconciler, o client.Object) reconcile.Result {
	l.Helper()
	next, err := by.Reconcile(l.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(o)})
	l.must(err)
	return next
}

// deletes has a request deleted, and returns what is told, and whether the
// request is there no more.
func (l *leaving) deletes(cr *cmapi.CertificateRequest) (told string, gone bool) {
	l.Helper()
	for len(l.told.Events) > 0 {
		<-l.told.Events
	}
	l.must(l.api.Delete(l.Context(), cr))
	next := l.look(l.requests, cr)
	err := l.api.Get(l.Context(), client.ObjectKeyFromObject(cr), &cmapi.CertificateRequest{})
	if gone = apierrors.IsNotFound(err); !gone && next.RequeueAfter == 0 {
		l.Errorf("it stays and is not looked at again: %v", err)
	}
	for len(l.told.Events) > 0 {
		told += <-l.told.Events + "\n"
	}
	return told, gone
}

func (l *leaving) revoked() bool {
	l.sandbox.World.RLock()
	defer l.sandbox.World.RUnlock()
	for _, a := range l.sandbox.World.Accounts {
		for _, c := range a.PrivateCertificates {
			if c.ARN == l.arn {
				return !c.Revoked.IsZero()
			}
		}
	}
	l.Fatalf("there is no certificate %s", l.arn)
	return false
}

// The finalizer and the certificate's ARN on a request may be its author's own
// work. Nobody has another's certificate revoked by them: it takes an approved
// request, for the key of the certificate. A forged request is let go.
func TestRevokesNobodyElsesCertificate(t *testing.T) {
	l := newLeaving(t)
	for name, forge := range map[string]func(*cmapi.CertificateRequest){
		"never approved": func(cr *cmapi.CertificateRequest) { cr.Status.Conditions = nil },
		"never approved, with the same CSR": func(cr *cmapi.CertificateRequest) {
			cr.Status.Conditions, cr.Spec.Request = nil, l.request.Spec.Request
		},
		"approved, for another key": func(*cmapi.CertificateRequest) {},
		"answered, for another key": func(cr *cmapi.CertificateRequest) {
			setReady(cr, "True", cmapi.CertificateRequestReasonIssued, "", time.Now())
		},
		"for a certificate of another CA":    func(cr *cmapi.CertificateRequest) { cr.Annotations[arnAnnotation] = "arn:aws:acm-pca:x" },
		"for a certificate that none issued": func(cr *cmapi.CertificateRequest) { cr.Annotations[arnAnnotation] += "00" },
	} {
		t.Run(name, func(t *testing.T) {
			forged := asked(t, time.Hour)
			forged.Namespace, forged.Name, forged.UID = "evil", "x", "uid-of-x"
			forged.Spec.IssuerRef = l.request.Spec.IssuerRef
			forged.Annotations, forged.Finalizers = map[string]string{arnAnnotation: l.arn}, []string{finalizer}
			forge(forged)
			l.must(l.api.Create(t.Context(), forged))
			told, gone := l.deletes(forged)
			if l.revoked() {
				t.Fatal("another namespace's certificate is revoked")
			}
			if !gone || !strings.Contains(told, "is not revoked: ") {
				t.Errorf("it is gone: %v; told: %s", gone, told)
			}
		})
	}
	if told, gone := l.deletes(l.request); !gone || told != "" || !l.revoked() {
		t.Errorf("its own is revoked: %v; it is gone: %v; told: %s", l.revoked(), gone, told)
	}
}

// A request whose certificate can never be revoked goes all the same, and an
// event says so: it would hold its namespace for ever. While revoking may yet
// succeed, the request waits.
func TestWaitsForNothingThatCannotPass(t *testing.T) {
	fails := func(operation, code string) func(*leaving) {
		return func(l *leaving) {
			l.sandbox.World.SetFaults(world.Fault{Service: "acm-pca", Operation: operation, Code: code, Status: 400})
			l.look(l.issuers, l.shared)
		}
	}
	for name, c := range map[string]struct {
		spoil func(*leaving)
		waits bool
		told  string
	}{
		"the issuer is gone": {func(l *leaving) {
			l.must(l.api.Delete(l.Context(), l.shared))
			l.look(l.issuers, l.shared)
		}, false, "(issuer-not-ready)"},
		"the issuer revokes no more": {func(l *leaving) {
			l.must(l.api.Get(l.Context(), client.ObjectKeyFromObject(l.shared), l.shared))
			l.shared.Annotations = nil
			l.must(l.api.Update(l.Context(), l.shared))
		}, false, ""},
		"the CA is gone":                 {fails("DescribeCertificateAuthority", "ResourceNotFoundException"), false, "(pca-missing)"},
		"the CA has just gone":           {fails("RevokeCertificate", "ResourceNotFoundException"), false, "(pca-missing)"},
		"revoking is not allowed":        {fails("RevokeCertificate", "AccessDeniedException"), true, "(issuer-access)"},
		"it is revoked already":          {fails("RevokeCertificate", "RequestAlreadyProcessedException"), false, ""},
		"AWS fails":                      {fails("RevokeCertificate", "InternalFailure"), true, ""},
		"AWS fails before":               {fails("GetCertificate", "InternalFailure"), true, ""},
		"the certificate is being made":  {fails("GetCertificate", "RequestInProgressException"), true, ""},
		"the issuer's credentials lapse": {fails("DescribeCertificateAuthority", "ExpiredTokenException"), true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLeaving(t)
			c.spoil(l)
			told, gone := l.deletes(l.request)
			if gone == c.waits || (told == "") != (c.told == "") || !strings.Contains(told, c.told) {
				t.Errorf("it is gone: %v; told: %s", gone, told)
			}
		})
	}
}
