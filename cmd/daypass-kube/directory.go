package main

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/kube/api/v1alpha1"
)

// A directory knows all ServiceAccounts and associations, by watching them. It
// is an inject.Directory.
type directory struct {
	watched cache.Cache
	live    client.Client
}

func newDirectory(config *rest.Config) (*directory, error) {
	s := scheme()
	live, err := client.New(config, client.Options{Scheme: s})
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	watched, err := cache.New(config, cache.Options{
		Scheme:   s,
		ByObject: map[client.Object]cache.ByObject{&corev1.ServiceAccount{}: {Transform: bare}},
	})
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	return &directory{watched, live}, nil
}

// bare keeps of a ServiceAccount what identities are made of; there are many.
func bare(object any) (any, error) {
	if a, ok := object.(*corev1.ServiceAccount); ok {
		a.ObjectMeta = metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name, UID: a.UID, ResourceVersion: a.ResourceVersion, Annotations: a.Annotations}
		a.Secrets, a.ImagePullSecrets = nil, nil
	}
	return object, nil
}

// run watches until ctx ends.
func (d *directory) run(ctx context.Context) error {
	for _, kind := range []client.Object{&corev1.ServiceAccount{}, &v1alpha1.PodIdentityAssociation{}} {
		if _, err := d.watched.GetInformer(ctx, kind, cache.BlockUntilSynced(false)); err != nil {
			return fmt.Errorf("watching %T: %w", kind, err)
		}
	}
	return d.watched.Start(ctx)
}

// ready is nil once everything was listed.
func (d *directory) ready(ctx context.Context) error {
	if !d.watched.WaitForCacheSync(ctx) {
		return errors.New("ServiceAccounts and PodIdentityAssociations are not listed yet")
	}
	return nil
}

func (d *directory) Lookup(ctx context.Context, namespace, name string) (*corev1.ServiceAccount, []v1alpha1.PodIdentityAssociation, error) {
	account, key := &corev1.ServiceAccount{}, client.ObjectKey{Namespace: namespace, Name: name}
	err := d.watched.Get(ctx, key, account)
	if apierrors.IsNotFound(err) { // perhaps made a moment ago, with the pod
		err = d.live.Get(ctx, key, account)
	}
	if apierrors.IsNotFound(err) {
		account, err = nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	var all v1alpha1.PodIdentityAssociationList
	if err := d.watched.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil { // nobody changes them
		return nil, nil, err
	}
	return account, all.Items, nil
}
