package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"daypass.dev/doctor"
	"daypass.dev/doctor/gather"
	"daypass.dev/internal/cli"
	"daypass.dev/kube/survey"
)

// clusterOptions say which cluster, as kubectl's do.
type clusterOptions struct{ namespace, kubeconfig, context string }

func (o *clusterOptions) table() []cli.Setting {
	return []cli.Setting{
		{Flag: "namespace", Short: "n", Arg: "NAME", Into: &o.namespace, Help: "namespace, if not that of kubectl's current context"},
		{Flag: "kubeconfig", Arg: "FILE", Into: &o.kubeconfig, Also: []string{"KUBECONFIG"}, Help: "how to reach the cluster"},
		{Flag: "context", Arg: "NAME", Into: &o.context, Help: "context of that file, if not the current one"},
	}
}

func (o *clusterOptions) connect() (*survey.Cluster, error) {
	c, err := survey.Connect(o.kubeconfig, o.context)
	if err != nil {
		return nil, cli.Usagef("name the cluster with --kubeconfig, as for kubectl", "%w", err)
	}
	if o.namespace == "" {
		o.namespace = c.Namespace
	}
	return c, nil
}

// pod is the examination of one.
func (o *doctorOptions) pod(ctx context.Context, arg string) (*gather.Case, error) {
	name, ok := strings.CutPrefix(arg, "pod/")
	if !ok || name == "" {
		return nil, cli.Usagef("as in daypassctl doctor pod/web-7f9c -n shop", "%q is no pod/NAME", arg)
	}
	cluster, err := o.cluster.connect()
	if err != nil {
		return nil, err
	}
	seen, err := cluster.Pod(ctx, o.cluster.namespace, name)
	if err != nil {
		return nil, err
	}
	c := &gather.Case{Base: seen, AnchorFile: o.anchorFile, ProfileFile: o.profileFile, RoleFile: o.roleFile, Said: o.said, Decisions: o.decisions}
	if o.action != "" {
		c.Request = &doctor.Request{Action: o.action, Resource: o.resource}
	}
	if c.Unseen = "--offline"; !o.offline {
		c.Operator, c.Unseen = operator(ctx)
	}
	return c, nil
}

type statusOptions struct {
	clusterOptions
	output, addr string
	all, web     bool
}

func statusCommand() *cobra.Command {
	o := &statusOptions{output: "table", addr: "127.0.0.1:0"}
	c := &cobra.Command{
		Use:   "status",
		Short: "who in the cluster can reach what",
		Long: `Status lists the pods that have an identity in AWS, or should have: by which
method and rule, which role, until when their certificates and credentials last,
when AWS last gave some for the association, and why not. Below stand daypass's
own programs, and whether AWS answers the agents of those pods' nodes.

It reads the cluster as kubectl does, with no more rights than its caller has,
and says what it could not see: pods and serviceaccounts it must be able to list;
the rest takes list of deployments, daemonsets, events, podcertificaterequests
and podidentityassociations, and get of pods/proxy in daypass's namespace, by
which it asks the agents. Of sidecars' credentials it knows nothing.

With --web it is a page for the browser of this machine, at an address that
nobody else on it knows, until it is ended.

Under the name kubectl-daypass this program is kubectl daypass. The exit code is
3 if a pod lacks what it should have.`,
		Example: `  daypassctl status
  daypassctl status -A -o json | jq '.workloads[] | select(.reason)'
  daypassctl status -A --web`,
		Args: cobra.NoArgs,
	}
	cli.Bind(c, append(o.table(),
		cli.Setting{Flag: "all-namespaces", Short: "A", Into: &o.all, Help: "all namespaces"},
		cli.Setting{Flag: "output", Short: "o", Arg: "table|json", Into: &o.output, Help: "how to print it"},
		cli.Setting{Flag: "web", Into: &o.web, Help: "show it in a browser instead"},
		cli.Setting{Flag: "addr", Arg: "HOST:PORT", Into: &o.addr, Help: "where that page is, on loopback; port 0 takes any that is free"},
	)...)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if o.output != "table" && o.output != "json" {
			return cli.Usagef("", "--output: %q is neither table nor json", o.output)
		}
		cluster, err := o.connect()
		if err != nil {
			return err
		}
		namespace := o.namespace
		if o.all {
			namespace = ""
		}
		if o.web {
			return statusWeb(c.Context(), c.OutOrStdout(), o.addr, func(ctx context.Context) (*survey.Status, error) { return cluster.Status(ctx, namespace) })
		}
		s, err := cluster.Status(c.Context(), namespace)
		if err != nil {
			return err
		}
		if err := printStatus(c.OutOrStdout(), o.output, s); err != nil {
			return err
		}
		return lacking(s)
	}
	return c
}

// lacking says no for the first workload that lacks what it should have.
func lacking(s *survey.Status) error {
	for _, w := range s.Workloads {
		namespace, account, pod, why := plain(w.Namespace), plain(w.ServiceAccount), plain(w.Pod), plain(w.Reason)
		switch {
		case why == "":
		case pod == "":
			return cli.Nof("daypassctl explain "+why, "pods of ServiceAccount %s/%s are denied: %s", namespace, account, why)
		default:
			return cli.Nof("daypassctl doctor pod/"+pod+" -n "+namespace, "%s/%s: %s", namespace, pod, why)
		}
	}
	return nil
}
