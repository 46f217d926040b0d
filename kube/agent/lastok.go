package agent

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/kube/api/v1alpha1"
)

// LastOK writes on associations when AWS last gave credentials for them: one at
// most once a minute, whichever agent of the cluster does it, and all together
// at most once a second, so that it never stands in the way of pods. What that
// leaves out, a later renewal tells. It must not be copied after use.
type LastOK struct {
	From client.Reader // which need not be fresh
	To   client.Client
	Log  *slog.Logger // of what could not be written; nil: silent

	mu   sync.Mutex
	seen map[string]time.Time // not written yet, by name
}

const (
	tellEvery = time.Second // one
	tellAgain = time.Minute // the same
)

// Note remembers that AWS gave credentials just now. Empty names are none's.
func (l *LastOK) Note(association string) {
	if association == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen = map[string]time.Time{}
	}
	l.seen[association] = time.Now()
}

// Run writes until ctx ends.
func (l *LastOK) Run(ctx context.Context) {
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(tellEvery):
		}
		name, at := l.next()
		if name == "" {
			continue
		}
		text := ""
		if err := l.write(ctx, name, at); err != nil {
			text = err.Error()
		}
		if text != "" && text != said && l.Log != nil && ctx.Err() == nil {
			l.Log.Warn("an association's lastOK is not written", "association", name, "error", text)
		}
		said = text
	}
}

func (l *LastOK) next() (string, time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, at := range l.seen {
		delete(l.seen, name)
		return name, at
	}
	return "", time.Time{}
}

func (l *LastOK) write(ctx context.Context, name string, at time.Time) error {
	a := &v1alpha1.PodIdentityAssociation{}
	if err := l.From.Get(ctx, client.ObjectKey{Name: name}, a); err != nil {
		return client.IgnoreNotFound(err)
	}
	if last := a.Status.LastOK; last != nil && at.Sub(last.Time) < tellAgain {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"lastOK": metav1.NewTime(at)}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return client.IgnoreNotFound(l.To.Status().Patch(ctx, a, client.RawPatch(types.MergePatchType, patch)))
}
