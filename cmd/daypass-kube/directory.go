package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/kube/api/v1alpha1"
)

// A directory knows all ServiceAccounts and associations, and what else it is
// asked to, by watching them. It is an inject.Directory.
type directory struct {
	watched cache.Cache
	live    client.Client
	kinds   []client.Object

	mu      sync.Mutex
	missing map[client.ObjectKey]time.Time // ServiceAccounts that were not there, when
}

func newDirectory(config *rest.Config, more ...client.Object) (*directory, error) {
	s := scheme()
	live, err := client.New(config, client.Options{Scheme: s})
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	watched, err := cache.New(config, cache.Options{Scheme: s, DefaultTransform: bare})
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	return &directory{watched: watched, live: live, kinds: append(more, &corev1.ServiceAccount{}, &v1alpha1.PodIdentityAssociation{})}, nil
}

// bare keeps what identities and injection look at; there are many objects, and
// pods hold more than this program should know.
func bare(object any) (any, error) {
	switch o := object.(type) {
	case *corev1.ServiceAccount:
		o.ObjectMeta = bareMeta(o.ObjectMeta)
		o.Labels, o.Secrets, o.ImagePullSecrets = nil, nil, nil
	case *corev1.Namespace:
		o.ObjectMeta = bareMeta(o.ObjectMeta)
		o.Annotations = nil
	case *corev1.Pod:
		o.ObjectMeta = bareMeta(o.ObjectMeta)
		o.Status = corev1.PodStatus{Phase: o.Status.Phase}
		for _, all := range [][]corev1.Container{o.Spec.Containers, o.Spec.InitContainers} {
			for i, c := range all {
				all[i] = corev1.Container{Name: c.Name, Ports: c.Ports, SecurityContext: c.SecurityContext, RestartPolicy: c.RestartPolicy}
			}
		}
		o.Spec = corev1.PodSpec{
			ServiceAccountName: o.Spec.ServiceAccountName, Containers: o.Spec.Containers, InitContainers: o.Spec.InitContainers,
			Volumes: o.Spec.Volumes, HostNetwork: o.Spec.HostNetwork, OS: o.Spec.OS, NodeSelector: o.Spec.NodeSelector, SecurityContext: o.Spec.SecurityContext,
		}
	}
	return object, nil
}

func bareMeta(m metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: m.Namespace, Name: m.Name, UID: m.UID, ResourceVersion: m.ResourceVersion,
		Labels: m.Labels, Annotations: m.Annotations, DeletionTimestamp: m.DeletionTimestamp,
	}
}

// run watches until ctx ends.
func (d *directory) run(ctx context.Context) error {
	for _, kind := range d.kinds {
		if _, err := d.watched.GetInformer(ctx, kind, cache.BlockUntilSynced(false)); err != nil {
			return fmt.Errorf("watching %T: %w", kind, err)
		}
	}
	return d.watched.Start(ctx)
}

// ready is nil once everything was listed.
func (d *directory) ready(ctx context.Context) error {
	if !d.watched.WaitForCacheSync(ctx) {
		return errors.New("what the cluster holds is not listed yet")
	}
	return nil
}

// lacks tells that the API server had no such ServiceAccount a second ago: a pod
// that has lost its own cannot have it asked each time.
func (d *directory) lacks(key client.ObjectKey) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Since(d.missing[key]) < time.Second
}

func (d *directory) lost(key client.ObjectKey) {
	const most = 1000
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.missing == nil || len(d.missing) >= most {
		d.missing = map[client.ObjectKey]time.Time{}
	}
	d.missing[key] = time.Now()
}

func (d *directory) Lookup(ctx context.Context, namespace, name string) (*corev1.ServiceAccount, []v1alpha1.PodIdentityAssociation, error) {
	account, key := &corev1.ServiceAccount{}, client.ObjectKey{Namespace: namespace, Name: name}
	err := d.watched.Get(ctx, key, account)
	if apierrors.IsNotFound(err) && !d.lacks(key) { // perhaps made a moment ago, with the pod
		if err = d.live.Get(ctx, key, account); apierrors.IsNotFound(err) {
			d.lost(key)
		}
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
