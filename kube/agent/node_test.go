package agent

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	certificates "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"daypass.dev/kube/identity"
)

// An api takes requests for certificates, and answers the third look at one, or
// never, or denies it.
type api struct {
	client.Client
	silent bool
	denies string // why
	looks  int
}

func (a *api) Create(_ context.Context, o client.Object, _ ...client.CreateOption) error {
	o.SetName("daypass-1")
	return nil
}

func (a *api) Get(_ context.Context, _ client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	status := &o.(*certificates.CertificateSigningRequest).Status
	switch a.looks++; {
	case a.looks < 3 || a.silent:
	case a.denies != "":
		status.Conditions = []certificates.CertificateSigningRequestCondition{{Type: certificates.CertificateDenied, Message: a.denies}}
	default:
		status.Certificate = []byte("signed")
	}
	return nil
}

func TestSignerWhoAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if got, err := Sign(&api{})(t.Context(), nil); err != nil || string(got) != "signed" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// The agent says so, and does not leave pods to wait without end.
func TestNobodySigns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := Sign(&api{silent: true})(t.Context(), nil)
		if why := (*identity.Refusal)(nil); !errors.As(err, &why) || why.Slug != "agent-no-signer" {
			t.Errorf("%v", err)
		}
		if took := time.Since(began); took > patience+time.Second {
			t.Errorf("after %s", took)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Sign(&api{silent: true})(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// What the signer refuses, the pod is told with the signer's reason; what others
// deny, with their words.
func TestSignerWhoRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := Sign(&api{denies: "no pod of shop/web runs on n1 (agent-request-workload): mend it"})(t.Context(), nil)
		if why := (*identity.Refusal)(nil); !errors.As(err, &why) || why.Slug != "agent-request-workload" || why.Detail != "the signer refuses daypass-1: no pod of shop/web runs on n1" {
			t.Errorf("%v", err)
		}
		for _, words := range []string{"not today", "not (today): no"} {
			_, err = Sign(&api{denies: words})(t.Context(), nil)
			if why := (*identity.Refusal)(nil); err == nil || errors.As(err, &why) || err.Error() != "the signer refuses daypass-1: "+words {
				t.Errorf("%v", err)
			}
		}
	})
}

// A node may have the taint with several effects. They go at once: the cluster
// takes no change after which the agent has left one, or taken another's.
func TestTheTaintGoesWithAllItsEffects(t *testing.T) {
	known := runtime.NewScheme()
	if err := corev1.AddToScheme(known); err != nil {
		t.Fatal(err)
	}
	other := corev1.Taint{Key: "example.org/other", Effect: corev1.TaintEffectNoSchedule}
	for name, taints := range map[string][]corev1.Taint{
		"none":         {other},
		"one effect":   {{Key: taint, Effect: corev1.TaintEffectNoSchedule}, other},
		"each effect":  {{Key: taint, Effect: corev1.TaintEffectNoSchedule}, other, {Key: taint, Effect: corev1.TaintEffectPreferNoSchedule}, {Key: taint, Effect: corev1.TaintEffectNoExecute}},
		"other's last": {{Key: taint, Effect: corev1.TaintEffectNoSchedule}, {Key: taint, Effect: corev1.TaintEffectNoExecute}, other},
	} {
		t.Run(name, func(t *testing.T) {
			n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Spec: corev1.NodeSpec{Taints: taints}}
			left := func(from client.Reader) []corev1.Taint {
				var now corev1.Node
				if err := from.Get(t.Context(), client.ObjectKeyFromObject(n), &now); err != nil {
					t.Fatal(err)
				}
				return now.Spec.Taints
			}
			cluster := fake.NewClientBuilder().WithScheme(known).WithObjects(n).WithInterceptorFuncs(interceptor.Funcs{
				Patch: func(ctx context.Context, to client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
					err := to.Patch(ctx, o, p, opts...)
					if now := left(to); err == nil && !slices.Equal(now, []corev1.Taint{other}) {
						t.Errorf("a change that is denied: %v are left", now)
					}
					return err
				},
			}).Build()
			if err := Untaint(t.Context(), cluster, "n1"); err != nil {
				t.Error(err)
			}
			if now := left(cluster); !slices.Equal(now, []corev1.Taint{other}) {
				t.Errorf("%v are left", now)
			}
		})
	}
}
