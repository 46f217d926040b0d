package main

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/kube/identity"
)

// Events tell on a ServiceAccount why its pods are denied, and on a pod what it
// lacks, once in a while: a Deployment tries again and again, and its own events
// speak of pods only.
type events struct {
	ctx  context.Context
	to   client.Client
	by   string // program
	log  *slog.Logger
	now  func() time.Time
	work chan struct{} // one place for each write under way

	mu   sync.Mutex
	told map[told]time.Time
}

type told struct {
	about types.UID
	slug  string
}

const (
	tellAgain = 10 * time.Minute
	mostTold  = 10_000 // remembered

	longestEvent = 1024 // the API server's limit
)

func newEvents(ctx context.Context, by string, to client.Client, log *slog.Logger) *events {
	return &events{ctx: ctx, to: to, by: by, log: log, now: time.Now, work: make(chan struct{}, 8), told: map[told]time.Time{}}
}

// refused tells on an account that its pods are denied.
func (e *events) refused(account *corev1.ServiceAccount, why *identity.Refusal) {
	e.tell(corev1.ObjectReference{
		APIVersion: "v1", Kind: "ServiceAccount", Namespace: account.Namespace, Name: account.Name, UID: account.UID,
	}, "IdentityRefused", "Deny", why)
}

// missed tells on a pod what it lacks.
func (e *events) missed(pod *corev1.Pod, why *identity.Refusal) {
	e.tell(corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID,
	}, "IdentityMissed", "Inject", why)
}

// tell returns at once; where there is too much to tell, some is left out.
func (e *events) tell(about corev1.ObjectReference, reason, action string, why *identity.Refusal) {
	if !e.due(told{about.UID, why.Slug}) {
		return
	}
	now := metav1.NewTime(e.now())
	detail, slug := why.Detail, " ("+why.Slug+")"
	if most := longestEvent - len(slug); len(detail) > most { // the slug stays: status and doctor read it
		detail = strings.ToValidUTF8(detail[:most-3], "") + "..."
	}
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: about.Namespace, GenerateName: about.Name + "-"},
		InvolvedObject: about,
		Type:           corev1.EventTypeWarning, Reason: reason, Action: action,
		Message:             detail + slug,
		Source:              corev1.EventSource{Component: "daypass-" + e.by},
		ReportingController: "daypass.dev/" + e.by, ReportingInstance: "daypass-" + e.by,
		FirstTimestamp: now, LastTimestamp: now, Count: 1,
	}
	select {
	case e.work <- struct{}{}:
	default:
		e.forget(told{about.UID, why.Slug})
		return
	}
	go func() {
		defer func() { <-e.work }()
		ctx, cancel := context.WithTimeout(e.ctx, 5*time.Second)
		defer cancel()
		if err := e.to.Create(ctx, event); err != nil {
			e.log.Warn("writing an event", "namespace", about.Namespace, "kind", about.Kind, "name", about.Name, "error", err)
		}
	}()
}

// forget lets what was not told be told at once.
func (e *events) forget(what told) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.told, what)
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
