package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/kube/identity"
)

// Events tell on a ServiceAccount why its pods are denied, once in a while: a
// Deployment tries again and again, and its own events speak of pods only.
type events struct {
	ctx  context.Context
	to   client.Client
	log  *slog.Logger
	now  func() time.Time
	work chan struct{} // one place for each write under way

	mu   sync.Mutex
	told map[told]time.Time
}

type told struct {
	account types.UID
	slug    string
}

const (
	tellAgain = 10 * time.Minute
	mostTold  = 10_000 // remembered
)

func newEvents(ctx context.Context, to client.Client, log *slog.Logger) *events {
	return &events{ctx: ctx, to: to, log: log, now: time.Now, work: make(chan struct{}, 8), told: map[told]time.Time{}}
}

// refused returns at once; where there is too much to tell, some is left out.
func (e *events) refused(account *corev1.ServiceAccount, why *identity.Refusal) {
	if !e.due(told{account.UID, why.Slug}) {
		return
	}
	now := metav1.NewTime(e.now())
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: account.Namespace, GenerateName: account.Name + "-"},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: "v1", Kind: "ServiceAccount", Namespace: account.Namespace, Name: account.Name, UID: account.UID,
		},
		Type: corev1.EventTypeWarning, Reason: "IdentityRefused", Action: "Deny",
		Message:             why.Detail + " (" + why.Slug + ")",
		Source:              corev1.EventSource{Component: "daypass-webhook"},
		ReportingController: "daypass.dev/webhook", ReportingInstance: "daypass-webhook",
		FirstTimestamp: now, LastTimestamp: now, Count: 1,
	}
	if len(event.Message) > 1024 { // the API server's limit
		event.Message = event.Message[:1021] + "..."
	}
	select {
	case e.work <- struct{}{}:
	default:
		return
	}
	go func() {
		defer func() { <-e.work }()
		ctx, cancel := context.WithTimeout(e.ctx, 5*time.Second)
		defer cancel()
		if err := e.to.Create(ctx, event); err != nil {
			e.log.Warn("writing an event", "namespace", account.Namespace, "serviceAccount", account.Name, "error", err)
		}
	}()
}

// due remembers what was told when.
func (e *events) due(what told) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	if now.Sub(e.told[what]) < tellAgain {
		return false
	}
	if len(e.told) >= mostTold {
		clear(e.told)
	}
	e.told[what] = now
	return true
}
