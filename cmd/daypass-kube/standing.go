package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/reason"
)

// ready is the type of an association's one condition.
const ready = "Ready"

// standing writes how associations fare, where that has changed.
func (d *detective) standing(ctx context.Context) error {
	var all v1alpha1.PodIdentityAssociationList
	if err := d.watched.List(ctx, &all); err != nil {
		return err
	}
	var failed []error
	for i := range all.Items {
		a := &all.Items[i]
		patch, err := d.status(a, all.Items)
		if err == nil && patch != nil {
			err = client.IgnoreNotFound(d.live.Status().Patch(ctx, a.DeepCopy(), client.RawPatch(types.MergePatchType, patch)))
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("status of %s: %w", a.Name, err))
		}
	}
	return errors.Join(failed...)
}

// status is the patch that an association's status needs; nil: none. It leaves
// lastOK alone, which is told by those who ask AWS.
func (d *detective) status(a *v1alpha1.PodIdentityAssociation, all []v1alpha1.PodIdentityAssociation) ([]byte, error) {
	method, why := d.verdict(a, all)
	condition := metav1.Condition{
		Type: ready, Status: metav1.ConditionTrue, Reason: "Usable", ObservedGeneration: a.Generation,
		Message: "nothing in this cluster stands in the way; the role must trust the method, too",
	}
	slug := ""
	if why != nil {
		if slug = why.Slug; slug == "method-unset" || slug == "method-unknown" {
			method = "" // its definition takes no other than there are
		}
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, "Refused", why.Detail
		if row, ok := reason.Lookup(slug); ok {
			condition.Message += ": " + row.Mend
		}
	}
	now := a.Status
	conditions := append([]metav1.Condition(nil), now.Conditions...)
	changed := meta.SetStatusCondition(&conditions, condition)
	if !changed && now.Method == method && now.Reason == slug && now.ObservedGeneration == a.Generation {
		return nil, nil
	}
	fields := map[string]any{"observedGeneration": a.Generation, "method": method, "reason": slug, "conditions": conditions}
	for _, name := range []string{"method", "reason"} {
		if fmt.Sprint(fields[name]) == "" {
			fields[name] = nil // takes it out
		}
	}
	return json.Marshal(map[string]any{"status": fields})
}
