package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/internal/cli"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
	kubesecrets "daypass.dev/kube/secrets"
	"daypass.dev/kube/vend"
	"daypass.dev/secrets"
)

// secretsFlags are those of the provider for the Secrets Store CSI driver.
type secretsFlags struct {
	dir  string
	poll time.Duration
}

func (f *secretsFlags) table() []cli.Setting {
	return []cli.Setting{
		{Flag: "secrets-provider-dir", Arg: "DIR", Into: &f.dir,
			Help: "be the provider aws of the Secrets Store CSI driver there, as /var/run/secrets-store-csi-providers; not given, be none"},
		{Flag: "secrets-poll-interval", Arg: "DURATION", Into: &f.poll,
			Help: "how often mounted secrets are read anew, all pods of one identity at once; as --rotation-poll-interval of the driver"},
	}
}

// fromNode takes the region from the node's label, where no setting names one
// and the label names one of AWS's: on other clouds it names other places.
func (f *nodeFlags) fromNode(ctx context.Context) error {
	if f.own.Region != "" || f.node == "" {
		return nil
	}
	config, err := connect(f.kubeconfig)
	if err != nil {
		return err
	}
	cluster, err := client.New(config, client.Options{Scheme: scheme()})
	if err != nil {
		return fmt.Errorf("reaching the cluster: %w", err)
	}
	node := &metav1.PartialObjectMetadata{}
	node.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Node"))
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := cluster.Get(ctx, client.ObjectKey{Name: f.node}, node); err != nil {
		return fmt.Errorf("looking for the node's region: %w", err)
	}
	if label := node.Labels[corev1.LabelTopologyRegion]; secrets.IsRegion(label) {
		f.own.Region = label
	}
	return nil
}

// serveSecrets is the provider of the Secrets Store CSI driver until ctx ends.
func (n *nodeProgram) serveSecrets(ctx context.Context, told *events) error {
	f := n.flags
	if f.secrets.dir == "" {
		return nil
	}
	upstream, err := f.upstream(n.log)
	if err != nil {
		return err
	}
	// Tokens for STS are shown as they are, whatever the cluster's own method.
	web := &vend.Vendor{
		Cluster: n.vendor.Cluster, Node: f.node, Directory: n.dir, Upstream: *upstream,
		Rate: n.vendor.Rate, Observe: n.observe, Log: n.log,
	}
	web.Cluster.Method = v1alpha1.WebIdentity
	n.metrics.Watch(web)
	defer web.Close()
	provider := &kubesecrets.Provider{
		Tokens: n.tokens, Identity: n.vendor, Web: web, Cluster: n.vendor.Cluster.Name, Region: f.own.Region, Log: n.log,
		Reader: &secrets.Reader{
			Endpoint: f.anyEndpoint, FIPS: f.own.FIPS, DualStack: f.own.DualStack, Client: upstream.Client, Keep: f.secrets.poll, Log: n.log,
		},
		Failed: func(pod vend.Caller, slug, message string) {
			told.tell(corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Pod, UID: pod.UID},
				"SecretsNotMounted", "Mount", &identity.Refusal{Slug: slug, Detail: message})
		},
	}
	go func() {
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(30 * time.Second):
				web.Forget(ctx)
			}
		}
	}()
	n.log.Info("serving the Secrets Store CSI driver", "directory", f.secrets.dir, "region", f.own.Region)
	return provider.Serve(ctx, f.secrets.dir)
}
