package signer

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A Keeper is an operator's hand on the roots of a cluster's signer. It gives
// orders; keys are made, and changed, by the signer itself.
type Keeper struct {
	to     client.Client
	secret types.NamespacedName
	poll   time.Duration
}

// NewKeeper reaches the cluster as kubectl does, or by a kubeconfig if one is
// named. The operator needs get and patch of the root's Secret.
func NewKeeper(kubeconfig, namespace, secret string) (*Keeper, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	to, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	return &Keeper{to, types.NamespacedName{Namespace: namespace, Name: secret}, 500 * time.Millisecond}, nil
}

// Roots are the signer's now.
func (k *Keeper) Roots(ctx context.Context) (Roots, error) {
	s := &corev1.Secret{}
	if err := k.to.Get(ctx, k.secret, s); err != nil {
		return Roots{}, fmt.Errorf("reading Secret %s: %w", k.secret, err)
	}
	return readRoots(s)
}

// Prepare has the signer make its next root, and returns once it is there and
// published, to be trusted; it signs nothing yet. Where one is there already,
// nothing is made. A root before the last one that is still trusted is
// ErrOldRoot.
func (k *Keeper) Prepare(ctx context.Context) (Roots, error) {
	r, err := k.Roots(ctx)
	switch {
	case err != nil:
		return Roots{}, err
	case r.Old != nil:
		return r, ErrOldRoot
	case r.Current.Certificate == nil:
		return r, errNoRoot
	}
	return k.order(ctx, orderPrepare, func(r Roots) bool { return r.Next.Certificate != nil })
}

// Change has the signer sign by its next root from now on. Whatever was put
// into trust before stays good: the root before is trusted until OldUntil.
func (k *Keeper) Change(ctx context.Context) (Roots, error) {
	return k.order(ctx, orderChange, func(r Roots) bool { return r.Next.Certificate == nil && r.Old != nil })
}

// order writes an order and waits until it is carried out.
func (k *Keeper) order(ctx context.Context, order string, done func(Roots) bool) (Roots, error) {
	for first := true; ; first = false {
		r, err := k.Roots(ctx)
		if err != nil || done(r) {
			return r, err
		}
		if first {
			s := &corev1.Secret{}
			s.Namespace, s.Name = k.secret.Namespace, k.secret.Name
			patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, orderAnnotation, order))
			if err := k.to.Patch(ctx, s, patch); err != nil {
				return Roots{}, fmt.Errorf("writing Secret %s: %w", k.secret, err)
			}
		}
		select {
		case <-ctx.Done():
			return Roots{}, errors.Join(errors.New("the signer does not carry out the order: does it run?"), ctx.Err())
		case <-time.After(k.poll):
		}
	}
}
