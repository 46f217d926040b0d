package signer

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	certs "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// BundleName is that of the ClusterTrustBundle with all roots to trust.
const BundleName = "daypass.dev:workload:roots"

// A follower signs by whatever root the Secret holds.
type follower struct{ *replica }

func (f *follower) Reconcile(ctx context.Context, which reconcile.Request) (reconcile.Result, error) {
	s := &corev1.Secret{}
	if err := f.cached.Get(ctx, which.NamespacedName, s); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	r, err := readRoots(s)
	if err != nil || r.Current.Certificate == nil {
		return reconcile.Result{}, err
	}
	if err := f.authority.use(ctx, local{r.Current}, string(r.Current.Certificate.Raw)); err != nil {
		return reconcile.Result{}, err
	}
	f.metrics.roots(r)
	return reconcile.Result{}, nil
}

// keeping has the issuing CA made by a root outside, and renews it whoever
// made it.
type keeping struct {
	*replica
	outside Root // nil: the follower's
}

func (keeping) NeedLeaderElection() bool { return false }

func (k keeping) Start(ctx context.Context) error {
	for {
		wait := time.Minute
		if k.outside != nil {
			if err := k.authority.use(ctx, k.outside, "outside"); err != nil {
				k.log.Error("the root signs no issuing CA", "error", err)
				wait = 5 * time.Second
			}
		}
		if err := k.authority.renew(ctx); err != nil {
			k.log.Error("the issuing CA is not renewed", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// A publisher tells the cluster of roots outside of it; one replica does.
type publisher struct {
	*steward
	trust []*x509.Certificate
}

func (publisher) NeedLeaderElection() bool { return true }

func (p publisher) Start(ctx context.Context) error {
	for {
		if err := p.publish(ctx, trustPEM(p.trust)); err != nil {
			p.log.Error("the roots are not published", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Minute):
		}
	}
}

// A steward, one of all replicas, makes the roots and changes them, and tells
// the cluster which to trust.
type steward struct {
	*replica
	bundles bool // whether the cluster has ClusterTrustBundles
}

func (s *steward) Reconcile(ctx context.Context, which reconcile.Request) (reconcile.Result, error) {
	secret := &corev1.Secret{}
	if err := s.live.Get(ctx, which.NamespacedName, secret); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	before, err := readRoots(secret)
	if err != nil {
		return reconcile.Result{}, err // never overwritten: it may be an operator's to mend
	}
	now, order := time.Now(), secret.Annotations[orderAnnotation]
	roots, changed, err := before.advance(order, s.authority.cluster.Name, s.authority.life, s.lastLeaf, now)
	if err != nil && !errors.Is(err, ErrOldRoot) {
		return reconcile.Result{}, err
	}
	if err != nil {
		s.log.Warn("the root is not changed", "why", err.Error(), "until", roots.OldUntil)
	}
	// What is to be trusted is told before it signs, and no longer once it is
	// forgotten.
	if err := s.publish(ctx, roots.TrustPEM()); err != nil {
		return reconcile.Result{}, err
	}
	if changed || order != "" {
		delete(secret.Annotations, orderAnnotation)
		if err := writeRoots(secret, roots); err != nil {
			return reconcile.Result{}, err
		}
		if err := s.writer.Update(ctx, secret); err != nil {
			return reconcile.Result{}, ignoreLost(err)
		}
		s.log.Info("roots", "current", name(roots.Current.Certificate), "next", name(roots.Next.Certificate), "old", name(roots.Old))
	}
	again := look
	if roots.Old != nil {
		again = min(again, max(roots.OldUntil.Sub(now), 0)+time.Second)
	}
	return reconcile.Result{RequeueAfter: again}, nil
}

// look is how often the bundle is seen to.
const look = 10 * time.Minute

// lastLeaf is the end of the last leaf that this replica has seen below root.
func (s *steward) lastLeaf(root *x509.Certificate) time.Time { return s.metrics.lastLeaf(name(root)) }

// name tells roots apart: what newRoot made is unique.
func name(c *x509.Certificate) string {
	if c == nil {
		return ""
	}
	return c.Subject.CommonName
}

func (s *steward) publish(ctx context.Context, want string) error {
	if !s.bundles {
		return nil
	}
	b := &certs.ClusterTrustBundle{ObjectMeta: metav1.ObjectMeta{Name: BundleName}}
	err := s.live.Get(ctx, client.ObjectKeyFromObject(b), b)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading ClusterTrustBundle %s: %w", BundleName, err)
	}
	there := err == nil
	if there && b.Spec.TrustBundle == want {
		return nil
	}
	b.Spec = certs.ClusterTrustBundleSpec{SignerName: SignerName, TrustBundle: want}
	if there {
		err = s.writer.Update(ctx, b)
	} else {
		err = s.writer.Create(ctx, b)
	}
	if err != nil {
		return fmt.Errorf("writing ClusterTrustBundle %s: %w", BundleName, err)
	}
	return nil
}
