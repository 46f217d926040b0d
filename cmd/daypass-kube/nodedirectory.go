package main

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/kube/vend"
)

// A nodeDirectory knows the pods of one node, too. It is a vend.Directory.
type nodeDirectory struct {
	*directory
	pods cache.Cache
}

func newNodeDirectory(config *rest.Config, node string) (*nodeDirectory, error) {
	dir, err := newDirectory(config)
	if err != nil {
		return nil, err
	}
	pods, err := cache.New(config, cache.Options{
		Scheme: scheme(),
		ByObject: map[client.Object]cache.ByObject{&corev1.Pod{}: {
			Field: fields.OneTermEqualSelector("spec.nodeName", node), Transform: placed,
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	return &nodeDirectory{dir, pods}, nil
}

// placed keeps of a pod where it is and as whom it runs.
func placed(object any) (any, error) {
	if p, ok := object.(*corev1.Pod); ok {
		p.ObjectMeta = metav1.ObjectMeta{
			Namespace: p.Namespace, Name: p.Name, UID: p.UID, ResourceVersion: p.ResourceVersion, Annotations: p.Annotations,
		}
		p.Spec = corev1.PodSpec{NodeName: p.Spec.NodeName, ServiceAccountName: p.Spec.ServiceAccountName, HostNetwork: p.Spec.HostNetwork}
		p.Status = corev1.PodStatus{Phase: p.Status.Phase, PodIPs: p.Status.PodIPs, HostIPs: p.Status.HostIPs}
	}
	return object, nil
}

// run watches until ctx ends.
func (d *nodeDirectory) run(ctx context.Context) error {
	if _, err := d.pods.GetInformer(ctx, &corev1.Pod{}, cache.BlockUntilSynced(false)); err != nil {
		return fmt.Errorf("watching pods: %w", err)
	}
	ended := make(chan error, 2)
	go func() { ended <- d.pods.Start(ctx) }()
	go func() { ended <- d.directory.run(ctx) }()
	return <-ended
}

// ready is nil once everything was listed.
func (d *nodeDirectory) ready(ctx context.Context) error {
	if !d.pods.WaitForCacheSync(ctx) {
		return errors.New("the node's pods are not listed yet")
	}
	return d.directory.ready(ctx)
}

// Pod implements vend.Directory.
func (d *nodeDirectory) Pod(ctx context.Context, namespace, name string, fresh bool) (*corev1.Pod, error) {
	from := client.Reader(d.pods)
	if fresh {
		from = d.live
	}
	pod := &corev1.Pod{}
	err := from.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, pod)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return pod, nil
}

// issuer fetches who signs tokens in this cluster, and with which keys.
func issuer(config *rest.Config) (func(context.Context) (vend.Issuer, error), error) {
	from, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	return func(ctx context.Context) (vend.Issuer, error) {
		document, err := from.RESTClient().Get().AbsPath("/.well-known/openid-configuration").DoRaw(ctx)
		if err != nil {
			return vend.Issuer{}, err
		}
		keys, err := from.RESTClient().Get().AbsPath("/openid/v1/jwks").DoRaw(ctx)
		if err != nil {
			return vend.Issuer{}, err
		}
		return vend.ParseIssuer(document, keys)
	}, nil
}
