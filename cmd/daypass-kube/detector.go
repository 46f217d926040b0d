package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/deliver"
	"daypass.dev/internal/cli"
	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
	"daypass.dev/kube/inject"
)

type detectorFlags struct {
	program
	namespace string
	settings  settings
}

func detector() *cobra.Command {
	f := &detectorFlags{program: newProgram()}
	c := &cobra.Command{
		Use:   "detector",
		Short: "report pods that the webhook missed, and how associations fare",
		Long: `Detector looks at all pods three times a minute and tells, by an Event on the
pod, which run without what their identity needs: because the webhook was down
when they were made, or their ServiceAccount had no role yet. It also writes the
status of PodIdentityAssociations. Give it the webhook's settings.

It changes no pod, and it does not depend on the webhook. It needs list and watch
of pods, namespaces, serviceaccounts and podidentityassociations, patch of
podidentityassociations/status, and create of events.`,
		Args: cobra.NoArgs,
	}
	cli.Bind(c, slices.Concat([]cli.Setting{
		{Flag: "namespace", Arg: "NAME", Into: &f.namespace, Help: "namespace of the webhook, whose own pods are not looked at"},
	}, f.program.table(), f.settings.table())...)
	c.RunE = func(c *cobra.Command, _ []string) error { return runDetector(c.Context(), f, c.ErrOrStderr()) }
	return c
}

func runDetector(ctx context.Context, f *detectorFlags, stderr io.Writer) error {
	s, err := f.settings.read()
	if err != nil {
		return err
	}
	l, config, err := f.begin(stderr)
	if err != nil {
		return err
	}
	dir, err := newDirectory(config, &corev1.Pod{}, &corev1.Namespace{})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() { stop(dir.run(ctx)) }()
	d := &detective{
		directory: dir, settings: s, log: l, events: newEvents(ctx, "detector", dir.live, l),
		asks: inject.Registration{Namespace: f.namespace}.Asks(), known: map[types.UID]bool{},
	}
	health := &deliver.Health{Ready: dir.ready, Metrics: d.metrics}
	plain, err := net.Listen("tcp", f.health)
	if err != nil {
		return fmt.Errorf("listening for health checks: %w", err)
	}
	server := deliver.Server(health, l)
	defer func() { _ = server.Close() }()
	go func() { stop(server.Serve(plain)) }()
	l.Info("looking at pods", "every", every.String(), "health", plain.Addr().String())
	if dir.watched.WaitForCacheSync(ctx) {
		d.patrol(ctx)
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// every is how often all pods are looked at: a missed one is told of within a
// minute, whatever a pass takes.
const every = 20 * time.Second

// A detective looks at what a directory knows.
type detective struct {
	*directory
	settings inject.Settings
	asks     func(namespace, pod map[string]string) bool
	events   *events
	log      *slog.Logger
	known    map[types.UID]bool // missed pods that the log has
	missed   atomic.Int64
}

func (d *detective) metrics() []deliver.Metric {
	return []deliver.Metric{{
		Name: "daypass_pods_missed", Help: "Pods that run without what their identity needs.", Value: float64(d.missed.Load()),
	}}
}

func (d *detective) patrol(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		for what, look := range map[string]func(context.Context) error{"pods": d.pods, "associations": d.standing} {
			if err := look(ctx); err != nil && ctx.Err() == nil {
				d.log.Error("looking at "+what, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (d *detective) pods(ctx context.Context) error {
	var namespaces corev1.NamespaceList
	var pods corev1.PodList
	var all v1alpha1.PodIdentityAssociationList
	for _, list := range []client.ObjectList{&namespaces, &pods, &all} {
		if err := d.watched.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil { // nobody changes them
			return err
		}
	}
	labels := map[string]map[string]string{}
	for i := range namespaces.Items {
		labels[namespaces.Items[i].Name] = namespaces.Items[i].Labels
	}
	missed := map[types.UID]bool{}
	for i := range pods.Items {
		p := &pods.Items[i]
		over := p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
		if over || !d.asks(labels[p.Namespace], p.Labels) {
			continue
		}
		var account corev1.ServiceAccount
		if err := d.watched.Get(ctx, client.ObjectKey{Namespace: p.Namespace, Name: p.Spec.ServiceAccountName}, &account); err != nil {
			continue // gone meanwhile, or not seen yet: the next pass knows
		}
		why := inject.Missed(p, &account, all.Items, d.settings)
		if why == nil {
			continue
		}
		missed[p.UID] = true
		if !d.known[p.UID] {
			d.log.Warn("pod runs without its identity", "namespace", p.Namespace, "pod", p.Name, "reason", why.Slug, "detail", why.Detail)
		}
		d.events.missed(p, why)
	}
	d.known = missed
	d.missed.Store(int64(len(missed)))
	return nil
}

// verdict is what is to be said of an association.
func (d *detective) verdict(a *v1alpha1.PodIdentityAssociation, all []v1alpha1.PodIdentityAssociation) (v1alpha1.Method, *identity.Refusal) {
	id, err := d.settings.Standing(a, all)
	var why *identity.Refusal
	errors.As(err, &why)
	return id.Method, why
}
