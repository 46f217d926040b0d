package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

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

func statusCommand() *cobra.Command {
	o := &clusterOptions{}
	output := "table"
	all := false
	c := &cobra.Command{
		Use:   "status",
		Short: "who in the cluster can reach what",
		Long: `Status lists the pods that have an identity in AWS, or should have: by which
method and rule, which role, until when their certificates last, and why not.
Below stand daypass's own programs. It reads the cluster as kubectl does, with
no more rights than its caller has. Under the name kubectl-daypass it is
kubectl daypass status. The exit code is 3 if a pod lacks what it should have.`,
		Example: `  daypassctl status
  daypassctl status -A -o json | jq '.workloads[] | select(.reason)'`,
		Args: cobra.NoArgs,
	}
	cli.Bind(c, append(o.table(),
		cli.Setting{Flag: "all-namespaces", Short: "A", Into: &all, Help: "all namespaces"},
		cli.Setting{Flag: "output", Short: "o", Arg: "FORMAT", Into: &output, Help: "print as table or json"},
	)...)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if output != "table" && output != "json" {
			return cli.Usagef("", "--output: %q is neither table nor json", output)
		}
		cluster, err := o.connect()
		if err != nil {
			return err
		}
		namespace := o.namespace
		if all {
			namespace = ""
		}
		s, err := cluster.Status(c.Context(), namespace)
		if err != nil {
			return err
		}
		if output == "json" {
			enc := json.NewEncoder(c.OutOrStdout())
			enc.SetIndent("", "  ")
			err = enc.Encode(s)
		} else {
			err = statusTable(c.OutOrStdout(), s)
		}
		if err != nil {
			return err
		}
		for _, w := range s.Workloads {
			if w.Reason != "" {
				return cli.Nof("daypassctl doctor pod/"+w.Pod+" -n "+w.Namespace, "%s/%s: %s", w.Namespace, w.Pod, w.Reason)
			}
		}
		return nil
	}
	return c
}

func statusTable(w io.Writer, s *survey.Status) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAMESPACE\tPOD\tSERVICEACCOUNT\tMETHOD\tROLE\tDELIVERY\tREADY\tCERTIFICATE\tREASON")
	for _, p := range s.Workloads {
		ends := ""
		if p.CertificateExpires != nil {
			ends = time.Until(*p.CertificateExpires).Round(time.Minute).String()
		}
		ready := "no"
		if p.Ready {
			ready = "yes"
		}
		fmt.Fprintln(t, strings.Join([]string{p.Namespace, p.Pod, p.ServiceAccount, p.Method, plain(p.Role), p.Delivery, ready, ends, p.Reason}, "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(s.Workloads) == 0 {
		fmt.Fprintln(w, "no pod has an identity")
	}
	fmt.Fprintln(w)
	for _, p := range s.Programs {
		fmt.Fprintf(w, "%-20s  %d of %d ready\n", p.Name, p.Ready, p.Want)
	}
	for _, what := range s.Unseen {
		fmt.Fprintf(w, "not seen: %s\n", what)
	}
	return nil
}
