package signer

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/clientcmd"
)

// A Keeper is an operator's hand on the roots of a cluster's signer. It gives
// orders; keys are made, and changed, by the signer itself.
type Keeper struct {
	to     typed.SecretInterface
	secret string
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
	to, err := typed.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	return &Keeper{to.Secrets(namespace), secret, 500 * time.Millisecond}, nil
}

// Roots are the signer's now.
func (k *Keeper) Roots(ctx context.Context) (Roots, error) {
	s, err := k.to.Get(ctx, k.secret, metav1.GetOptions{})
	if err != nil {
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
			patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, orderAnnotation, order)
			if _, err := k.to.Patch(ctx, k.secret, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
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
