package survey

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A Refusal is the latest that daypass told of a workload. It may be mended
// since.
type Refusal struct {
	// Reason is a slug, or the code of AWS's answer.
	Reason string    `json:"reason"`
	Detail string    `json:"detail"`
	At     time.Time `json:"at"`
}

// refusals are the latest ones, by KIND/NAMESPACE/NAME of what they are about.
func (c *Cluster) refusals(ctx context.Context, namespace string) (map[string]Refusal, error) {
	all := map[string]Refusal{}
	for _, kind := range []string{"IdentityRefused", "IdentityMissed", "SecretsNotMounted"} {
		list, err := c.core.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: "type=Warning,reason=" + kind})
		if err != nil {
			return all, err
		}
		for _, e := range list.Items {
			if !strings.HasPrefix(e.ReportingController, "daypass.dev/") {
				continue
			}
			r, of := told(&e), e.InvolvedObject
			key := of.Kind + "/" + of.Namespace + "/" + of.Name
			if r.At.After(all[key].At) {
				all[key] = r
			}
		}
	}
	return all, nil
}

// told reads an event of ours: DETAIL (REASON).
func told(e *corev1.Event) Refusal {
	r := Refusal{Reason: e.Reason, Detail: e.Message, At: lastSeen(e)}
	if open := strings.LastIndex(e.Message, " ("); open >= 0 && strings.HasSuffix(e.Message, ")") {
		r.Detail, r.Reason = e.Message[:open], e.Message[open+2:len(e.Message)-1]
	}
	return r
}

// lastSeen is when an event last came: who tells it by events.k8s.io gives other
// times than who tells it by the core API.
func lastSeen(e *corev1.Event) time.Time {
	at := e.LastTimestamp.Time
	if e.Series != nil && e.Series.LastObservedTime.After(at) {
		at = e.Series.LastObservedTime.Time
	}
	for _, first := range []time.Time{e.EventTime.Time, e.CreationTimestamp.Time} {
		if at.IsZero() {
			at = first
		}
	}
	return at
}
