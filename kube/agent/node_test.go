package agent

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	certificates "k8s.io/api/certificates/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
