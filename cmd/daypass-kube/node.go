package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	apps "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/deliver"
	"daypass.dev/internal/cli"
	"daypass.dev/kube/agent"
	"daypass.dev/kube/identity"
	"daypass.dev/kube/vend"
)

func node() *cobra.Command {
	f := newNodeFlags()
	c := &cobra.Command{
		Use:   "node",
		Short: "give the pods of a node their credentials",
		Long: `Node runs on every node, on its network, and answers pods at
http://169.254.170.23/v1/credentials and http://[fd00:ec2::23]/v1/credentials, as
AWS's SDKs expect of EKS. A pod shows its token; the agent checks it in full,
finds out which role the pod may use, and asks AWS by the method that the
association or the cluster's settings name.

With method eks it shows AWS the node's own credentials beside the pod's token:
those of a certificate or token if settings name one, else of the EC2 instance.

The addresses, and the packet filter that keeps other machines away from them,
stay while the agent is restarted. They go when its DaemonSet is deleted.`,
		Example: `  daypass-kube node --node-name n1 --cluster-name prod --method web-identity --region eu-west-1`,
		Args:    cobra.NoArgs,
	}
	cli.Bind(c, f.table()...)
	c.RunE = func(c *cobra.Command, _ []string) error { return runNode(c.Context(), f, c.ErrOrStderr()) }
	c.AddCommand(nodeReady())
	return c
}

// A nodeProgram is what the parts of the node's program have in common.
type nodeProgram struct {
	flags   *nodeFlags
	config  *rest.Config
	dir     *nodeDirectory
	tokens  *vend.Tokens
	vendor  *vend.Vendor
	metrics *agent.Metrics
	lastOK  *agent.LastOK
	log     *slog.Logger
}

func runNode(ctx context.Context, f *nodeFlags, stderr io.Writer) error {
	if err := f.fromNode(ctx); err != nil {
		return err
	}
	n, err := newNodeProgram(f, stderr)
	if err != nil {
		return err
	}
	l := n.log
	events := newEvents(ctx, "node", n.dir.live, l)
	answers := &agent.Agent{
		Tokens: n.tokens, Vendor: n.vendor, Audit: l.With("log", "audit"), Log: l,
		Refused: func(pod vend.Caller, why *identity.Refusal) {
			events.tell(corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Pod, UID: pod.UID}, "IdentityRefused", "Vend", why)
		},
	}
	program := &agent.Program{Link: &agent.Link{NodeAddresses: f.nodeAddresses(), Log: l}, Handler: n.metrics.Count(answers.Handler()), Log: l}

	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() { stop(n.dir.run(ctx)) }()
	go n.lastOK.Run(ctx)
	ready := func(ctx context.Context) error {
		return errors.Join(n.dir.ready(ctx), n.tokens.Ready(ctx), program.Ready())
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", n.metrics.Handler())
	mux.Handle("/", &deliver.Health{Ready: func(ctx context.Context) error { return errors.Join(ready(ctx), n.metrics.Upstream()) }})
	health := deliver.Server(mux, l)
	defer health.Close()
	if err := f.serveHealth(ctx, health, l); err != nil {
		return err
	}
	go n.housekeeping(ctx, ready)

	n.serve(ctx, program.Run, events, stop)
	defer n.vendor.Close()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	if n.leaving() {
		l.Info("leaving the node: its addresses and packet filter go, too")
		return program.Link.Remove()
	}
	return nil
}

// serve answers pods and the CSI driver until ctx ends, and then lets end what is
// under way of either. If the driver cannot be answered, fail is told.
func (n *nodeProgram) serve(ctx context.Context, pods func(context.Context), told *events, fail func(error)) {
	var mounts sync.WaitGroup
	mounts.Go(func() {
		if err := n.serveSecrets(ctx, told); err != nil {
			fail(err)
		}
	})
	pods(ctx)
	mounts.Wait()
}

func newNodeProgram(f *nodeFlags, stderr io.Writer) (*nodeProgram, error) {
	cluster, err := f.read()
	if err != nil {
		return nil, err
	}
	l, config, err := f.begin(stderr)
	if err != nil {
		return nil, err
	}
	dir, err := newNodeDirectory(config, f.node)
	if err != nil {
		return nil, err
	}
	fetch, err := issuer(config)
	if err != nil {
		return nil, err
	}
	n := &nodeProgram{flags: f, config: config, dir: dir, metrics: agent.NewMetrics(), log: l}
	n.lastOK = &agent.LastOK{From: dir.watched, To: dir.live, Log: l}
	n.tokens = &vend.Tokens{Fetch: fetch, Node: f.node, Log: l}
	upstream, err := f.upstream(l)
	if err != nil {
		return nil, err
	}
	upstream.Certificates = &vend.Certificates{Sign: agent.Sign(dir.live)}
	n.vendor = &vend.Vendor{
		Cluster: cluster, Node: f.node, Directory: dir, Upstream: *upstream, Addresses: f.addresses(),
		Rate: float64(f.rate), KeepDir: f.keepDir, Observe: n.observe, Log: l,
	}
	n.metrics.Watch(n.vendor)
	return n, nil
}

// observe tells metrics and associations of a call to AWS.
func (n *nodeProgram) observe(id identity.Identity, err error, took time.Duration) {
	n.metrics.Observe(id, err, took)
	if err == nil {
		n.lastOK.Note(id.Association)
	}
}

// housekeeping takes the node's taint once the agent is ready, and forgets pods
// that are gone, whatever becomes of the taint.
func (n *nodeProgram) housekeeping(ctx context.Context, ready func(context.Context) error) {
	const often, seldom = time.Second, 30 * time.Second
	tainted, wait, forgot := true, often, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if time.Since(forgot) >= seldom {
			n.vendor.Forget(ctx)
			n.metrics.Forget()
			forgot = time.Now()
		}
		if !tainted || ready(ctx) != nil {
			continue
		}
		if err := agent.Untaint(ctx, n.dir.live, n.flags.node); err != nil {
			n.log.Warn("the node keeps its taint", "error", err.Error())
			continue
		}
		tainted, wait = false, seldom
	}
}

// leaving tells whether the agent's DaemonSet is gone, or is going. Where the
// agent may no longer ask, its rights are gone, too.
func (n *nodeProgram) leaving() bool {
	namespace, name, ok := strings.Cut(n.flags.daemonSet, "/")
	if !ok {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	set := &apps.DaemonSet{}
	err := n.dir.live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, set)
	switch {
	case err == nil:
		return set.DeletionTimestamp != nil
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return true
	}
	n.log.Warn("cannot know whether the agent leaves for good: its addresses stay", "error", err.Error())
	return false
}

func parseAddresses(text string) (all []netip.Addr, err error) {
	for one := range strings.SplitSeq(text, ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		a, err := netip.ParseAddr(one)
		if err != nil {
			return nil, err
		}
		all = append(all, a.Unmap())
	}
	return all, nil
}
